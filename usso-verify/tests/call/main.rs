//! The surface for other languages, driven as they drive it.
#![cfg(test)]
#![cfg(feature = "testing")]

mod functions;
mod requests;

use serde_json::json;
use usso_verify::call::{Answer, Calls, Refusal, Signatures, Signed};
use usso_verify::testing::TestIssuer;
use usso_verify::{Clock, Fetch, Presented, Principal};

const AUDIENCE: &str = "https://api.example";

fn issuer() -> TestIssuer {
    TestIssuer::new("https://sso.example")
}

fn calls(issuer: &TestIssuer) -> Calls {
    let config = json!({"issuers": [
        {"issuer": "https://sso.example", "audience": AUDIENCE, "jwks_url": issuer.jwks_url()},
    ]});
    Calls::new(&config.to_string()).unwrap()
}

fn token(issuer: &TestIssuer) -> String {
    issuer.mint().audience(AUDIENCE).sign()
}

/// Sends what is asked for, as a host with one thread would.
async fn drive(
    calls: &Calls,
    issuer: &TestIssuer,
    presented: Presented<'_>,
) -> Result<Principal, Refusal> {
    let now = issuer.clock().now();
    let mut answer = calls.verify(&presented, now);
    if let Answer::Fetch(number, request) = answer {
        let mut request = Some(request);
        while let Some(next) = request {
            request = calls.fetched(number, issuer.fetch(next).await, now);
        }
        answer = calls.verify_fetched(&presented, now);
    }
    match answer {
        Answer::Caller(principal) => Ok(principal),
        Answer::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_keys_are_fetched_once_and_again_for_a_new_key() {
    let issuer = issuer();
    let calls = calls(&issuer);
    for _ in 0..3 {
        assert!(drive(&calls, &issuer, (&token(&issuer)).into()).await.is_ok());
    }
    assert_eq!(issuer.fetches(), 1);
    issuer.rotate();
    issuer.clock().advance(std::time::Duration::from_secs(60));
    assert!(drive(&calls, &issuer, (&token(&issuer)).into()).await.is_ok());
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn an_unknown_kid_is_asked_for_once_and_refused() {
    let issuer = issuer();
    let calls = calls(&issuer);
    assert!(drive(&calls, &issuer, (&token(&issuer)).into()).await.is_ok());
    issuer.clock().advance(std::time::Duration::from_secs(60));
    for at in 0..20 {
        let stray = issuer.mint().audience(AUDIENCE).header("kid", format!("k{at}")).sign();
        let refusal = drive(&calls, &issuer, (&stray).into()).await.unwrap_err();
        assert_eq!((refusal.code, refusal.status), ("token.unknown_key", 401));
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn while_one_request_is_under_way_others_wait_for_it() {
    let issuer = issuer();
    let calls = calls(&issuer);
    let (token, now) = (token(&issuer), issuer.clock().now());
    let Answer::Fetch(number, request) = calls.verify(&(&token).into(), now) else { panic!() };
    let Answer::Wait(other) = calls.verify(&(&token).into(), now) else { panic!() };
    assert_eq!(number, other);
    assert!(calls.fetched(number, issuer.fetch(request).await, now).is_none());
    assert!(matches!(calls.verify_fetched(&(&token).into(), now), Answer::Caller(_)));
    assert!(calls.fetched(number, Err(usso_verify::FetchError::Failed), now).is_none());
}

#[tokio::test]
async fn without_keys_the_answer_is_a_503_and_no_challenge() {
    let issuer = issuer();
    let calls = calls(&issuer);
    issuer.outage();
    let refusal = drive(&calls, &issuer, (&token(&issuer)).into()).await.unwrap_err();
    assert_eq!((refusal.code, refusal.status), ("token.keys_unavailable", 503));
    assert_eq!(refusal.challenge, None);
}

#[tokio::test]
async fn a_new_key_during_an_outage_is_a_503() {
    let issuer = issuer();
    let calls = calls(&issuer);
    assert!(drive(&calls, &issuer, (&token(&issuer)).into()).await.is_ok());
    issuer.clock().advance(std::time::Duration::from_secs(60));
    issuer.rotate();
    issuer.outage();
    // The first one asks, the second one may not.
    for _ in 0..2 {
        let refusal = drive(&calls, &issuer, (&token(&issuer)).into()).await.unwrap_err();
        assert_eq!((refusal.code, refusal.status), ("token.keys_unavailable", 503));
    }
}

#[tokio::test]
async fn a_refusal_carries_its_challenge() {
    let issuer = issuer();
    let calls = calls(&issuer);
    let expired = issuer.mint().audience(AUDIENCE).expired().sign();
    let refusal = drive(&calls, &issuer, (&expired).into()).await.unwrap_err();
    let challenge = r#"Bearer error="invalid_token", error_description="the token has expired""#;
    assert_eq!(refusal.challenge.as_deref(), Some(challenge));
    let json = serde_json::to_value(&refusal).unwrap();
    assert_eq!((&json["code"], &json["status"]), (&json!("token.expired"), &json!(401)));
}

#[tokio::test]
async fn a_snapshot_saves_the_first_fetch_and_due_requests_come_by_themselves() {
    let issuer = issuer();
    let first = calls(&issuer);
    assert!(drive(&first, &issuer, (&token(&issuer)).into()).await.is_ok());
    let snapshot = first.export("https://sso.example").unwrap();
    let second = calls(&issuer);
    let now = issuer.clock().now();
    second.import("https://sso.example", &snapshot, now).unwrap();
    assert!(second.import("https://other.example", &snapshot, now).is_err());
    assert!(drive(&second, &issuer, (&token(&issuer)).into()).await.is_ok());
    assert_eq!(issuer.fetches(), 1);
    assert!(second.due(now).is_empty());
    let due = second.due(now + 580);
    assert_eq!(due.len(), 1);
    assert!(second.due(now + 580).is_empty());
}

#[test]
fn the_platforms_verdict_on_a_signature_counts_only_for_the_key_it_was_asked_about() {
    let issuer = issuer();
    let config = json!({"issuers": [{"issuer": "https://sso.example", "audience": AUDIENCE,
        "jwks": issuer.keys().to_jwks()}]});
    let (token, now) = (token(&issuer), issuer.clock().now());
    let key = issuer.keys().only().unwrap().thumbprint();
    let verdict = |token: &str, key: &str, good: bool| {
        let calls = Calls::new(&config.to_string()).unwrap();
        let mut signatures = Signatures::default();
        signatures.add(Signed::Token, key, good);
        match calls.verify(&signatures.beside(&token.into()), now) {
            Answer::Caller(_) => "good",
            Answer::Refused(refusal) => refusal.code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(verdict(&token, &key, true), "good");
    assert_eq!(verdict(&token, &key, false), "token.signature");
    let (message, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{message}.{}", "A".repeat(86));
    assert_eq!(verdict(&forged, "other", true), "token.signature");
    assert_eq!(verdict(&forged, &key, true), "good");
    let expired = issuer.mint().audience(AUDIENCE).expired().sign();
    assert_eq!(verdict(&expired, &key, true), "token.expired");
}

#[test]
fn every_setting_of_the_configuration_is_heeded() {
    let issuer = issuer();
    let with = |extra: serde_json::Value| {
        let mut one = json!({"issuer": "https://sso.example", "audience": [AUDIENCE],
            "jwks": issuer.keys().to_jwks()});
        one.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Calls::new(&json!({"issuers": [one], "leeway": 0}).to_string()).unwrap()
    };
    let now = issuer.clock().now();
    let good = || issuer.mint().audience(AUDIENCE);
    let code = |calls: Calls, token: &str| match calls.verify(&token.into(), now) {
        Answer::Caller(_) => "ok",
        Answer::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    let mint = |claims: usso_verify::testing::Mint| claims.sign();
    for (extra, token, expected) in [
        (json!({}), mint(good()), "ok"),
        (json!({}), mint(good().claim("exp", now)), "token.expired"),
        (json!({"profile": "rfc9068"}), mint(good().without("client_id")), "token.claim_missing"),
        (json!({"profile": "oidc_id_token"}), mint(good()), "token.typ"),
        (json!({"profile": "custom", "typ": ["x"]}), mint(good().typ("x")), "ok"),
        (json!({"algorithms": ["ES256"]}), mint(good()), "token.algorithm"),
        (json!({"token_type": "refresh"}), mint(good()), "token.token_type"),
        (json!({"tenant": "org_1"}), mint(good()), "token.tenant"),
        (json!({"required_claims": ["workspace_id"]}), mint(good()), "token.claim_missing"),
        (json!({"max_age": 1}), mint(good().claim("iat", now - 1)), "token.too_old"),
        (json!({"max_lifetime": 1}), mint(good()), "token.lifetime"),
    ] {
        assert_eq!(code(with(extra.clone()), &token), expected, "{extra}");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_says_why() {
    let jwks = json!({"keys": []});
    for (config, why) in [
        (json!(null), "expected"),
        (json!({}), "issuers"),
        (json!({"issuers": []}), "issuer"),
        (json!({"issuers": [{"issuer": "https://a"}]}), "audience"),
        (json!({"issuers": [{"issuer": "https://a", "audience": []}]}), "audience"),
        (json!({"issuers": [{"issuer": "https://a", "audience": [5]}]}), "`audience` is not text"),
        (json!({"issuers": [{"issuer": "https://a", "audience": 5}]}), "neither text nor a list"),
        (json!({"issuers": {}}), "`issuers` is not a list"),
        (json!({"issuers": [5]}), "`issuers` is not an object"),
        (json!({"issuers": [{"issuer": 5}]}), "`issuer` is not text"),
        (json!({"issuers": [], "leeway": "30"}), "`leeway` is not a whole number"),
        (json!({"issuers": [], "guard": {"realm": 5}}), "`realm` is not text"),
        (
            json!({"issuers": [{"issuer": "https://a", "any_audience": 1}]}),
            "`any_audience` is not true or false",
        ),
        (json!({"issuers": [{"issuer": "https://a", "audience": "b"}], "lee": 1}), "lee"),
        (json!({"issuers": [{"issuer": "https://a", "audience": "b", "typo": 1}]}), "typo"),
        (json!({"issuers": [{"issuer": "http://a", "audience": "b"}]}), "https"),
        (
            json!({"issuers": [{"issuer": "https://a", "audience": "b", "algorithms": ["HS256"]}]}),
            "algorithm",
        ),
        (
            json!({"issuers": [{"issuer": "https://a", "audience": "b", "jwks": jwks,
                "jwks_url": "https://a/k"}]}),
            "contradict",
        ),
        (
            json!({"issuers": [{"issuer": "https://a", "audience": "b",
                "required_claims": ["mine"]}]}),
            "mine",
        ),
        (json!({"issuers": [{"issuer": "https://a", "audience": "b"}], "leeway": 121}), "leeway"),
    ] {
        let refusal = Calls::new(&config.to_string()).unwrap_err();
        assert_eq!(refusal.code, "config.invalid");
        assert!(refusal.message.contains(why), "{config}: {}", refusal.message);
    }
    assert!(Calls::new(r#"{"issuers": [], "issuers": []}"#).is_err());
}
