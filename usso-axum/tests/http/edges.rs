//! Bad bodies, unknown routes, headers, and what surrounds every answer.

use axum::{body::Body, http::header};
use serde_json::json;

use crate::support::*;

async fn login_with(world: &World, kind: &str, body: impl Into<Body>) -> (u16, String) {
    let answer = Call::new("POST", &api("auth/login")).raw(kind, body).send(world).await;
    (answer.status.as_u16(), answer.text_of("error_code"))
}

#[tokio::test]
async fn bad_bodies_are_refused_by_name() {
    let world = World::new().await;
    let json = "application/json";
    let deep = format!("{}{}", "[".repeat(100_000 / 2), "]".repeat(100));
    let good = r#"{"identifier":"a@b.c","secret":"x"}"#;
    for (kind, body, status, code) in [
        ("text/plain", good, 415, "request.content_type"),
        ("application/x-www-form-urlencoded", "identifier=a", 415, "request.content_type"),
        ("application/jsonp", good, 415, "request.content_type"),
        (json, "", 400, "request.malformed"),
        (json, "{", 400, "request.malformed"),
        (json, "\u{feff}{}", 400, "request.malformed"),
        (json, r#"{"identifier":"a@b.c","secret":"x"} {}"#, 400, "request.malformed"),
        (json, r#"{"identifier":"a@b.c","secret":"x",}"#, 400, "request.malformed"),
        (json, r#"{"identifier":"a","secret":"x","secret":"y"}"#, 400, "request.duplicate_member"),
        (
            json,
            r#"{"identifier":"a","secret":"x","s\u0065cret":"y"}"#,
            400,
            "request.duplicate_member",
        ),
        (json, deep.as_str(), 400, "request.too_deep"),
        (json, "[]", 422, "request.invalid"),
        (json, r#"{"identifier":"a"}"#, 422, "request.invalid"),
        (json, r#"{"identifier":{"$ne":null},"secret":"x"}"#, 422, "request.invalid"),
        (json, r#"{"identifier":"a","secret":"x","admin":true}"#, 422, "request.invalid"),
        (json, r#"{"identifier":"a","secret":"x","method":"none"}"#, 422, "request.invalid"),
        (json, good, 401, "password.not_valid"),
        ("application/json; charset=utf-8", good, 401, "password.not_valid"),
    ] {
        let shown: String = body.chars().take(60).collect();
        assert_eq!(
            login_with(&world, kind, body.to_owned()).await,
            (status, code.to_owned()),
            "{kind} {shown}"
        );
    }
}

#[tokio::test]
async fn a_password_of_ten_megabytes_is_refused_before_it_is_read() {
    let world = World::new().await;
    let body = json!({ "identifier": "a@b.c", "secret": "x".repeat(10 << 20) }).to_string();
    assert_eq!(
        login_with(&world, "application/json", body).await,
        (413, "request.too_large".to_owned())
    );
    let largest = json!({ "identifier": "a@b.c", "secret": "x".repeat(60_000) }).to_string();
    assert_eq!(login_with(&world, "application/json", largest).await.0, 401);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let world = World::new().await;
    let body = b"{\"identifier\":\"\xff\",\"secret\":\"x\"}".to_vec();
    assert_eq!(
        login_with(&world, "application/json", body).await,
        (400, "request.malformed".to_owned())
    );
}

#[tokio::test]
async fn unknown_routes_and_methods_are_refused_in_our_form() {
    let world = World::new().await;
    assert_eq!(get("/nothing").send(&world).await.refusal(), (404, "request.unknown_route"));
    assert_eq!(get(&api("auth/login")).send(&world).await.refusal(), (405, "request.wrong_method"));
    assert_eq!(
        get(&api("auth/refresh")).send(&world).await.status,
        405,
        "a GET never changes anything"
    );
    for path in [
        "/api//sso/v1/users",
        "/api/sso/v1/./users",
        "/api/sso/v1/users/",
        "/API/sso/v1/users",
        "/%61pi/sso/v1/users",
    ] {
        let status = get(path).send(&world).await.status.as_u16();
        assert!(matches!(status, 401 | 404), "{path} gave {status}");
    }
}

#[tokio::test]
async fn every_answer_carries_its_id_and_the_security_headers() {
    let world = World::new().await;
    for call in [get("/health"), get("/nothing"), get(&api("me")), get("/.well-known/jwks.json")] {
        let answer = call.send(&world).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 32));
    }
    let own = get(&api("me")).header("x-request-id", "trace-4711").send(&world).await;
    assert_eq!(
        (own.header("x-request-id"), &own.json["request_id"]),
        (Some("trace-4711"), &json!("trace-4711"))
    );
    let forged = get(&api("me")).header("x-request-id", "a\"b{injected}").send(&world).await;
    assert_ne!(forged.json["request_id"], "a\"b{injected}");
}

#[tokio::test]
async fn a_client_address_is_believed_from_configured_proxies_only() {
    let world =
        World::with(|_| (), |http| http.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()])
            .await;
    world.register("user@example.com").await;
    let body = json!({ "identifier": "user@example.com", "secret": "not the password" });
    let attempt = async |peer: &str, forwarded: &str| {
        let call = post(&api("auth/login"), &body).from(peer).header("x-forwarded-for", forwarded);
        call.send(&world).await.status.as_u16()
    };
    for number in 0..10 {
        assert_eq!(attempt("192.0.2.1", &format!("198.51.100.{number}")).await, 401);
    }
    assert_eq!(attempt("192.0.2.1", "198.51.100.99").await, 429, "a forged header does not help");
    assert_eq!(attempt("10.1.1.1", "203.0.113.1").await, 401, "a proxy's client counts by itself");
}

#[tokio::test]
async fn metrics_are_for_this_machine_unless_configured() {
    let world = World::new().await;
    get(&api("me")).send(&world).await;
    let metrics = get("/metrics").send(&world).await;
    assert!(
        metrics.text.contains(
            r#"usso_http_requests_total{method="GET",route="/api/sso/v1/me",status="401"} 1"#
        ),
        "{}",
        metrics.text
    );
    assert!(metrics.text.contains(r#"usso_refusals_total{code="access.token_missing"} 1"#));
    assert_eq!(get("/metrics").from("192.0.2.1").send(&world).await.status, 404);
    assert_eq!(
        get("/metrics").header("x-forwarded-for", "192.0.2.1").send(&world).await.status,
        404
    );
}

#[tokio::test]
async fn made_up_routes_and_methods_do_not_become_metrics() {
    let world = World::new().await;
    for number in 0..50 {
        get(&format!("/made/up/{number}")).send(&world).await;
        Call::new(&format!("M{number}"), "/health").send(&world).await;
    }
    let lines = get("/metrics")
        .send(&world)
        .await
        .text
        .lines()
        .filter(|line| line.starts_with("usso_http_requests_total"))
        .count();
    assert!(lines < 5, "{lines}");
}

#[tokio::test]
async fn the_document_lists_every_route_and_the_page_shows_it() {
    let world = World::new().await;
    let document = get("/openapi.json").send(&world).await;
    let paths = document.json["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, 25, "{:?}", paths.keys().collect::<Vec<_>>());
    for (path, operations) in paths {
        for operation in operations.as_object().unwrap().values() {
            let refusal = &operation["responses"]["default"]["content"]["application/json"];
            assert_eq!(refusal["schema"]["$ref"], "#/components/schemas/ErrorBody", "{path}");
        }
    }
    assert!(document.json["components"]["schemas"]["ErrorBody"].is_object());
    assert!(paths.contains_key("/api/sso/v1/auth/login"));
    let page = get("/docs").send(&world).await;
    assert!(page.text.contains("docs.js"));
    assert!(page.header(header::CONTENT_SECURITY_POLICY).unwrap().contains("script-src 'self'"));
}

#[tokio::test]
async fn health_and_readiness_answer() {
    let world = World::new().await;
    assert_eq!(get("/health").send(&world).await.status, 200);
    assert_eq!(get("/ready").send(&world).await.status, 200);
}

#[tokio::test]
async fn an_app_around_it_keeps_its_own_fallback() {
    let mut world = World::new().await;
    let app = axum::Router::new().fallback(async || "the app's own page");
    world.router = app.merge(world.router);
    assert_eq!(get("/nothing").send(&world).await.text, "the app's own page");
    assert_eq!(get(&api("me")).send(&world).await.refusal(), (401, "access.token_missing"));
}
