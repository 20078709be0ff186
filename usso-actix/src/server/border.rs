//! The border between actix and axum, which use two versions of the crate `http`.
//!
//! # Security
//!
//! A body is handed on as it comes, one piece at a time, and no faster than the router reads it: its
//! bounds of size and time hold as they are. A body that breaks off is a failure to the router, never
//! a short body.

use std::{io, net::SocketAddr, pin::pin};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{self, BodyStream, BoxBody, SizedStream},
    dev::Payload,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::{self, Bytes},
};
use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, OriginalUri},
    http::{self as http1, Request, Uri, header},
};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

/// What concerns one connection only (RFC 9110 §7.6.1). What `Connection` names besides is kept:
/// else a client could take away what a proxy wrote.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Hands a request to the router and its answer back.
pub(super) async fn pass(
    router: Router,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let (sender, mut receiver) = mpsc::channel(1);
    let body = Body::from_stream(stream::poll_fn(move |task| receiver.poll_recv(task)));
    let Some(inner) = enter(&request, body) else {
        return HttpResponse::BadRequest().finish();
    };
    let answer = pin!(router.oneshot(inner));
    // The payload cannot leave its thread, as the router's body must.
    let Ok(answer) = match select(answer, pin!(pump(payload.into_inner(), sender))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), answer)) => answer.await,
    };
    leave(answer, request.method() == actix_web::http::Method::HEAD)
}

/// Moves a body, until all of it is there, it breaks off, or nobody reads on.
async fn pump(mut payload: Payload, sender: mpsc::Sender<io::Result<Bytes>>) {
    while let Some(piece) = payload.next().await {
        let is_broken = piece.is_err();
        let piece = piece.map_err(|error| io::Error::other(error.to_string()));
        if sender.send(piece).await.is_err() || is_broken {
            return;
        }
    }
}

/// Makes the router's request; None if it cannot be said in the other version.
fn enter(request: &HttpRequest, body: Body) -> Option<Request<Body>> {
    let mut inner = Request::new(body);
    *inner.method_mut() = http1::Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
    *inner.version_mut() = version(request.version());
    let uri = Uri::try_from(request.uri().to_string()).ok()?;
    *inner.uri_mut() = below_scope(&uri, request)?;
    inner.extensions_mut().insert(OriginalUri(uri));
    if let Some(peer) = request.peer_addr() {
        inner.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
    }
    for (name, value) in request.headers() {
        if !HOP_BY_HOP.contains(&name.as_str()) {
            let name = http1::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            let value = http1::HeaderValue::from_bytes(value.as_bytes()).ok()?;
            inner.headers_mut().try_append(name, value).ok()?;
        }
    }
    Some(inner)
}

fn version(version: actix_web::http::Version) -> http1::Version {
    match version {
        actix_web::http::Version::HTTP_10 => http1::Version::HTTP_10,
        actix_web::http::Version::HTTP_2 => http1::Version::HTTP_2,
        _ => http1::Version::HTTP_11,
    }
}

/// Cuts off the scopes around the mount, as axum's `nest` does. What was matched has as many slashes
/// as its spelling in the address: actix does not decode `%2F` before it matches.
fn below_scope(uri: &Uri, request: &HttpRequest) -> Option<Uri> {
    let (_, matched) = request.match_info().iter().last()?;
    let slashes = matched.matches('/').count();
    let (start, _) = uri.path().rmatch_indices('/').nth(slashes)?;
    if start == 0 {
        return Some(uri.clone());
    }
    let path = uri.path().get(start..)?;
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Makes actix's answer.
fn leave(answer: axum::response::Response, is_head: bool) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    let status = StatusCode::from_u16(parts.status.as_u16());
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let size = declared.or_else(|| body.size_hint().exact());
    let body = match size {
        // The length of what GET would give; an empty body says nothing about it.
        Some(0) | None if is_head && declared.is_none() => BoxBody::new(body::None::new()),
        Some(size) if is_head => {
            let nothing = stream::empty::<Result<Bytes, axum::Error>>();
            BoxBody::new(SizedStream::new(size, nothing))
        }
        Some(size) => BoxBody::new(SizedStream::new(size, body.into_data_stream())),
        None => BoxBody::new(BodyStream::new(body.into_data_stream())),
    };
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, body);
    for (name, value) in &parts.headers {
        // The length is actix's to write.
        if HOP_BY_HOP.contains(&name.as_str()) || name == header::CONTENT_LENGTH {
            continue;
        }
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_str().as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
