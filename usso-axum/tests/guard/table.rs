//! The table of requests and answers that every framework shares.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header},
    routing::{any, get},
};
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use usso_axum::{
    Auth, Authenticated, InvalidRule, MaybeAuthenticated, Policy, Principal, Require, Requirement,
    Rule, UserData, require,
};
use usso_verify::testing::{TestIssuer, requests};

struct ReadOwn;

impl Policy for ReadOwn {
    fn rule() -> Result<Rule, InvalidRule> {
        require("read:users?user_id={id}")
    }
}

#[derive(Deserialize)]
struct Colored {
    color: String,
}

async fn me(Authenticated(user): Authenticated<UserData>) -> String {
    user.sub
}

async fn maybe(MaybeAuthenticated(caller): MaybeAuthenticated) -> String {
    caller.map_or("nobody".into(), |caller: Principal| caller.sub.clone())
}

async fn claims(Authenticated(claims): Authenticated<Colored>) -> String {
    claims.color
}

async fn policy(caller: Require<ReadOwn>) -> String {
    caller.sub.clone()
}

async fn panics(_: Authenticated) -> String {
    panic!("on purpose")
}

fn app(issuer: &TestIssuer) -> Router {
    let auth = Auth::from(requests::guard(issuer).unwrap());
    let recent = Requirement::new().max_age(Duration::from_secs(300));
    let ruled = |rule: Rule| get(me).layer(auth.require(rule).unwrap());
    Router::new()
        .route("/me", any(me))
        .route("/maybe", get(maybe).layer(auth.optional()))
        .route("/claims", get(claims))
        .route("/files", get(me).layer(auth.require("read:files").unwrap()))
        .route("/users/{id}", ruled(require("read:users?user_id={id}").unwrap()))
        .route("/policy/{id}", get(policy))
        .route("/admin", ruled(Rule::new().role("admin")))
        .route("/machine", ruled(Rule::new().service()))
        .route("/w/{workspace}/notes", ruled(Rule::new().workspace("{workspace}")))
        .route("/t/{tenant}/notes", ruled(Rule::new().tenant("{tenant}")))
        .route("/payments", ruled(Rule::new().authentication(recent)))
        .route("/panic", get(panics))
        .layer(CatchPanicLayer::new())
        .with_state(auth)
}

#[tokio::test]
async fn every_request_of_the_table_gets_its_answer() {
    let issuer = TestIssuer::new("https://sso.example");
    let app = app(&issuer);
    let mut wrong = Vec::new();
    for case in requests::requests(&issuer) {
        let mut request = Request::builder().method(case.method.as_str()).uri(&case.path);
        for (name, value) in &case.headers {
            request = request.header(name, value);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let challenges: Vec<_> =
            challenges.map(|value| value.to_str().unwrap().to_owned()).collect();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        wrong.extend(case.check(status, &challenges, &body).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
