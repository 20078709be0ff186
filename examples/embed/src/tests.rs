use super::{identity::start, *};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

async fn call(app: &Router, method: &str, path: &str, token: &str, body: &str) -> (u16, Vec<u8>) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, to_bytes(answer.into_body(), 100_000).await.unwrap().to_vec())
}

/// Registers through the mounted API; gives the access token.
async fn register(app: &Router, name: &str) -> String {
    let body = json!({"identifier": name, "secret": "violet-Otter-93-lantern"}).to_string();
    let (status, answer) = call(app, "POST", "/api/sso/v1/auth/register", "", &body).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 201, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn one_app_answers_for_both() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(start(folder.path()).await.unwrap());
    for path in ["/", "/ready", "/.well-known/jwks.json"] {
        assert_eq!(call(&app, "GET", path, "", "").await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn who_registered_with_usso_keeps_notes_in_the_app() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(start(folder.path()).await.unwrap());
    let (alice, bob) = (register(&app, "alice").await, register(&app, "bob@example.com").await);
    assert_eq!(call(&app, "POST", "/notes", &alice, "buy tea").await.0, 201);
    let notes = async |token| call(&app, "GET", "/notes", token, "").await.1;
    assert_eq!(notes(&alice).await, br#"["buy tea"]"#);
    assert_eq!(notes(&bob).await, b"[]");
}

#[tokio::test]
async fn strangers_and_those_whose_session_ended_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(start(folder.path()).await.unwrap());
    let token = register(&app, "alice").await;
    assert_eq!(call(&app, "GET", "/notes", "made-up", "").await.0, 401);
    assert_eq!(call(&app, "GET", "/notes", &token, "").await.0, 200);
    assert_eq!(call(&app, "DELETE", "/api/sso/v1/sessions", &token, "").await.0, 204);
    assert_eq!(call(&app, "GET", "/notes", &token, "").await.0, 401);
}

#[tokio::test]
async fn a_second_start_uses_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let token = register(&app(start(folder.path()).await.unwrap()), "alice").await;
    let again = app(start(folder.path()).await.unwrap());
    assert_eq!(call(&again, "GET", "/notes", &token, "").await.0, 200);
}
