//! One table of calls, sent to both sides.

use actix_web::{App, test::init_service};
use serde_json::json;

use crate::support::*;

/// Sends the calls of the table; each may need what came back before.
async fn table(ask: impl AsyncFn(Call) -> Answer) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    let api = |path: &str| format!("/api/sso/v1/{path}");
    let mut note = async |call: Call| {
        let name = format!("{} {}", call.method, call.path);
        answers.push((name, ask(call).await));
        let (_, answer) = answers.last().unwrap();
        Answer { status: answer.status, headers: Vec::new(), text: answer.text.clone() }
    };
    let user = note(post(&api("auth/register"), &credentials("a@example.com"))).await;
    note(post(&api("auth/register"), &credentials("a@example.com"))).await;
    let login = note(post(&api("auth/login"), &credentials("a@example.com"))).await;
    let (access, refresh) = (login.text_of("access_token"), login.text_of("refresh_token"));
    note(get(&api("me")).bearer(&access)).await;
    note(get(&api("me"))).await;
    note(get(&api("me")).bearer(&access).bearer(&access)).await;
    note(get(&api("me")).header("authorization", b"Bearer \xff")).await;
    let wrong = json!({ "identifier": "a@example.com", "secret": "not this one" });
    note(post(&api("auth/login"), &wrong)).await;
    let again = note(post(&api("auth/refresh"), &json!({ "refresh_token": refresh }))).await;
    note(post(&api("auth/refresh"), &json!({ "refresh_token": refresh }))).await;
    let mut as_cookie = credentials("a@example.com");
    as_cookie["transport"] = "cookie".into();
    note(post(&api("auth/login"), &as_cookie)).await;
    let cookie = format!("usso-refresh-token={}", again.text_of("refresh_token"));
    let by_cookie = || Call::new("POST", &api("auth/refresh")).header("cookie", &cookie);
    note(by_cookie()).await;
    note(by_cookie().header("origin", "https://evil.example")).await;
    note(by_cookie().header("cookie", "a=b; c=d")).await;
    note(get(&api("sessions")).bearer(&user.text_of("access_token"))).await;
    note(Call::new("DELETE", &api("sessions")).bearer(&user.text_of("access_token"))).await;
    let admin = note(post(&api("auth/login"), &credentials(ADMIN))).await.text_of("access_token");
    note(get(&api("users?limit=1")).bearer(&admin)).await;
    note(get(&api("users?limit=1&limit=2")).bearer(&admin)).await;
    note(get(&api("users?unknown=%20")).bearer(&admin)).await;
    note(get(&api("users/no%2Fid")).bearer(&admin)).await;
    note(post(&api("tenants"), &json!({ "slug": "other" })).bearer(&admin)).await;
    let origins = json!({ "settings": { "allowed_origins": ["https://app.example"] } });
    let default = note(get(&api("tenants")).bearer(&admin)).await;
    let id = default.json()["items"][0]["id"].as_str().unwrap().to_owned();
    note(Call::new("PATCH", &api(&format!("tenants/{id}"))).json(&origins).bearer(&admin)).await;
    for tenant in ["acme", "nobody", "ac%6De", "%2F"] {
        let path = format!("/t/{tenant}/api/sso/v1/auth/register");
        note(post(&path, &credentials("a@example.com"))).await;
        note(get(&format!("/t/{tenant}/.well-known/jwks.json"))).await;
    }
    note(post(&api("auth/login"), &credentials("a@example.com")).header("x-tenant-id", "acme"))
        .await;
    for path in [
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/openapi.json",
        "/docs",
        "/docs.js",
        "/docs.css",
        "/health",
        "/ready",
        "/metrics",
        "/api/sso/v1",
        "/api/sso/v1/",
        "/api/sso/v1/nothing?x=1",
        "/api/sso/v1//me",
        "/api/sso/v1/me/",
        "/api/sso/v1/%6De",
        "/api/sso/v1/../v1/me",
        "/t/acme/api/sso/v1/nothing",
    ] {
        note(get(path)).await;
        note(Call::new("HEAD", path)).await;
        note(Call::new("PUT", path)).await;
        let preflight = Call::new("OPTIONS", path).header("access-control-request-method", "POST");
        note(preflight.clone().header("origin", "https://app.example")).await;
        note(preflight.header("origin", "https://evil.example")).await;
        note(get(path).header("origin", "https://app.example")).await;
    }
    for (kind, body) in [
        ("application/json", vec![b'['; 65_536]),
        ("application/json", vec![b'['; 65_537]),
        ("application/json", vec![b'x'; 1 << 20]),
        ("application/json", b"{\"identifier\":\"\xff\"}".to_vec()),
        ("application/json", Vec::new()),
        ("text/plain", b"{}".to_vec()),
    ] {
        let call = Call::new("POST", &api("auth/login")).raw(body);
        note(call.header("content-type", kind)).await;
    }
    let mut afar = get("/metrics");
    afar.peer = "192.0.2.1:1".parse().unwrap();
    note(afar).await;
    for _ in 0..12 {
        note(post(&api("auth/login"), &wrong)).await;
    }
    answers
}

/// How long requests took is no part of the comparison.
fn without_times(mut answer: Answer) -> Answer {
    if answer.header("content-type") == Some("text/plain; version=0.0.4") {
        let mut lines: Vec<_> =
            answer.text.lines().filter(|line| !line.contains("_seconds")).collect();
        lines.sort_unstable();
        answer.text = lines.join("\n");
        answer.headers.retain(|(name, _)| name != "content-length");
    }
    answer
}

#[actix_web::test]
async fn the_mount_answers_as_the_router_to_the_letter() {
    let [one, other] = twins("http://localhost:8000").await;
    let router = one.router();
    let expected = table(async |call| {
        one.wait_a_moment();
        ask_axum(&router, call).await
    });
    let expected = expected.await;
    let app = init_service(App::new().configure(other.mount())).await;
    let given = table(async |call| {
        other.wait_a_moment();
        ask_actix(&app, call.actix().to_request()).await
    });
    let given = given.await;
    assert_eq!(expected.len(), given.len());
    let mut seen = std::collections::BTreeSet::new();
    for ((name, expected), (_, given)) in expected.into_iter().zip(given) {
        seen.insert(expected.status);
        assert_eq!(without_times(given), without_times(expected), "{name}");
    }
    let wanted = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429];
    assert!(wanted.iter().all(|status| seen.contains(status)), "the table has lost some: {seen:?}");
}

#[actix_web::test]
async fn every_documented_route_is_mounted() {
    let [one, other] = twins("http://localhost:8000").await;
    let document = ask_axum(&one.router(), get("/openapi.json")).await.json();
    let app = init_service(App::new().configure(other.mount())).await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 10);
    for path in paths.keys() {
        for path in [path.replace("{id}", "x"), format!("/t/default{}", path.replace("{id}", "x"))]
        {
            let answer = ask_actix(&app, get(&path).actix().to_request()).await;
            assert_eq!(answer.header("x-request-id"), Some("trace-4711"), "{path}");
            assert_ne!(answer.json()["error_code"], "request.unknown_route", "{path}");
        }
    }
}
