use actix_web::{
    http::Method,
    test::{TestRequest, call_service, init_service, read_body},
};
use serde_json::{Value, json};

use super::{identity::start, *};

/// Asks the app as one of its workers; gives the status and the body.
async fn call(
    app: &(impl Fn(&mut ServiceConfig) + Clone),
    method: Method,
    path: &str,
    token: &str,
    body: impl Into<String>,
) -> (u16, String) {
    let worker = init_service(App::new().configure(app.clone())).await;
    let request = TestRequest::with_uri(path)
        .method(method)
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-type", "application/json"))
        .set_payload(body.into());
    let answer = call_service(&worker, request.to_request()).await;
    let status = answer.status().as_u16();
    (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
}

/// Registers or signs in through the mounted API; gives the access token and the refresh token.
async fn sign_in(
    app: &(impl Fn(&mut ServiceConfig) + Clone),
    how: &str,
    name: &str,
) -> (String, String) {
    let body = json!({"identifier": name, "secret": "violet-Otter-93-lantern"}).to_string();
    let path = format!("/api/sso/v1/auth/{how}");
    let (status, answer) = call(app, Method::POST, &path, "", body).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(matches!(status, 200 | 201), "{answer}");
    let token = |name: &str| answer[name].as_str().unwrap().to_owned();
    (token("access_token"), token("refresh_token"))
}

#[actix_web::test]
async fn one_app_answers_for_both() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(start(folder.path()).await.unwrap());
    for path in ["/", "/ready", "/.well-known/jwks.json"] {
        assert_eq!(call(&app, Method::GET, path, "", "").await.0, 200, "{path}");
    }
}

#[actix_web::test]
async fn who_registered_with_usso_keeps_notes_in_the_app() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(start(folder.path()).await.unwrap());
    sign_in(&app, "register", "alice").await;
    let (alice, _) = sign_in(&app, "login", "alice").await;
    let (bob, _) = sign_in(&app, "register", "bob@example.com").await;
    assert_eq!(call(&app, Method::POST, "/notes", &alice, "buy tea").await.0, 201);
    let notes = async |token: &str| call(&app, Method::GET, "/notes", token, "").await.1;
    assert_eq!(notes(&alice).await, r#"["buy tea"]"#);
    assert_eq!(notes(&bob).await, "[]");
}

#[actix_web::test]
async fn strangers_and_those_who_signed_out_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(start(folder.path()).await.unwrap());
    let (token, refresh) = sign_in(&app, "register", "alice").await;
    let notes = async |token: &str| call(&app, Method::GET, "/notes", token, "").await.0;
    assert_eq!(notes("made-up").await, 401);
    assert_eq!(notes(&token).await, 200);
    let body = json!({ "refresh_token": refresh }).to_string();
    assert_eq!(call(&app, Method::POST, "/api/sso/v1/auth/logout", "", body).await.0, 204);
    assert_eq!(notes(&token).await, 401);
}

#[actix_web::test]
async fn a_second_start_uses_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let first = app(start(folder.path()).await.unwrap());
    let (token, _) = sign_in(&first, "register", "alice").await;
    let again = app(start(folder.path()).await.unwrap());
    assert_eq!(call(&again, Method::GET, "/notes", &token, "").await.0, 200);
}
