//! The REST API: one file per flow, named after it. Handlers parse, call and reply.
//!
//! | file | routes |
//! | --- | --- |
//! | `password` | `POST auth/register`, `auth/login`, `auth/password` |
//! | `session` | `POST auth/refresh`, `auth/logout`; `GET me`; `GET`, `DELETE sessions`; `DELETE sessions/{id}` |
//! | `user_admin` | `GET`, `POST users`; `GET`, `PATCH`, `DELETE users/{id}`; `DELETE users/{id}/sessions` |
//! | `tenant` | `GET`, `POST tenants`; `GET`, `PATCH tenants/{id}` |
//! | `keys` | `GET keys`, `POST keys/rotate`; `/.well-known/jwks.json` and the discovery documents |
//! | `audit` | `GET audit` |
//! | `health` | `/health`, `/ready`, `/metrics` |
//! | `docs` | `/openapi.json`, `/docs` |

mod audit;
mod docs;
mod health;
mod keys;
mod password;
mod session;
mod tenant;
mod user_admin;
mod view;

use std::{any::Any, sync::Arc};

use axum::{Router, middleware, response::IntoResponse as _};
use tower_http::catch_panic::CatchPanicLayer;
use usso_core::Usso;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{
    config::HttpConfig,
    cors,
    error::Failure,
    observe::{self, Metrics},
};

/// Where USSO's REST API begins.
const BASE: &str = "/api/sso/v1";

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) usso: Usso,
    pub(crate) config: Arc<HttpConfig>,
    pub(crate) metrics: Metrics,
}

/// The whole REST API as one router: `/api/sso/v1/…`, `/.well-known/…`, the same under
/// `/t/{tenant}/…`, `/openapi.json`, `/docs`, `/health`, `/ready` and `/metrics`.
///
/// Serve it with connection info, as in
/// `router.into_make_service_with_connect_info::<SocketAddr>()`: without it all clients count as
/// one source, and `/metrics` answers nobody but everybody's or nobody's setting.
///
/// It has no fallback of its own: merged into an app, unknown addresses are the app's.
///
/// # Errors of requests
///
/// Every refusal is `{"error_code", "message": {"en"}, "detail"?, "request_id"}`.
pub fn router(usso: Usso, config: HttpConfig) -> Router {
    let app = App { usso, config: Arc::new(config), metrics: Metrics::new() };
    let (tenanted, mut openapi) = tenanted().split_for_parts();
    docs::describe_refusals(&mut openapi);
    let tenanted = tenanted.with_state(app.clone());
    Router::new()
        .merge(health::router())
        .merge(docs::router(&openapi))
        .with_state(app.clone())
        .merge(tenanted.clone())
        .nest("/t/{tenant}", tenanted)
        .method_not_allowed_fallback(async || Failure::wrong_method())
        .layer(cors::layer(app.clone()))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app, observe::observe))
}

/// The routes that serve one tenant.
fn tenanted() -> OpenApiRouter<App> {
    let api = OpenApiRouter::new()
        .routes(routes!(password::register))
        .routes(routes!(password::login))
        .routes(routes!(password::change))
        .routes(routes!(session::refresh))
        .routes(routes!(session::logout))
        .routes(routes!(session::me))
        .routes(routes!(session::list, session::end_all))
        .routes(routes!(session::end))
        .routes(routes!(user_admin::list, user_admin::create))
        .routes(routes!(user_admin::read, user_admin::update, user_admin::delete))
        .routes(routes!(user_admin::end_sessions))
        .routes(routes!(tenant::list, tenant::create))
        .routes(routes!(tenant::read, tenant::update))
        .routes(routes!(keys::list))
        .routes(routes!(keys::rotate))
        .routes(routes!(audit::query));
    OpenApiRouter::with_openapi(docs::document())
        .nest(BASE, api)
        .routes(routes!(keys::jwks))
        .routes(routes!(keys::openid_configuration))
        .routes(routes!(keys::oauth_authorization_server))
}

/// A panic is answered like any other failure of ours; its text goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(reason: Box<dyn Any + Send>) -> axum::response::Response {
    let text = reason.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| reason.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(panic = text, "a handler panicked");
    Failure::internal().into_response()
}
