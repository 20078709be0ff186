//! Connections that leave HTTP, over a real socket.

use axum::{
    Router, body::Body, extract::Request, http::StatusCode, response::Response, routing::get,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use usso_axum::{Auth, Authenticated, Guard};
use usso_verify::testing::TestIssuer;

const AUDIENCE: &str = "https://api.example";

/// Answers with the name of the caller outside of HTTP, then with what it is sent.
async fn echo(caller: Authenticated, mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        stream.write_all(caller.sub.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response.header("connection", "upgrade").header("upgrade", "websocket");
    response.body(Body::empty()).unwrap()
}

async fn ask(address: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket";
    stream.write_all(format!("{head}\r\n{headers}\r\n").as_bytes()).await.unwrap();
    stream
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn an_upgrade_goes_through_the_guard_for_callers_only() {
    let issuer = TestIssuer::new("https://sso.example");
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t");
    let auth = Auth::from(guard.allow_origin("https://app.example").build().unwrap());
    let app = Router::new().route("/ws", get(echo)).layer(auth.required()).with_state(auth);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async { axum::serve(listener, app).await });

    let token = issuer.mint().audience(AUDIENCE).sign();
    let cookie = format!("cookie: t={token}\r\n");
    let own = format!("{cookie}origin: https://app.example\r\n");
    let bearer = format!("authorization: Bearer {token}\r\n");
    // The second time the token is remembered.
    for headers in [&own, &bearer, &own, &bearer] {
        let mut stream = ask(&address, headers).await;
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream.write_all(b" hello").await.unwrap();
        let mut text = [0; 12];
        stream.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"user:1 hello");
    }
    let foreign = format!("{cookie}origin: https://evil.example\r\n");
    for (headers, status) in [("", "401"), (&*foreign, "403"), (&*cookie, "403")] {
        let head = head(&mut ask(&address, headers).await).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}
