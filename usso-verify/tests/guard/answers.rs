//! How refusals look.

use serde_json::{Value, json};
use usso_verify::{
    Denied, VerifyError,
    dpop::{RotatingNonces, Verifier as DpopVerifier},
    guard::{Answer, Authenticator, Guard, Head, InvalidRule, Refusal, require},
    opaque,
};

use super::{AUDIENCE, guard, issuer};

fn header<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let named = answer.headers.iter().filter(|(own, _)| *own == name);
    named.map(|(_, value)| value.as_str()).collect()
}

fn plain(refusal: &Refusal) -> Answer {
    guard(&issuer()).answer(refusal, &Head::new("GET", "/", []))
}

#[test]
fn every_refusal_has_its_code_and_status() {
    let invalid = require("x:y").unwrap_err();
    let every = [
        (Refusal::ApiKeyMalformed, "access.api_key_malformed", 400),
        (Refusal::AuthorizationMalformed, "access.authorization_malformed", 400),
        (Refusal::Claims, "access.claims", 403),
        (Refusal::CookieAmbiguous, "access.cookie_ambiguous", 400),
        (Refusal::CrossSite, "request.cross_site", 403),
        (Refusal::Denied(Denied::Service), "access.service", 403),
        (Refusal::Denied(Denied::Tenant), "access.tenant", 403),
        (Refusal::GuardMissing, "guard.missing", 500),
        (Refusal::InvalidRule(invalid.clone()), "guard.rule", 500),
        (Refusal::Missing, "access.token_missing", 401),
        (Refusal::PathMalformed, "request.path_malformed", 400),
        (Refusal::PathParameter("id".into()), "guard.path_parameter", 500),
        (Refusal::Scheme, "access.scheme", 401),
        (Refusal::Token(VerifyError::KeysUnavailable), "token.keys_unavailable", 503),
        (Refusal::Token(VerifyError::Expired), "token.expired", 401),
        (Refusal::Unavailable, "access.unavailable", 503),
    ];
    for (refusal, code, status) in every {
        let answer = plain(&refusal);
        assert_eq!((answer.code, answer.status), (code, status));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error_code"], code);
        let message = body["message"]["en"].as_str().unwrap();
        assert!(message.starts_with(char::is_uppercase) && message.ends_with('.'), "{message}");
        assert_eq!(header(&answer, "cache-control"), ["no-store"]);
        assert_eq!(
            header(&answer, "www-authenticate").is_empty(),
            status >= 500 || code.starts_with("request.")
        );
        assert_eq!(header(&answer, "retry-after").len(), usize::from(status == 503));
    }
    assert!(matches!(invalid, InvalidRule::Scope(..)));
}

#[test]
fn the_id_of_the_request_is_given_back_if_it_is_plain() {
    let answered = |id: &str| {
        let head = Head::new("GET", "/", [("x-request-id", id)]);
        let answer = guard(&issuer()).answer(&Refusal::Missing, &head);
        serde_json::from_str::<Value>(&answer.body).unwrap()["request_id"].clone()
    };
    assert_eq!(answered("0123-4567_ab"), json!("0123-4567_ab"));
    for id in ["short", "with space", "\"quoted\"", &"x".repeat(65)] {
        assert_eq!(answered(id), Value::Null);
    }
}

#[test]
fn the_settings_are_in_every_challenge() {
    let metadata = "https://api.example/.well-known/oauth-protected-resource";
    let guard =
        Guard::builder(issuer().verifier(AUDIENCE)).realm("files").resource_metadata(metadata);
    let answer = guard.build().unwrap().answer(&Refusal::Missing, &Head::new("GET", "/", []));
    let wanted = format!(r#"Bearer realm="files", resource_metadata="{metadata}""#);
    assert_eq!(header(&answer, "www-authenticate"), [wanted]);
}

#[test]
fn an_app_can_give_its_own_answer() {
    let guard = Guard::builder(issuer().verifier(AUDIENCE)).answers(|refusal, answer| {
        answer.status = if answer.status == 403 { 404 } else { answer.status };
        answer.body = format!("<p>{refusal}</p>");
        answer.headers.retain(|(name, _)| *name != "content-type");
        answer.headers.push(("content-type", "text/html".to_owned()));
    });
    let guard = guard.build().unwrap();
    let answer = guard.answer(&Refusal::Denied(Denied::Service), &Head::new("GET", "/", []));
    assert_eq!((answer.status, answer.body.as_str()), (404, "<p>only for service accounts</p>"));
    assert_eq!(header(&answer, "content-type"), ["text/html"]);
}

#[test]
fn grpc_gets_its_own_status_in_the_headers() {
    let unavailable = VerifyError::Opaque(opaque::Error::Unavailable(opaque::Reason::NotAsked));
    for (refusal, status) in [
        (Refusal::Missing, "16"),
        (Refusal::Token(VerifyError::Expired), "16"),
        (Refusal::Denied(Denied::Service), "7"),
        (Refusal::AuthorizationMalformed, "3"),
        (Refusal::Token(unavailable), "14"),
        (Refusal::GuardMissing, "13"),
    ] {
        let head =
            Head::new("POST", "/pkg.Files/List", [("content-type", "application/grpc+proto")]);
        let grpc = Guard::builder(issuer().verifier(AUDIENCE)).grpc().build().unwrap();
        let answer = grpc.answer(&refusal, &head);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        // Where that was not asked for, a client cannot make a refusal look good.
        assert_eq!(guard(&issuer()).answer(&refusal, &head).status, refusal.status());
        assert_eq!(header(&answer, "grpc-status"), [status]);
        assert_eq!(header(&answer, "content-type"), ["application/grpc"]);
        assert!(header(&answer, "grpc-message")[0].starts_with(refusal.code()));
    }
    for kind in ["application/grpc-web", "application/grpc-web-text"] {
        let sent = format!("{kind}+proto");
        let head = Head::new("POST", "/", [("content-type", sent.as_str())]);
        let grpc = Guard::builder(issuer().verifier(AUDIENCE)).grpc().build().unwrap();
        let answer = grpc.answer(&Refusal::Missing, &head);
        assert_eq!(header(&answer, "content-type"), [kind]);
    }
    let role = Refusal::Denied(Denied::Role("50 % é\n".into()));
    let head = Head::new("POST", "/", [("content-type", "application/grpc")]);
    let grpc = Guard::builder(issuer().verifier(AUDIENCE)).grpc().build().unwrap();
    let answer = grpc.answer(&role, &head);
    let message = header(&answer, "grpc-message")[0];
    assert!(message.is_ascii() && message.contains("50 %25 %C3%A9"), "{message}");
}

#[test]
fn a_nonce_comes_with_every_refusal_where_nonces_are_wanted() {
    let issuer = issuer();
    let nonces = RotatingNonces::new(std::time::Duration::from_secs(60), [7; 32], 1_750_000_000);
    issuer.clock().set(1_750_000_000);
    let dpop = DpopVerifier::builder().nonces(nonces).build().unwrap();
    let verifier = usso_verify::Verifier::builder()
        .issuer(issuer.issuer().audience(AUDIENCE))
        .clock(issuer.clock())
        .dpop(dpop)
        .build()
        .unwrap();
    let without = Guard::new(verifier.clone());
    let with = Guard::builder(verifier).public_url(AUDIENCE).build().unwrap();
    assert!(without.response_headers(&[], false).is_empty());
    let answer = with.answer(&Refusal::Missing, &Head::new("GET", "/", []));
    let good = with.response_headers(&[], false);
    let nonce = header(&answer, "dpop-nonce")[0].to_owned();
    assert_eq!(good, [("dpop-nonce", nonce)]);
}

#[tokio::test]
async fn whoever_knows_more_than_the_keys_can_be_asked_instead() {
    struct Closed;
    impl Authenticator for Closed {
        fn authenticate<'a>(
            &'a self,
            _: usso_verify::Presented<'a>,
        ) -> usso_verify::BoxFuture<'a, Result<usso_verify::Principal, Refusal>> {
            Box::pin(async { Err(Refusal::Unavailable) })
        }

        fn now(&self) -> u64 {
            0
        }
    }
    let guard = Guard::builder(Closed).public_url(AUDIENCE).build().unwrap();
    let bearer = Head::new("GET", "/", [("authorization", "Bearer a")]);
    assert_eq!(guard.authenticate(&bearer).await, Err(Refusal::Unavailable));
    // It is not known to check proofs, so none are taken.
    let dpop = Head::new("GET", "/", [("authorization", "DPoP a"), ("dpop", "b")]);
    assert_eq!(guard.authenticate(&dpop).await, Err(Refusal::Scheme));
}

#[test]
fn long_text_of_a_request_does_not_make_long_headers() {
    for path in ["x".repeat(60_000), "é".repeat(60_000)] {
        let answer = plain(&Refusal::Denied(Denied::Scope(format!("read:{path}"))));
        let challenge = header(&answer, "www-authenticate")[0];
        assert!(challenge.len() < 400 && answer.body.len() < 800, "{challenge}");
    }
}

#[test]
fn answers_to_cookies_and_keys_are_not_for_shared_caches() {
    let guard = guard(&issuer());
    let private = ("cache-control", "private".to_owned());
    let vary = ("vary", "authorization, cookie, x-api-key".to_owned());
    let headers =
        |sent: [(&'static str, &'static str); 1], optional| guard.response_headers(&sent, optional);
    assert!(headers([("authorization", "Bearer a")], false).is_empty());
    for sent in [("cookie", "a=b"), ("x-api-key", "a")] {
        assert_eq!(headers([sent], false), std::slice::from_ref(&private));
    }
    assert_eq!(headers([("accept", "a")], true), std::slice::from_ref(&vary));
    assert_eq!(headers([("cookie", "a=b")], true), [private, vary]);
}
