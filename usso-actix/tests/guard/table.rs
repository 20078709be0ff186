//! The table of requests and answers that every framework shares.

use std::time::Duration;

use actix_web::{
    App,
    body::to_bytes,
    http::{Method, header},
    test::{TestRequest, init_service, try_call_service},
    web::{get, resource, route},
};
use serde::Deserialize;
use usso_actix::{
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

#[actix_web::test]
async fn every_request_of_the_table_gets_its_answer() {
    let issuer = TestIssuer::new("https://sso.example");
    let auth = Auth::from(requests::guard(&issuer).unwrap());
    let recent = Requirement::new().max_age(Duration::from_secs(300));
    let own = || require("read:users?user_id={id}").unwrap();
    let ruled =
        |path, rule: Rule| resource(path).route(get().to(me)).wrap(auth.require(rule).unwrap());
    let app = App::new()
        .app_data(auth.clone())
        .service(resource("/me").route(route().to(me)))
        .service(resource("/maybe").route(get().to(maybe)).wrap(auth.optional()))
        .service(resource("/claims").route(get().to(claims)))
        .service(ruled("/files", require("read:files").unwrap()))
        .service(ruled("/users/{id}", own()))
        .service(resource("/policy/{id}").route(get().to(policy)))
        .service(ruled("/admin", Rule::new().role("admin")))
        .service(ruled("/machine", Rule::new().service()))
        .service(ruled("/w/{workspace}/notes", Rule::new().workspace("{workspace}")))
        .service(ruled("/t/{tenant}/notes", Rule::new().tenant("{tenant}")))
        .service(ruled("/payments", Rule::new().authentication(recent)));
    let app = init_service(app).await;
    let mut wrong = Vec::new();
    // A panic ends the connection in actix: see the tests of attacks.
    let cases = requests::requests(&issuer).into_iter().filter(|case| case.path != "/panic");
    for case in cases {
        let method = Method::from_bytes(case.method.as_bytes()).unwrap();
        let mut request = TestRequest::with_uri(&case.path).method(method);
        for (name, value) in &case.headers {
            request = request.append_header((name.as_str(), value.as_str()));
        }
        let response = try_call_service(&app, request.to_request()).await;
        let response = response.map_or_else(|error| error.error_response(), Into::into);
        let status = response.status().as_u16();
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        let challenges: Vec<_> =
            challenges.map(|value| value.to_str().unwrap().to_owned()).collect();
        let body = to_bytes(response.into_body()).await.ok().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        wrong.extend(case.check(status, &challenges, &body).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
