//! The REST API in an actix app.

mod border;

#[cfg(test)]
mod tests;

use actix_web::web::{self, ServiceConfig};
use usso_axum::HttpConfig;
use usso_core::Usso;

/// What the router of `usso-axum` answers, in one part of the path, so that what stands before it (a
/// scope of the app) can be told apart.
const ADDRESSES: &str = concat!(
    r"/{usso_path:(t/[^/]+/)?(api/sso/v1(/.*)?",
    r"|\.well-known/(jwks\.json|openid-configuration|oauth-authorization-server))",
    r"|openapi\.json|docs|docs\.js|docs\.css|health|ready|metrics}",
);

/// Mounts the whole REST API in an app: `/api/sso/v1/…`, `/.well-known/…`, the same under
/// `/t/{tenant}/…`, `/openapi.json`, `/docs`, `/health`, `/ready` and `/metrics`.
///
/// It is the router of `usso-axum`, with its answers to the letter. Make it once and give it to every
/// worker: they share one engine and one set of metrics.
///
/// ```
/// # fn app(usso: usso_core::Usso) {
/// use actix_web::{App, HttpServer};
/// use usso_actix::HttpConfig;
///
/// let usso = usso_actix::server(usso, HttpConfig::default());
/// let server = HttpServer::new(move || App::new().configure(&usso));
/// # }
/// ```
///
/// Routes that the app adds before it are the app's, and so are all other addresses. It may be mounted
/// inside a scope, `web::scope("/id").configure(&usso)`; then the issuer must end in `/id`.
///
/// # Security
///
/// Do not wrap a [`Gate`](crate::Gate) around it: who signs in has no credential yet. Attempts are
/// counted by the address of the connection, which a Unix socket has not: there all clients count as
/// one.
pub fn server(
    usso: Usso,
    config: HttpConfig,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + Sync + 'static {
    let router = usso_axum::router(usso, config);
    move |app| {
        let router = router.clone();
        let pass = move |request, payload| border::pass(router.clone(), request, payload);
        app.route(ADDRESSES, web::route().to(pass));
    }
}
