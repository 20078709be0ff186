//! A real server of two workers.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use actix_web::{App, HttpServer, dev::ServerHandle};
use serde_json::json;

use crate::support::{Engine, PASSWORD, twins};

async fn serve() -> (SocketAddr, (ServerHandle, Engine)) {
    let [engine, _] = twins("http://localhost:8000").await;
    let usso = engine.mount();
    let server = HttpServer::new(move || App::new().configure(&usso))
        .workers(2)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, (handle, engine))
}

/// Sends bytes and nothing after them; gives all that comes back.
async fn exchange(address: SocketAddr, request: impl AsRef<[u8]> + Send + 'static) -> String {
    let exchange = move || {
        let mut connection = TcpStream::connect(address).unwrap();
        // A server that answers early closes before all is sent.
        drop(connection.write_all(request.as_ref()));
        drop(connection.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        drop(connection.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    };
    actix_web::rt::task::spawn_blocking(exchange).await.unwrap()
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n")
}

fn register(name: &str, declared_more: usize) -> String {
    let body = json!({ "identifier": name, "secret": PASSWORD, "transport": "cookie" }).to_string();
    let length = body.len() + declared_more;
    let kind = "content-type: application/json";
    let more = format!("{kind}\r\ncontent-length: {length}\r\n");
    head("POST", "/api/sso/v1/auth/register", &more) + &body
}

fn chunked(name: &str, end: &str) -> String {
    let body = json!({ "identifier": name, "secret": PASSWORD, "transport": "cookie" }).to_string();
    let (one, two) = body.split_at(9);
    let more = "content-type: application/json\r\ntransfer-encoding: chunked\r\n";
    let head = head("POST", "/api/sso/v1/auth/register", more);
    format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n{end}", one.len(), two.len())
}

#[actix_web::test]
async fn people_register_over_the_wire() {
    let (address, server) = serve().await;
    for request in [register("a@example.com", 0), chunked("b@example.com", "0\r\n\r\n")] {
        let answer = exchange(address, request).await;
        assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
        assert_eq!(answer.matches("set-cookie: ").count(), 1, "{answer}");
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"));
    }
    server.0.stop(false).await;
}

#[actix_web::test]
async fn a_request_that_breaks_off_is_not_acted_upon() {
    let (address, server) = serve().await;
    // The JSON is complete, the body is not.
    exchange(address, register("a@example.com", 5)).await;
    exchange(address, chunked("a@example.com", "")).await;
    exchange(address, chunked("a@example.com", "zz\r\n")).await;
    let answer = exchange(address, register("a@example.com", 0)).await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    server.0.stop(false).await;
}

#[actix_web::test]
async fn a_body_without_end_is_refused_early() {
    let (address, server) = serve().await;
    let more = "content-type: application/json\r\ncontent-length: 100000000000\r\n";
    let request = head("POST", "/api/sso/v1/auth/login", more) + &"x".repeat(1 << 17);
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(answer.contains("request.too_large"));
    server.0.stop(false).await;
}

#[actix_web::test]
async fn head_has_the_length_of_get_and_no_body() {
    let (address, server) = serve().await;
    let get = exchange(address, head("GET", "/openapi.json", "")).await;
    let without = exchange(address, head("HEAD", "/openapi.json", "")).await;
    let length = |answer: &str| {
        let line = answer.lines().find(|line| line.starts_with("content-length: "));
        line.unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    assert_eq!(length(&without), length(&get));
    assert!(without.ends_with("\r\n\r\n") && get.ends_with('}'), "{without}");
    assert_eq!(get.matches("content-length").count(), 1);
    let refused = exchange(address, head("HEAD", "/api/sso/v1/me", "")).await;
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized\r\n") && refused.ends_with("\r\n\r\n"));
    server.0.stop(false).await;
}

#[actix_web::test]
async fn all_workers_count_together() {
    let (address, server) = serve().await;
    for _ in 0..8 {
        exchange(address, head("GET", "/health", "")).await;
    }
    let metrics = exchange(address, head("GET", "/metrics", "")).await;
    let line = r#"usso_http_requests_total{method="GET",route="/health",status="200"} 8"#;
    assert!(metrics.contains(line), "{metrics}");
    server.0.stop(false).await;
}
