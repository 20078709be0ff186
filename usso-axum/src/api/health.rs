//! `/health`, `/ready`, `/metrics`: for load balancers and monitoring.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::App;
use crate::http::{config::MetricsAccess, error::Failure};

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
}

/// The process answers.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The store answers too.
async fn ready(State(app): State<App>) -> Result<Json<Value>, Failure> {
    app.usso.ping().await?;
    Ok(Json(json!({ "status": "ready" })))
}

/// Prometheus text, for those whom the configuration allows; for others there is nothing here.
async fn metrics(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let allowed = match app.config.metrics {
        MetricsAccess::Everyone => true,
        MetricsAccess::Nobody => false,
        MetricsAccess::Loopback => is_direct_loopback(&request),
    };
    if !allowed {
        return Err(Failure::unknown_route());
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
        .into_response())
}

/// A request from this machine that no proxy passed on.
fn is_direct_loopback(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let local = peer.is_some_and(|info| info.0.ip().to_canonical().is_loopback());
    let passed_on = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    local && !passed_on.iter().any(|name| request.headers().contains_key(*name))
}
