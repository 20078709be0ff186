//! What handlers get.

use serde::Deserialize;
use usso_verify::{
    Clock as _, Principal, UserData,
    guard::{FromCaller, Guard, Head, Refusal, Rule, bearer},
    testing::Prover,
};

use super::{AUDIENCE, admitted, guard, issuer};

#[derive(Debug, Deserialize, PartialEq)]
struct Colored {
    sub: String,
    color: String,
}

#[tokio::test]
async fn a_handler_gets_the_caller_in_the_form_it_wants() {
    let issuer = issuer();
    let mint = issuer.mint().subject("user:7").claim("color", "blue");
    let caller = admitted(&issuer, mint, &Rule::new()).await.unwrap();
    assert_eq!(Principal::from_caller(caller.clone()).unwrap().sub, "user:7");
    let user = UserData::from_caller(caller.clone()).unwrap();
    assert_eq!(user, caller.to_user_data());
    let colored = Colored { sub: "user:7".into(), color: "blue".into() };
    assert_eq!(Colored::from_caller(caller), Ok(colored));
}

#[tokio::test]
async fn a_caller_without_the_claims_that_are_wanted_is_refused() {
    let issuer = issuer();
    let caller = admitted(&issuer, issuer.mint(), &Rule::new()).await.unwrap();
    assert_eq!(Colored::from_caller(caller), Err(Refusal::Claims));
}

#[tokio::test]
async fn a_token_that_was_good_as_a_bearer_is_still_no_key() {
    let issuer = issuer();
    let guard = guard(&issuer);
    let token = issuer.mint().audience(AUDIENCE).sign();
    let header = format!("Bearer {token}");
    let as_bearer = Head::new("GET", "/", [("authorization", header.as_str())]);
    let as_key = Head::new("GET", "/", [("x-api-key", token.as_str())]);
    assert!(guard.authenticate(&as_bearer).await.unwrap().is_some());
    let refused = guard.authenticate(&as_key).await.unwrap_err();
    assert_eq!(refused.code(), "opaque.unrecognised");
}

#[tokio::test]
async fn without_a_cookie_configured_none_is_read() {
    let issuer = issuer();
    let cookie = format!("usso-access-token={}", issuer.mint().audience(AUDIENCE).sign());
    let head = Head::new("GET", "/", [("cookie", cookie.as_str())]);
    assert!(guard(&issuer).authenticate(&head).await.unwrap().is_none());
}

#[tokio::test]
async fn without_a_public_address_dpop_is_not_taken() {
    let issuer = issuer();
    let header = format!("DPoP {}", issuer.mint().audience(AUDIENCE).sign());
    let head = Head::new("GET", "/", [("authorization", header.as_str()), ("dpop", "x")]);
    assert_eq!(guard(&issuer).authenticate(&head).await, Err(Refusal::Scheme));
}

#[tokio::test]
async fn without_a_public_address_the_own_page_is_that_of_the_host() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t").build().unwrap();
    let cookie = format!("t={}", issuer.mint().audience(AUDIENCE).sign());
    let post = async |headers: [(&'static str, &'static str); 2]| {
        let [first, second] = headers;
        let head = Head::new("POST", "/", [("cookie", cookie.as_str()), first, second]);
        guard.authenticate(&head).await.map(|caller| caller.is_some())
    };
    let host = ("host", "api.example:8443");
    assert_eq!(post([host, ("origin", "https://api.example:8443")]).await, Ok(true));
    assert_eq!(post([host, ("origin", "https://API.example:8443")]).await, Ok(true));
    for foreign in
        ["https://api.example", "https://evil.example", "null", "", "https://", "api.example:8443"]
    {
        assert_eq!(post([host, ("origin", foreign)]).await, Err(Refusal::CrossSite), "{foreign}");
    }
    let nowhere = [("origin", "https://"), ("host", "")];
    assert_eq!(post(nowhere).await, Err(Refusal::CrossSite));
}

#[tokio::test]
async fn the_public_address_is_compared_as_browsers_write_it() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t");
    let guard = guard.public_url("https://API.example:443/base/").build().unwrap();
    let cookie = format!("t={}", issuer.mint().audience(AUDIENCE).sign());
    for (origin, good) in [("https://api.example", true), ("http://api.example", false)] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        let head = Head::new("POST", "/", headers);
        assert_eq!(guard.authenticate(&head).await.is_ok(), good, "{origin}");
    }
}

#[tokio::test]
async fn where_http_2_has_no_host_the_authority_stands_in() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t").build().unwrap();
    let cookie = format!("t={}", issuer.mint().audience(AUDIENCE).sign());
    for (origin, good) in [("https://api.example", true), ("https://evil.example", false)] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        let mut head = Head::new("POST", "/", headers);
        assert_eq!(guard.authenticate(&head).await, Err(Refusal::CrossSite));
        head.authority = Some("api.example");
        assert_eq!(guard.authenticate(&head).await.is_ok(), good, "{origin}");
    }
}

#[tokio::test]
async fn a_proof_is_not_for_an_address_that_leaves_the_service() {
    let issuer = issuer();
    let public = format!("{AUDIENCE}/svc");
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).public_url(public).build().unwrap();
    let prover = Prover::new();
    let token = issuer.mint().audience(AUDIENCE).bound_to(&prover).sign();
    let header = format!("DPoP {token}");
    // Meant for another service on the same host.
    let proof =
        |path| prover.proof("GET", &format!("{AUDIENCE}{path}"), &token, issuer.clock().now());
    for target in ["/../admin", "/%2e%2E/admin", "/.%2e/admin", "/x/../../admin?y"] {
        let proof = proof("/admin");
        let headers = [("authorization", header.as_str()), ("dpop", proof.as_str())];
        let refused = guard.authenticate(&Head::new("GET", target, headers)).await;
        assert_eq!(refused, Err(Refusal::PathMalformed), "{target}");
    }
    let proof = proof("/svc/admin");
    let headers = [("authorization", header.as_str()), ("dpop", proof.as_str())];
    assert!(guard.authenticate(&Head::new("GET", "/admin", headers)).await.is_ok());
}

#[test]
fn the_one_bearer_token_is_read() {
    let read = |lines: &[&'static str]| bearer(lines.iter().map(|line| line.as_bytes()));
    assert_eq!(read(&["Bearer a.b.c"]), Ok("a.b.c"));
    assert_eq!(read(&[]), Err(Refusal::Missing));
    assert_eq!(read(&["Bearer a", "Bearer a"]), Err(Refusal::AuthorizationMalformed));
    assert_eq!(read(&["DPoP a"]), Err(Refusal::Scheme));
    let bytes: [&[u8]; 1] = [b"Bearer \xff"];
    assert_eq!(bearer(bytes), Err(Refusal::AuthorizationMalformed));
}
