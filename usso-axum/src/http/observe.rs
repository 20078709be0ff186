//! The layer around all routes: request id, time limit, log line, metrics, security headers, and the
//! bodies of refusals.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing::Instrument as _;
use usso_core::kernel::{
    entropy::{Entropy as _, SystemEntropy},
    time::Stopwatch,
};

use super::{
    error::Failure,
    request::{RequestId, single},
};
use crate::api::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_MAX: usize = 64;
const UNMATCHED: &str = "unmatched";
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The metrics of one router. Not global: two routers in one process do not mix.
#[derive(Clone)]
pub(crate) struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // Only an empty list is refused.
        let builder = builder.set_buckets(SECONDS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Self { recorder: Arc::new(recorder), handle }
    }

    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn count(&self, method: &'static str, route: &str, response: &Response, seconds: f64) {
        let status = response.status().as_u16().to_string();
        let failure = response.extensions().get::<Failure>().map(Failure::code);
        metrics::with_local_recorder(&*self.recorder, || {
            let route = route.to_owned();
            metrics::histogram!("usso_http_request_seconds", "route" => route.clone())
                .record(seconds);
            metrics::counter!("usso_http_requests_total", "method" => method, "route" => route, "status" => status)
                .increment(1);
            if let Some(code) = failure {
                metrics::counter!("usso_refusals_total", "code" => code).increment(1);
            }
        });
    }
}

/// Surrounds every request.
pub(crate) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let id = request_id(request.headers());
    let method = method_label(&request);
    let route =
        request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let span = tracing::info_span!("request", request_id = &*id);
    let answer =
        tokio::time::timeout(app.config.request_timeout, next.run(request).instrument(span)).await;
    let mut response = answer.unwrap_or_else(|_| Failure::timeout().into_response());
    // An address that is no route of ours, and of no app around us.
    if route == UNMATCHED && response.status() == StatusCode::NOT_FOUND {
        response = Failure::unknown_route().into_response();
    }
    let seconds = watch.elapsed().as_secs_f64();
    app.metrics.count(method, &route, &response, seconds);
    let code = response.extensions().get::<Failure>().map(Failure::code);
    tracing::info!(
        request_id = &*id,
        method,
        route,
        status = response.status().as_u16(),
        seconds,
        code,
        "request"
    );
    fill_in(&mut response, &id);
    harden(response.headers_mut(), &app, &id);
    response
}

/// A caller's id if it is short and plain, so that logs of several services can be joined; else a
/// new one.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let plain = |id: &&str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (8..=REQUEST_ID_MAX).contains(&id.len()) && id.chars().all(allowed)
    };
    if let Some(id) = single(headers, &REQUEST_ID).filter(plain) {
        return id.into();
    }
    let mut bytes = [0; 16];
    // Without randomness ids repeat; requests that need it fail on their own.
    if SystemEntropy.fill(&mut bytes).is_err() {
        return "none".into();
    }
    format!("{:032x}", u128::from_be_bytes(bytes)).into()
}

/// One of the known methods, so that made-up ones do not become metrics.
fn method_label(request: &Request) -> &'static str {
    match request.method().as_str() {
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        _ => "other",
    }
}

/// Gives refusals their body.
fn fill_in(response: &mut Response, id: &str) {
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        *response.body_mut() = Body::from(failure.body(id));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

fn harden(headers: &mut HeaderMap, app: &App, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let defaults = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if app.usso.config().issuer.starts_with("https://") {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}
