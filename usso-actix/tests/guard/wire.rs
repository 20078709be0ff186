//! A real server, where requests come one after the other to one worker.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, error::PayloadError, web};
use futures_util::{StreamExt as _, stream};
use usso_actix::{Authenticated, MaybeAuthenticated};
use usso_verify::certificate::Thumbprint;

use crate::support::*;

async fn panics(_: Authenticated) -> &'static str {
    panic!("a handler fails")
}

async fn who(caller: MaybeAuthenticated) -> String {
    caller.0.map_or("nobody".to_owned(), |caller| caller.sub.clone())
}

/// Answers with the name of the caller outside of HTTP, then with what it is sent.
async fn echo(caller: Authenticated, payload: web::Payload) -> HttpResponse {
    let name = web::Bytes::from(caller.sub.clone());
    let name = stream::once(async { Ok::<_, PayloadError>(name) });
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket").streaming(Box::pin(name.chain(payload)))
}

fn serve(world: &World) -> (SocketAddr, ServerHandle) {
    let auth = world.auth.clone();
    let app = move || {
        App::new()
            .wrap(auth.optional())
            .route("/panic", web::get().to(panics))
            .route("/ws", web::get().to(echo))
            .route("/", web::get().to(who))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .on_connect(|_, connection| {
            connection.insert(Thumbprint::of_der(&[0x30, 1, 0]).unwrap());
        })
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

/// Sends requests in one connection; gives all that comes back.
async fn exchange(address: SocketAddr, requests: String) -> String {
    let exchange = move || {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(requests.as_bytes()).unwrap();
        let mut answer = String::new();
        // A server that breaks off is no failure of the test.
        drop(connection.read_to_string(&mut answer));
        answer
    };
    actix_web::rt::task::spawn_blocking(exchange).await.unwrap()
}

fn request(path: &str, token: Option<&str>, last: bool) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let connection = if last { "close" } else { "keep-alive" };
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n{token}\r\n")
}

#[actix_web::test]
async fn callers_in_one_connection_are_kept_apart() {
    let world = World::new();
    let (address, server) = serve(&world);
    let (one, two) =
        (world.mint().subject("user:one").sign(), world.mint().subject("user:two").sign());
    let requests = [
        request("/", Some(&one), false),
        request("/", None, false),
        request("/", Some(&two), false),
        request("/", None, true),
    ];
    let answer = exchange(address, requests.concat()).await;
    let bodies: Vec<_> =
        answer.split("HTTP/1.1 ").filter_map(|one| one.split_once("\r\n\r\n")).collect();
    let bodies: Vec<_> = bodies.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, ["user:one", "nobody", "user:two", "nobody"]);
    server.stop(false).await;
}

#[actix_web::test]
async fn a_worker_goes_on_after_a_handler_panicked() {
    let world = World::new();
    let (address, server) = serve(&world);
    for _ in 0..3 {
        let requests = request("/panic", Some(&world.token()), true);
        assert!(!exchange(address, requests).await.contains("200 OK"));
        let answer = exchange(address, request("/", None, true)).await;
        assert!(answer.ends_with("\r\n\r\nnobody"), "{answer}");
    }
    server.stop(false).await;
}

#[actix_web::test]
async fn the_certificate_of_a_connection_is_used() {
    let world = World::new();
    let (address, server) = serve(&world);
    let bound = |der: [u8; 3]| {
        let thumbprint = Thumbprint::of_der(&der).unwrap().to_text();
        world.mint().claim("cnf", serde_json::json!({ "x5t#S256": thumbprint })).sign()
    };
    let own = exchange(address, request("/", Some(&bound([0x30, 1, 0])), true)).await;
    assert!(own.contains("200 OK"), "{own}");
    let stolen = exchange(address, request("/", Some(&bound([0x30, 1, 1])), true)).await;
    assert!(stolen.contains("401 Unauthorized"), "{stolen}");
    server.stop(false).await;
}

/// Asks for an upgrade; gives the head of the answer, and what comes back for a greeting after it.
async fn upgrade(address: SocketAddr, headers: String) -> (String, String) {
    let ask = move || {
        let mut connection = TcpStream::connect(address).unwrap();
        let head = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket";
        connection.write_all(format!("{head}\r\n{headers}\r\n").as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let mut text = Vec::new();
        if head.starts_with(b"HTTP/1.1 101 ") {
            connection.write_all(b" hello").unwrap();
            text.resize("user:1 hello".len(), 0);
            connection.read_exact(&mut text).unwrap();
        }
        (String::from_utf8(head).unwrap(), String::from_utf8(text).unwrap())
    };
    actix_web::rt::task::spawn_blocking(ask).await.unwrap()
}

#[actix_web::test]
async fn an_upgrade_goes_through_the_guard_for_callers_only() {
    let world = World::with(|guard| guard.cookie("t").allow_origin("https://app.example"));
    let (address, server) = serve(&world);
    let token = world.token();
    let cookie = format!("cookie: t={token}\r\n");
    let own = format!("{cookie}origin: https://app.example\r\n");
    let bearer = format!("authorization: Bearer {token}\r\n");
    // The second time the token is remembered.
    for headers in [&own, &bearer, &own, &bearer] {
        let (head, text) = upgrade(address, headers.clone()).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(text, "user:1 hello");
    }
    let foreign = format!("{cookie}origin: https://evil.example\r\n");
    for (headers, status) in [(String::new(), "401"), (foreign, "403"), (cookie, "403")] {
        let (head, _) = upgrade(address, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    server.stop(false).await;
}
