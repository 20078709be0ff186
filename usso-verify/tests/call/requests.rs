//! Requests and API keys, driven as another language drives them.

use serde_json::{Map, Value, json};
use usso_verify::call::{Answer, Calls};
use usso_verify::guard::{Head, Rule, require};
use usso_verify::opaque::LookupFailed;
use usso_verify::testing::TestIssuer;
use usso_verify::{FetchError, Presented, Response};

use super::{AUDIENCE, issuer};

const KEY: &str = "usso_sk_0123456789abcdef";
const NOW: u64 = 1_750_000_000;

fn calls(issuer: &TestIssuer, more: &Value) -> Calls {
    let mut config = json!({"issuers": [
        {"issuer": "https://sso.example", "audience": AUDIENCE, "jwks": issuer.keys().to_jwks()},
    ]});
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    Calls::new(&config.to_string()).unwrap()
}

fn asked(calls: &Calls, headers: [(&str, &str); 1]) -> Option<Answer> {
    let head = Head::new("GET", "/", headers);
    calls.present(&head, |presented| calls.verify(presented, NOW))
}

fn code(answer: Option<Answer>) -> &'static str {
    match answer {
        Some(Answer::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_verified_answered_and_checked() {
    let issuer = issuer();
    let calls = calls(&issuer, &json!({}));
    let token = issuer.mint().audience(AUDIENCE).scope("read:users?user_id=7").sign();
    let bearer = format!("Bearer {token}");
    let Some(Answer::Caller(caller)) = asked(&calls, [("authorization", &bearer)]) else {
        panic!()
    };
    let rule = require("read:users?user_id={id}").unwrap();
    let id = |value: &'static str| move |_: &str| Some(value.to_owned());
    assert!(calls.check(Some(&caller), &rule, id("7"), NOW).is_ok());
    let refusal = calls.check(Some(&caller), &rule, id("8"), NOW).unwrap_err();
    assert_eq!((refusal.code, refusal.status), ("access.scope", 403));
    assert!(refusal.challenge.unwrap().contains("insufficient_scope"));
    let missing = calls.check(None, &Rule::new(), id(""), NOW).unwrap_err();
    let answer = calls.answer(&missing, &Head::new("GET", "/", []));
    assert_eq!((answer.status, answer.code), (401, "access.token_missing"));
    assert!(asked(&calls, [("x-nothing", "")]).is_none());
    assert_eq!(code(asked(&calls, [("authorization", "Basic YTpi")])), "access.scheme");
    let malformed = code(asked(&calls, [("authorization", "Bearer a b")]));
    assert_eq!(malformed, "access.authorization_malformed");
    // Shared caches leave such answers alone by themselves (RFC 9111 §3.5).
    let both = [("authorization", "Bearer a"), ("cookie", "a=b")];
    assert!(calls.response_headers(&both, false).is_empty());
}

#[test]
fn the_headers_and_the_cookie_can_be_named() {
    let issuer = issuer();
    let guard = json!({"guard": {
        "token_header": "X-Token", "api_key_header": "X-Key", "cookie": "t", "realm": "files",
    }});
    let calls = calls(&issuer, &guard);
    let token = issuer.mint().audience(AUDIENCE).sign();
    assert!(matches!(asked(&calls, [("x-token", &token)]), Some(Answer::Caller(_))));
    let cookie = format!("t={token}");
    assert!(matches!(asked(&calls, [("cookie", &cookie)]), Some(Answer::Caller(_))));
    // What is not named is not looked at.
    let bearer = format!("Bearer {token}");
    assert!(asked(&calls, [("authorization", &bearer)]).is_none());
    assert!(asked(&calls, [("x-api-key", KEY)]).is_none());
    for bad in [&*bearer, "", "a b"] {
        assert_eq!(code(asked(&calls, [("x-token", bad)])), "token.malformed", "{bad:?}");
    }
    let twice = Head::new("GET", "/", [("x-token", &*token), ("x-token", &*token)]);
    let twice = calls.present(&twice, |presented| calls.verify(presented, NOW));
    assert_eq!(code(twice), "token.malformed");
    let shared = calls.response_headers(&[("x-token", "t")], true);
    assert_eq!(
        shared,
        [("cache-control", "private".to_owned()), ("vary", "x-token, cookie, x-key".to_owned())]
    );
    let missing = calls.check(None, &Rule::new(), |_| None, NOW).unwrap_err();
    let answer = calls.answer(&missing, &Head::new("GET", "/", []));
    assert!(answer.headers.contains(&("www-authenticate", "Bearer realm=\"files\"".to_owned())));
}

#[test]
fn a_header_that_means_something_else_cannot_carry_tokens() {
    for (guard, named) in [
        (json!({"token_header": "Cookie"}), "cookie"),
        (json!({"token_header": ""}), "\"\""),
        (json!({"token_header": "x token"}), "x token"),
        (json!({"api_key_header": "authorization"}), "authorization"),
        (json!({"token_header": "x-api-key"}), "x-api-key"),
        (json!({"no_such": true}), "no_such"),
    ] {
        let config = json!({"issuers": [
            {"issuer": "https://sso.example", "any_audience": true},
        ], "guard": guard});
        let refusal = Calls::new(&config.to_string()).unwrap_err();
        assert_eq!(refusal.code, "config.invalid");
        assert!(refusal.message.contains(named), "{}", refusal.message);
    }
}

fn issuers_keys(issuer: &TestIssuer) -> Calls {
    let url = "https://sso.example/api/sso/v1/apikeys/verify";
    calls(issuer, &json!({"api_keys": {"issuer": "https://sso.example", "verify_url": url}}))
}

#[test]
fn the_issuer_is_asked_once_about_an_api_key_and_remembered() {
    let issuer = issuer();
    let calls = issuers_keys(&issuer);
    let Answer::Fetch(number, request) = calls.verify(&Presented::api_key(KEY), NOW) else {
        panic!()
    };
    assert_eq!(request.url, "https://sso.example/api/sso/v1/apikeys/verify");
    let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
    assert_eq!(body, json!({"api_key": KEY}));
    // Others wait for the same answer, also those who send it as a bearer.
    let waits = |answer| matches!(answer, Answer::Wait(waiting) if waiting == number);
    assert!(waits(calls.verify(&Presented::api_key(KEY), NOW)));
    assert!(waits(calls.verify(&Presented::bearer(KEY), NOW)));
    assert!(calls.is_under_way(number));
    let answer = Response::new(200, json!({"sub": "service:1"}).to_string().into_bytes());
    assert!(calls.fetched(number, Ok(answer), NOW).is_none());
    assert!(!calls.is_under_way(number));
    for fetched in [true, false] {
        let verify = if fetched { Calls::verify_fetched } else { Calls::verify };
        let Answer::Caller(caller) = verify(&calls, &Presented::api_key(KEY), NOW) else {
            panic!()
        };
        assert_eq!(caller.sub, "service:1");
    }
    calls.clear_cache();
    assert!(matches!(calls.verify(&Presented::api_key(KEY), NOW), Answer::Fetch(..)));
}

#[test]
fn a_key_is_refused_or_unknown_as_the_issuer_says() {
    for (result, expected, status) in [
        (Ok(Response::new(401, Vec::new())), "opaque.inactive", 401),
        (Ok(Response::new(200, b"{\"valid\": false}".to_vec())), "opaque.inactive", 401),
        (Ok(Response::new(200, b"{}".to_vec())), "opaque.subject", 401),
        (Ok(Response::new(500, Vec::new())), "opaque.unavailable", 503),
        (Err(FetchError::TimedOut), "opaque.unavailable", 503),
    ] {
        let issuer = issuer();
        let calls = issuers_keys(&issuer);
        let Answer::Fetch(number, _) = calls.verify(&Presented::api_key(KEY), NOW) else {
            panic!()
        };
        assert!(calls.fetched(number, result, NOW).is_none());
        let Answer::Refused(refusal) = calls.verify_fetched(&Presented::api_key(KEY), NOW) else {
            panic!()
        };
        assert_eq!((refusal.code, refusal.status), (expected, status));
    }
}

#[test]
fn what_is_said_of_a_key_is_judged_as_a_token_is() {
    let issuer = issuer();
    for (said, expected) in [
        (json!({"tenant_id": "org_1", "jti": "k"}), None),
        (json!({"tenant_id": "org_1", "jti": "k", "token_type": "access"}), None),
        (json!({"tenant_id": "org_2", "jti": "k"}), Some("token.tenant")),
        (json!({"jti": "k"}), Some("token.tenant")),
        (json!({"tenant_id": "org_1"}), Some("token.claim_missing")),
        (
            json!({"tenant_id": "org_1", "jti": "k", "token_type": "refresh"}),
            Some("token.token_type"),
        ),
    ] {
        let config = json!({"api_keys": {
            "issuer": "https://sso.example", "local": true, "tenant": "org_1",
            "required_claims": ["jti"],
        }});
        let calls = calls(&issuer, &config);
        let Answer::LookUp(number, _) = calls.verify(&Presented::api_key(KEY), NOW) else {
            panic!()
        };
        let mut claims = said.as_object().cloned().unwrap();
        claims.insert("sub".to_owned(), "service:1".into());
        calls.looked_up(number, Ok(Some(claims)), NOW);
        let refused = match calls.verify_fetched(&Presented::api_key(KEY), NOW) {
            Answer::Caller(_) => None,
            Answer::Refused(refusal) => Some(refusal.code),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused, expected, "{said}");
    }
}

#[test]
fn lookups_that_fail_do_not_keep_other_keys_from_being_looked_up() {
    let issuer = issuer();
    let config = json!({"api_keys": {"issuer": "https://sso.example", "local": true}});
    let calls = calls(&issuer, &config);
    for at in 0..20 {
        let key = format!("usso_sk_0123456789abcd{at:02}");
        let Answer::LookUp(number, _) = calls.verify(&Presented::api_key(&key), NOW) else {
            panic!("{at}")
        };
        calls.looked_up(number, Err(LookupFailed), NOW);
    }
    assert!(matches!(calls.verify(&Presented::api_key(KEY), NOW), Answer::LookUp(..)));
}

#[test]
fn only_what_looks_like_a_key_is_ever_asked_about() {
    let issuer = issuer();
    let calls = issuers_keys(&issuer);
    let token = issuer.mint().audience(AUDIENCE).sign();
    for (presented, expected) in [
        (Presented::bearer("some-other-services-token"), "token.malformed"),
        (Presented::api_key("short"), "opaque.malformed"),
        (Presented::api_key("user:password-with-colon"), "opaque.malformed"),
        (Presented::api_key(&token), "opaque.unrecognised"),
    ] {
        let Answer::Refused(refusal) = calls.verify(&presented, NOW) else { panic!() };
        assert_eq!(refusal.code, expected);
    }
    // Without the setting no key is taken at all.
    let without = self::calls(&issuer, &json!({}));
    let Answer::Refused(refusal) = without.verify(&Presented::api_key(KEY), NOW) else { panic!() };
    assert_eq!(refusal.code, "opaque.unrecognised");
}

#[test]
fn a_question_that_was_given_up_keeps_nobody_waiting_for_long() {
    let issuer = issuer();
    let calls = issuers_keys(&issuer);
    assert!(matches!(calls.verify(&Presented::api_key(KEY), NOW), Answer::Fetch(..)));
    assert!(matches!(calls.verify(&Presented::api_key(KEY), NOW + 30), Answer::Wait(_)));
    assert!(matches!(calls.verify(&Presented::api_key(KEY), NOW + 31), Answer::Fetch(..)));
}

#[test]
fn the_app_can_look_keys_up_itself() {
    let issuer = issuer();
    let config = json!({"api_keys": {
        "issuer": "https://sso.example", "local": true, "prefixes": ["acme_"],
    }});
    let known = json!({"sub": "service:1"}).as_object().cloned();
    for (claims, expected) in [
        (Ok(known), None),
        (Ok(None), Some("opaque.inactive")),
        (Ok(Some(Map::new())), Some("opaque.subject")),
        (Err(LookupFailed), Some("opaque.unavailable")),
    ] {
        let calls = calls(&issuer, &config);
        let key = "acme_0123456789abcdef";
        let Answer::LookUp(number, asked) = calls.verify(&Presented::bearer(key), NOW) else {
            panic!()
        };
        assert_eq!(asked.expose(), key);
        assert!(!format!("{asked:?}").contains("0123"));
        calls.looked_up(number, claims, NOW);
        let refused = match calls.verify_fetched(&Presented::bearer(key), NOW) {
            Answer::Caller(_) => None,
            Answer::Refused(refusal) => Some(refusal.code),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn who_is_asked_about_keys_must_be_said_and_be_safe_to_ask() {
    let keys = |more: Value| {
        let mut keys = json!({"issuer": "https://sso.example"});
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let issuer = issuer();
        let config = json!({"issuers": [
            {"issuer": "https://sso.example", "any_audience": true, "jwks": issuer.keys().to_jwks()},
        ], "api_keys": keys});
        Calls::new(&config.to_string()).is_ok()
    };
    assert!(keys(json!({"local": true})));
    assert!(keys(json!({"verify_url": "http://usso:8000/verify", "danger_allow_http": true})));
    assert!(keys(json!({"verify_url": "https://usso/verify", "danger_allow_http": true})));
    for bad in [
        json!({}),
        json!({"local": true, "verify_url": "https://sso.example/verify"}),
        json!({"verify_url": "http://usso:8000/verify"}),
        json!({"verify_url": "ftp://usso/verify", "danger_allow_http": true}),
        json!({"verify_url": "http://usso@evil/verify", "danger_allow_http": true}),
        json!({"local": true, "prefixes": ["eyJ_"]}),
        json!({"local": true, "audience": []}),
    ] {
        assert!(!keys(bad.clone()), "{bad}");
    }
}

#[test]
fn one_pinned_key_is_meant_whatever_name_a_token_gives() {
    let issuer = issuer();
    let other = TestIssuer::new("https://sso.example");
    let jwk = &issuer.keys().to_jwks().keys[0];
    let config = json!({"issuers": [
        {"issuer": "https://sso.example", "audience": AUDIENCE, "jwk": jwk},
    ]});
    let calls = Calls::new(&config.to_string()).unwrap();
    let good = |token: &str| matches!(calls.verify(&token.into(), NOW), Answer::Caller(_));
    assert!(good(&issuer.mint().audience(AUDIENCE).sign()));
    assert!(good(&issuer.mint().audience(AUDIENCE).header("kid", "any").sign()));
    assert!(!good(&other.mint().audience(AUDIENCE).header("kid", issuer.kid()).sign()));
    assert!(!good(&issuer.mint().audience(AUDIENCE).header("alg", "ES256").sign()));
    let both = json!({"issuers": [{"issuer": "https://a.example", "any_audience": true,
        "jwk": jwk, "jwks_url": "https://a.example/jwks"}]});
    assert!(Calls::new(&both.to_string()).is_err());
}

#[test]
fn plain_http_is_for_keys_only_where_that_is_said() {
    let config = |more: Value| {
        let mut issuer = json!({"issuer": "http://usso:8000", "any_audience": true,
            "jwks_url": "http://usso:8000/jwks"});
        issuer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Calls::new(&json!({"issuers": [issuer]}).to_string()).is_ok()
    };
    assert!(config(json!({"danger_allow_http": true})));
    assert!(!config(json!({"allow_loopback_http": true})));
    assert!(!config(json!({})));
}

#[test]
fn tokens_of_usso_before_it_said_what_they_are_for_are_taken_where_asked_for() {
    let issuer = issuer();
    let calls = |profile: &str, token_type: &str| {
        let config = json!({"issuers": [{"issuer": "https://sso.example", "audience": AUDIENCE,
            "profile": profile, "token_type": token_type, "jwks": issuer.keys().to_jwks()}]});
        Calls::new(&config.to_string()).unwrap()
    };
    let (legacy, strict) = (calls("usso_legacy", "access"), calls("usso", "access"));
    let code = |calls: &Calls, token: String| match calls.verify(&token.as_str().into(), NOW) {
        Answer::Caller(_) => "good",
        Answer::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    let mint = || issuer.mint().audience(AUDIENCE);
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert_eq!(code(&legacy, mint().typ(typ).sign()), "good", "{typ}");
        assert_eq!(code(&legacy, mint().typ(typ).without("token_type").sign()), "good", "{typ}");
    }
    assert_eq!(code(&strict, mint().typ("JWT").sign()), "token.typ");
    assert_eq!(code(&strict, mint().without("token_type").sign()), "token.token_type");
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt"] {
        assert_eq!(code(&legacy, mint().typ(typ).sign()), "token.typ", "{typ}");
    }
    let other = mint().claim("token_type", "refresh").sign();
    assert_eq!(code(&legacy, other.clone()), "token.token_type");
    // Any other type must be there.
    let refresh = calls("usso_legacy", "refresh");
    assert_eq!(code(&refresh, other), "good");
    assert_eq!(code(&refresh, mint().without("token_type").sign()), "token.token_type");
    for (claim, value, good) in [
        ("token_use", "access", true),
        ("token_use", "id", false),
        ("typ", "Bearer", true),
        ("typ", "ID", false),
        ("typ", "Refresh", false),
    ] {
        let token = mint().typ("JWT").without("token_type").claim(claim, value).sign();
        assert_eq!(code(&legacy, token) == "good", good, "{claim} {value}");
    }
    for telling in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        let id_token = mint().typ("JWT").without("token_type").claim(telling, "x").sign();
        assert_eq!(code(&legacy, id_token), "token.claim_invalid", "{telling}");
    }
}

#[test]
fn a_type_is_compared_where_there_is_one() {
    let issuer = issuer();
    let config = json!({"issuers": [{"issuer": "https://sso.example", "audience": AUDIENCE,
        "profile": "rfc9068", "token_type_if_any": "access", "jwks": issuer.keys().to_jwks()}]});
    let calls = Calls::new(&config.to_string()).unwrap();
    let good =
        |token: String| matches!(calls.verify(&token.as_str().into(), NOW), Answer::Caller(_));
    let mint = || issuer.mint().audience(AUDIENCE);
    assert!(good(mint().sign()));
    assert!(good(mint().without("token_type").sign()));
    assert!(!good(mint().claim("token_type", "refresh").sign()));
}
