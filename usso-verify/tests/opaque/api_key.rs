//! API keys: which texts are, what USSO says about them.

use serde_json::json;
use usso_verify::opaque::*;

use crate::support::*;

fn admit(text: &str, origin: Origin) -> Option<Error> {
    let (remote, local) = (api_keys(), key_rules());
    let verdict = remote.credential(text, origin).err();
    assert_eq!(verdict, local.credential(text, origin).err());
    verdict
}

#[test]
fn the_key_goes_into_a_json_body() {
    let upstream = api_keys();
    let request = upstream.request(&upstream.credential(KEY, Origin::Bearer).unwrap());
    assert_eq!(request.url, "https://sso.example/api/sso/v1/apikeys/verify");
    assert_eq!(request.body.unwrap(), format!(r#"{{"api_key":"{KEY}"}}"#).into_bytes());
    assert!(request.headers.contains(&("content-type", "application/json".to_owned())));
}

/// Finding S3: every value that was not a JWT used to be posted to the issuer.
#[test]
fn a_bearer_without_a_known_prefix_is_never_an_api_key() {
    for text in [
        "Basic dXNlcjpwYXNzd29yZA==",
        "dXNlcjpwYXNzd29yZA==",
        "ghp_0123456789abcdef0123",
        "sk_live_0123456789abcdef",
        "USSO_SK_0123456789abcdef",
        " usso_sk_0123456789abcdef",
        "usso_sk_",
        "usso_sk",
        "eyJhbGciOiJFZERTQSJ9.e30.AA",
        "",
    ] {
        assert_eq!(admit(text, Origin::Bearer), Some(Error::Unrecognised), "{text}");
        assert!(!api_keys().recognises(text));
    }
    assert_eq!(admit(KEY, Origin::Bearer), None);
    assert!(api_keys().recognises(KEY));
}

#[test]
fn the_key_header_needs_no_prefix_but_the_form() {
    assert_eq!(admit("0123456789abcdef", Origin::KeyHeader), None);
    assert_eq!(admit(&"a".repeat(512), Origin::KeyHeader), None);
    for text in
        ["Basic dXNlcjpwYXNzd29yZA==", "0123456789abcde", "0123456789abcdef\n", &"a".repeat(513)]
    {
        assert_eq!(admit(text, Origin::KeyHeader), Some(Error::Malformed), "{text}");
    }
    assert_eq!(admit("usso_sk_short", Origin::Bearer), Some(Error::Malformed));
    assert_eq!(admit("usso_sk_01234567 9abcdef", Origin::Bearer), Some(Error::Malformed));
}

#[test]
fn another_prefix_can_be_added() {
    let rules = key_rules().prefix("acme_").unwrap();
    assert!(rules.recognises("acme_0123456789abcdef") && rules.recognises(KEY));
}

#[test]
fn a_vouched_key_is_a_principal() {
    let user = judge_key(json!({"sub": "service:1", "scopes": ["read:files"]})).unwrap();
    assert_eq!((user.sub.as_str(), user.iss.as_str()), ("service:1", ISSUER));
    assert_eq!(user.scopes, ["read:files"]);
    assert_eq!(user.exp, NOW + 60);
    assert_eq!(judge_key(json!({"sub": "service:1", "exp": NOW + 5})).unwrap().exp, NOW + 5);
    assert_eq!(judge_key(json!({"sub": "a", "exp": NOW})), Err(Error::Expired));
}

/// Finding S10: `{"valid": false}` used to be a user without a name.
#[test]
fn an_answer_that_names_nobody_is_a_refusal() {
    for body in [json!({}), json!({"sub": ""}), json!({"sub": null}), json!({"valid": true})] {
        assert_eq!(judge_key(body), Err(Error::Subject));
    }
    for name in ["valid", "active"] {
        assert_eq!(judge_key(json!({name: false})), Err(Error::Inactive));
        assert_eq!(judge_key(json!({name: false, "sub": "user:1"})), Err(Error::Inactive));
        for odd in [json!(null), json!("false"), json!(0)] {
            assert_eq!(judge_key(json!({name: odd, "sub": "user:1"})), Err(ODD), "{odd}");
        }
        assert!(judge_key(json!({name: true, "sub": "user:1"})).is_ok());
    }
}

#[test]
fn a_null_of_the_server_counts_as_absent() {
    let user = judge_key(json!({"sub": "user:1", "exp": null, "aud": null, "iss": null})).unwrap();
    assert_eq!((user.exp, user.iss.as_str()), (NOW + 60, ISSUER));
}

#[test]
fn other_claims_are_judged_as_those_of_a_token() {
    let with = |claim: &str, value| judge_key(json!({"sub": "user:1", claim: value}));
    assert_eq!(with("iss", json!("https://evil.example")), Err(Error::Issuer));
    assert_eq!(with("nbf", json!(NOW + 31)), Err(Error::NotYetValid));
    assert_eq!(with("iat", json!(NOW + 31)), Err(Error::IssuedInFuture));
    for (claim, odd) in [("scopes", json!("a")), ("roles", json!([1])), ("exp", json!("1"))] {
        assert_eq!(with(claim, odd), Err(ODD), "{claim}");
    }
    assert_eq!(judge_key(json!({"sub": 7})), Err(ODD));
    let rules = KeyRules::new(ISSUER, Audiences::one_of(["api"])).unwrap();
    let judge = |aud| rules.judge(json!({"sub": "a", "aud": aud}).as_object().cloned(), NOW);
    assert_eq!(judge(json!(null)).err(), Some(Error::Audience));
    assert!(judge(json!("api")).is_ok());
}

#[test]
fn the_status_decides_between_refusal_and_trouble() {
    let judge = |status| api_keys().judge(&answer(status, json!({"sub": "user:1"})), NOW);
    assert!(judge(200).is_ok());
    assert_eq!(judge(401), Err(Error::Inactive));
    for status in [201, 204, 302, 400, 403, 404, 405, 422, 429, 500, 502, 503] {
        assert_eq!(judge(status), Err(Error::Unavailable(Reason::Status(status))));
    }
}

/// A gateway that answers 404 during a deployment used to refuse every key.
#[test]
fn a_missing_or_forbidden_key_is_refused_by_usso_itself_only() {
    for status in [403, 404, 422] {
        let judge = |body: &str| api_keys().judge(&answer(status, body), NOW);
        assert_eq!(judge(r#"{"error_code": "not_found", "x": 1}"#), Err(Error::Inactive));
        for body in ["", "<html>", "[]", "{}", r#"{"error_code": ""}"#, r#"{"error_code": 404}"#] {
            let trouble = Error::Unavailable(Reason::Status(status));
            assert_eq!(judge(body), Err(trouble), "{body}");
        }
    }
    assert_eq!(
        api_keys().request(&api_keys().credential(KEY, Origin::Bearer).unwrap()).max_body_bytes,
        1 << 14
    );
}

#[test]
fn hostile_bodies_are_no_answer() {
    for body in hostile_bodies() {
        assert_eq!(judge_key(&body), Err(ODD), "{}", body.get(..60).unwrap_or(&body));
    }
}
