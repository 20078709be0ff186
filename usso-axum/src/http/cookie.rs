//! The refresh token as a cookie that scripts cannot read.
//!
//! # Security
//!
//! `HttpOnly`, `SameSite=Strict`, limited to the path of the API's `auth` routes and `Secure` where
//! the issuer is https. Requests that use it must come from the site itself or an allowed origin,
//! by what the browser says in `Origin` and `Sec-Fetch-Site`.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts},
};
use usso_core::{Deps, session::RefreshToken};

use super::{
    error::Failure,
    request::{Asked, single},
};
use crate::api::App;

/// The name under which USSO's clients know it.
pub(crate) const NAME: &str = "usso-refresh-token";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The refresh token of the request's cookie; `None` if there is none or more than one.
pub(crate) fn read(headers: &HeaderMap) -> Option<RefreshToken> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs =
        values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let first = found.next()?;
    if found.next().is_some() { None } else { Some(RefreshToken::new(first.to_owned())) }
}

/// The `Set-Cookie` that keeps a refresh token for `life`.
pub(crate) fn keep(
    deps: &Deps,
    uri: &Uri,
    token: &RefreshToken,
    life: Duration,
) -> Option<HeaderValue> {
    build(deps, uri, token.expose(), life)
}

/// The `Set-Cookie` that removes it.
pub(crate) fn remove(deps: &Deps, uri: &Uri) -> Option<HeaderValue> {
    build(deps, uri, "", Duration::ZERO)
}

fn build(deps: &Deps, uri: &Uri, value: &str, life: Duration) -> Option<HeaderValue> {
    let path = auth_path(uri.path());
    let secure = if deps.issuer().starts_with("https://") { "; Secure" } else { "" };
    let text = format!(
        "{NAME}={value}; Path={path}; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        life.as_secs()
    );
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The path of the `auth` routes, wherever the router is mounted.
fn auth_path(path: &str) -> &str {
    const AUTH: &str = "/api/sso/v1/auth";
    path.find(AUTH).and_then(|start| path.get(..start + AUTH.len())).unwrap_or("/")
}

/// From which site a request comes, by what the browser says.
pub(crate) struct Site {
    origin: Option<String>,
    relation: Option<String>,
    /// The host that the request was sent to, as far as it can be believed.
    host: Option<String>,
}

impl FromRequestParts<App> for Site {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        // A header that cannot be read says that the request comes from somewhere else.
        let text = |name: &HeaderName| {
            let sent = parts.headers.contains_key(name);
            sent.then(|| single(&parts.headers, name).unwrap_or("?").to_owned())
        };
        let host = Asked::of(parts, &app.config.trusted_proxies)?.host;
        Ok(Self { origin: text(&header::ORIGIN), relation: text(&FETCH_SITE), host })
    }
}

impl Site {
    /// Refuses a request that another site made the browser send. Needed wherever a cookie is read
    /// or set.
    ///
    /// Programs that are no browsers send neither header and pass: nobody can make them send a
    /// cookie.
    pub(crate) fn check(&self, deps: &Deps) -> Result<(), Failure> {
        let own = match (&self.origin, &self.relation) {
            (Some(origin), _) => self.is_own(origin, deps),
            (None, Some(relation)) => matches!(relation.as_str(), "same-origin" | "none"),
            (None, None) => true,
        };
        if own {
            return Ok(());
        }
        let message = "The request comes from another site.";
        Err(Failure::new(StatusCode::FORBIDDEN, "request.cross_site", message))
    }

    fn is_own(&self, origin: &str, deps: &Deps) -> bool {
        let host = origin.split_once("://").map(|(_, host)| host);
        let issuer = deps.issuer();
        host.is_some_and(|host| !host.is_empty() && self.host.as_deref() == Some(host))
            || issuer == origin
            || issuer.starts_with(&format!("{origin}/"))
            || deps.tenant.settings.allowed_origins.iter().any(|allowed| allowed == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_goes_to_the_auth_routes_only() {
        assert_eq!(auth_path("/api/sso/v1/auth/login"), "/api/sso/v1/auth");
        assert_eq!(auth_path("/id/t/acme/api/sso/v1/auth/refresh"), "/id/t/acme/api/sso/v1/auth");
    }

    #[test]
    fn two_cookies_of_the_name_are_none() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(text));
            read(&headers).map(|token| token.expose().to_owned())
        };
        assert_eq!(read("a=b; usso-refresh-token=x; c=d").as_deref(), Some("x"));
        assert_eq!(read("usso-refresh-token=x; usso-refresh-token=y"), None);
        assert_eq!(read("xusso-refresh-token=x"), None);
    }
}
