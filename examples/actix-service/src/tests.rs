use actix_web::test::{TestRequest, call_service, init_service, read_body};
use usso_verify::{
    Clock as _,
    testing::{Mint, TestIssuer},
};

use super::*;

/// Asks the service of an issuer in memory; gives the status and the text.
async fn ask(request: TestRequest, token: impl FnOnce(Mint) -> Mint) -> (u16, String) {
    let issuer = TestIssuer::new("https://sso.example");
    let auth = Auth::new(issuer.verifier(AUDIENCE));
    let rules = Rules::new(&auth).unwrap();
    let app = init_service(App::new().configure(|app| service(app, &auth, &rules))).await;
    let token = token(issuer.mint().audience(AUDIENCE)).sign();
    let request = request.insert_header(("authorization", format!("Bearer {token}")));
    let answer = call_service(&app, request.to_request()).await;
    let status = answer.status().as_u16();
    (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
}

#[actix_web::test]
async fn strangers_read_the_first_page_only() {
    let auth = Auth::new(TestIssuer::new("https://sso.example").verifier(AUDIENCE));
    let rules = Rules::new(&auth).unwrap();
    let app = init_service(App::new().configure(|app| service(app, &auth, &rules))).await;
    for (request, status) in [
        (TestRequest::get().uri("/"), 200),
        (TestRequest::get().uri("/me"), 401),
        (TestRequest::get().uri("/files"), 401),
        (TestRequest::get().uri("/users/1"), 401),
        (TestRequest::post().uri("/payments"), 401),
        (TestRequest::get().uri("/machine"), 401),
    ] {
        let answer = call_service(&app, request.to_request()).await;
        assert_eq!(answer.status(), status, "{}", answer.request().path());
    }
}

#[actix_web::test]
async fn callers_are_known_by_name() {
    let answer = ask(TestRequest::get().uri("/me"), |token| token.subject("user:7")).await;
    assert_eq!(answer, (200, "You are user:7.".to_owned()));
    assert_eq!(ask(TestRequest::get().uri("/me"), Mint::expired).await.0, 401);
}

#[actix_web::test]
async fn files_and_users_need_their_scopes() {
    let files = || TestRequest::get().uri("/files");
    assert_eq!(ask(files(), |token| token).await.0, 403);
    assert_eq!(ask(files(), |token| token.scope("read:files")).await.0, 200);
    let own = |token: Mint| token.scope("read:users?user_id=7");
    assert_eq!(ask(TestRequest::get().uri("/users/7"), own).await, (200, "User 7.".to_owned()));
    assert_eq!(ask(TestRequest::get().uri("/users/8"), own).await.0, 403);
}

#[actix_web::test]
async fn payments_need_a_recent_sign_in() {
    let pay = || TestRequest::post().uri("/payments");
    let now = TestIssuer::new("https://sso.example").clock().now();
    assert_eq!(ask(pay(), |token| token.claim("auth_time", now - 3600)).await.0, 401);
    assert_eq!(ask(pay(), |token| token.claim("auth_time", now - 60)).await.0, 200);
}

#[actix_web::test]
async fn machines_have_a_route_of_their_own() {
    let ask_for = || TestRequest::get().uri("/machine");
    assert_eq!(ask(ask_for(), |token| token).await.0, 403);
    let service = |token: Mint| token.subject("service:robot");
    assert_eq!(ask(ask_for(), service).await.0, 200);
}
