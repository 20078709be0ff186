//! CORS by tenant: the exact origins that the tenant's settings list, and no others.

use std::time::Duration;

use axum::http::{HeaderName, Method, header, request::Parts};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::request::{Asked, find_tenant};
use crate::api::App;

const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// Answers preflights and marks answers for the origins that the tenant allows.
pub(crate) fn layer(app: App) -> CorsLayer {
    let allowed = move |origin: axum::http::HeaderValue, parts: &Parts| {
        let asked = Asked::of(parts, &app.config.trusted_proxies);
        let app = app.clone();
        async move {
            let Ok(asked) = asked else { return false };
            let Ok(Some(tenant)) = find_tenant(&app, &asked).await else {
                return false;
            };
            tenant
                .settings
                .allowed_origins
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        }
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::async_predicate(allowed))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, TENANT])
        .expose_headers([header::RETRY_AFTER, header::WWW_AUTHENTICATE, REQUEST_ID])
        .max_age(PREFLIGHT_MAX_AGE)
}
