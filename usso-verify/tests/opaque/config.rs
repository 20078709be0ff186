//! Settings that make no sense are refused at the start, and secrets are not printed.

use std::time::Duration;

use usso_verify::opaque::*;

use crate::support::*;

#[test]
fn an_introspection_needs_an_address_an_issuer_and_audiences() {
    let new = |endpoint: &str, issuer: &str, audiences| {
        Introspection::new(endpoint, issuer, audiences, client()).err()
    };
    let https = "https://sso.example";
    assert_eq!(new(https, ISSUER, Audiences::Any), None);
    assert_eq!(new("http://sso.example", ISSUER, Audiences::Any), Some(ConfigError::Endpoint));
    assert_eq!(new(https, "", Audiences::Any), Some(ConfigError::Issuer));
    for none in [vec![], vec![""], vec!["api", ""]] {
        assert_eq!(new(https, ISSUER, Audiences::one_of(none)), Some(ConfigError::Audiences));
    }
    assert_eq!(introspection().client_subject_prefix("").err(), Some(ConfigError::SubjectPrefix));
    assert_eq!(introspection().token_types(&[]).err(), Some(ConfigError::TokenTypes));
    assert_eq!(KeyRules::new("", Audiences::Any).err(), Some(ConfigError::Issuer));
    assert_eq!(ApiKeys::new("sso.example", key_rules()).err(), Some(ConfigError::Endpoint));
}

#[test]
fn a_leeway_is_at_most_two_minutes() {
    let (most, more) = (Duration::from_secs(120), Duration::from_millis(120_001));
    assert!(introspection().leeway(most).is_ok() && key_rules().leeway(most).is_ok());
    assert_eq!(introspection().leeway(more).err(), Some(ConfigError::LeewayTooLong));
    assert_eq!(key_rules().leeway(more).err(), Some(ConfigError::LeewayTooLong));
}

#[test]
fn a_client_without_credentials_or_with_a_header_in_them_is_refused() {
    for client in [
        ClientAuth::basic("", "x"),
        ClientAuth::basic("x", ""),
        ClientAuth::post("", "x"),
        ClientAuth::post("x", ""),
        ClientAuth::bearer(""),
        ClientAuth::bearer("x\r\nhost: evil"),
    ] {
        assert_eq!(client.err(), Some(ConfigError::Client));
    }
}

#[test]
fn a_prefix_that_is_short_or_starts_every_jwt_is_refused() {
    for prefix in ["", "sk_", "eyJh", "eyJhbGciOi", "ewog", "e30.", "sk live", "sk__=", "sk:__"] {
        assert_eq!(key_rules().prefix(prefix).err(), Some(ConfigError::Prefix), "{prefix}");
    }
    assert!(key_rules().prefix(&"a".repeat(65)).is_err());
    assert!(key_rules().prefix("evo_").is_ok());
}

type Change = fn(&mut Limits);

#[test]
fn a_limit_out_of_its_range_is_named() {
    let changes: [(&str, Change); 14] = [
        ("positive_life", |limits| limits.positive_life = Duration::from_secs(301)),
        ("negative_life", |limits| limits.negative_life = Duration::from_secs(61)),
        ("positive_entries", |limits| limits.positive_entries = 0),
        ("positive_entries", |limits| limits.positive_entries = 1_000_001),
        ("positive_bytes", |limits| limits.positive_bytes = (1 << 20) - 1),
        ("positive_bytes", |limits| limits.positive_bytes = (4 << 30) + 1),
        ("negative_entries", |limits| limits.negative_entries = 0),
        ("negative_entries", |limits| limits.negative_entries = 1_000_001),
        ("concurrency", |limits| limits.concurrency = 0),
        ("concurrency", |limits| limits.concurrency = 1025),
        ("failures", |limits| limits.failures = 0),
        ("rest", |limits| limits.rest = Duration::from_secs(61)),
        ("timeout", |limits| limits.timeout = Duration::ZERO),
        ("timeout", |limits| limits.timeout = Duration::from_secs(31)),
    ];
    for (name, change) in changes {
        let mut limits = Limits::default();
        change(&mut limits);
        let error = Answers::new(&limits).err();
        assert_eq!(error, Some(ConfigError::Limit(name)));
        assert!(error.unwrap().to_string().contains(name));
    }
}

#[test]
fn nothing_prints_a_secret() {
    let upstream = Introspection::new(
        "https://sso.example/?code=hunter2",
        ISSUER,
        Audiences::Any,
        ClientAuth::post("api", "hunter2").unwrap(),
    )
    .unwrap();
    let credential = upstream.credential("hunter2", Origin::Bearer).unwrap();
    let answers = Answers::new(&Limits::default()).unwrap();
    let printed = [
        format!("{upstream:?} {credential:?} {answers:?} {:?}", api_keys()),
        format!("{:?} {:?}", ClientAuth::bearer("hunter2"), ClientAuth::basic("a", "hunter2")),
        format!("{:?}", answers.start(&credential, NOW)),
    ];
    let basic = base64_simd::STANDARD.encode_to_string("a:hunter2");
    for text in printed {
        assert!(!text.contains("hunter2") && !text.contains(&basic), "{text}");
    }
}
