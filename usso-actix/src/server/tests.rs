//! The border, with a router that says what it got.

use std::fmt::Write as _;

use actix_web::{
    App,
    http::{Method, header::HeaderValue},
    test::{TestRequest, call_service, init_service},
    web,
};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, OriginalUri, Request},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};

use super::border;

/// Writes down a request, line by line.
async fn echo(request: Request) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    let whole = request.extensions().get::<OriginalUri>().map(|uri| uri.0.to_string());
    let peer = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().map(|peer| peer.0);
    writeln!(text, "{whole:?} {peer:?}").unwrap();
    for (name, value) in request.headers() {
        writeln!(text, "{name}: {value:?}").unwrap();
    }
    text
}

async fn answer() -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("set-cookie", &b"a=1"[..]),
        ("set-cookie", b"b=2"),
        ("x-bytes", b"\xff\xe9"),
        ("connection", b"close"),
        ("keep-alive", b"timeout=5"),
        ("transfer-encoding", b"chunked"),
        ("upgrade", b"h2c"),
    ] {
        headers.append(name, value.try_into().unwrap());
    }
    (StatusCode::IM_A_TEAPOT, headers, "text")
}

async fn streamed() -> Body {
    let pieces = ["one", "two"].map(Ok::<_, std::io::Error>);
    Body::from_stream(futures_util::stream::iter(pieces))
}

async fn ask(request: TestRequest) -> (actix_web::dev::ServiceResponse, String) {
    let router = Router::new()
        .route("/answer", axum::routing::any(answer))
        .route("/streamed", axum::routing::get(streamed))
        .route("/read", axum::routing::post(async |body: web::Bytes| body.len().to_string()))
        .fallback(echo);
    let pass = move |request, payload| border::pass(router.clone(), request, payload);
    let mount = |app: &mut web::ServiceConfig| {
        app.route("/{usso_path:(answer|read|streamed|x/.*)}", web::route().to(pass.clone()));
    };
    let app = App::new().service(web::scope("/in/{name}").configure(mount)).configure(mount);
    let app = init_service(app).await;
    let mut response = call_service(&app, request.to_request()).await;
    let body = response.response_mut();
    let body = std::mem::replace(body, actix_web::HttpResponse::Ok().finish());
    let (head, body) = body.into_parts();
    let text = actix_web::body::to_bytes(body).await.unwrap();
    *response.response_mut() = head.set_body(actix_web::body::BoxBody::new(()));
    (response, String::from_utf8(text.to_vec()).unwrap())
}

#[actix_web::test]
async fn every_line_of_a_request_arrives_and_those_of_the_connection_do_not() {
    let request = TestRequest::with_uri("/x/a%2Fb//c;d?q=%20&q")
        .method(Method::from_bytes(b"PURGE").unwrap())
        .peer_addr("192.0.2.7:4711".parse().unwrap())
        .append_header(("x-two", "1"))
        .append_header(("x-two", "2"))
        .append_header(("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap()))
        .append_header(("connection", "close, x-two"))
        .append_header(("upgrade", "h2c"))
        .append_header(("te", "trailers"))
        .append_header(("transfer-encoding", "chunked"));
    let (_, text) = ask(request).await;
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.remove(0), "PURGE /x/a%2Fb//c;d?q=%20&q");
    assert_eq!(lines.remove(0), r#"Some("/x/a%2Fb//c;d?q=%20&q") Some(192.0.2.7:4711)"#);
    lines.sort_unstable();
    assert_eq!(lines, [r#"x-bytes: "\xff""#, r#"x-two: "1""#, r#"x-two: "2""#]);
}

#[actix_web::test]
async fn a_scope_is_cut_off_as_nest_does() {
    for (path, inner) in [
        ("/in/a/x/y", "/x/y"),
        ("/in/a/x/", "/x/"),
        ("/in/a%2Fb/x/y?z=/", "/x/y?z=/"),
        ("/%69n/a/x/in/a/x/y", "/x/in/a/x/y"),
        ("/in/a/x/%2F%2e%2e//y", "/x/%2F%2e%2e//y"),
    ] {
        let (_, text) = ask(TestRequest::with_uri(path)).await;
        let mut lines = text.lines();
        assert_eq!(lines.next().unwrap(), format!("GET {inner}"), "{path}");
        assert_eq!(lines.next().unwrap(), format!("Some({path:?}) None"));
    }
}

#[actix_web::test]
async fn every_line_of_an_answer_arrives_and_those_of_the_connection_do_not() {
    let (response, text) = ask(TestRequest::with_uri("/answer")).await;
    assert_eq!((response.status().as_u16(), &*text), (418, "text"));
    let mut lines: Vec<_> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    lines.sort_unstable();
    let expected: [(&str, &[u8]); 4] = [
        ("content-type", b"text/plain; charset=utf-8"),
        ("set-cookie", b"a=1"),
        ("set-cookie", b"b=2"),
        ("x-bytes", b"\xff\xe9"),
    ];
    assert_eq!(lines, expected);
}

#[actix_web::test]
async fn a_body_of_unknown_length_is_streamed() {
    assert_eq!(ask(TestRequest::with_uri("/streamed")).await.1, "onetwo");
}

#[actix_web::test]
async fn a_body_arrives_whole() {
    for size in [0, 1, 100_000] {
        let request = TestRequest::with_uri("/read").method(Method::POST);
        let (_, text) = ask(request.set_payload(vec![b'x'; size])).await;
        assert_eq!(text, size.to_string());
    }
}
