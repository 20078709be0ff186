//! The refresh token as a cookie that scripts cannot read.
//!
//! # Security
//!
//! `HttpOnly`, `SameSite=Strict`, limited to the path of the API's `auth` routes and `Secure` where
//! the issuer is https. Requests that use it must come from the site itself or an allowed origin,
//! by what the browser says in `Origin` and `Sec-Fetch-Site`.

use std::time::Duration;

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use usso_core::{Deps, session::RefreshToken};

use super::{error::Failure, request::single};

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

/// Refuses a request with a cookie that another site made the browser send.
///
/// Programs that are no browsers send neither header and pass: nobody can make them send a cookie.
pub(crate) fn check_site(
    deps: &Deps,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(), Failure> {
    let foreign = || {
        let message = "The request comes from another site.";
        Err(Failure::new(StatusCode::FORBIDDEN, "request.cross_site", message))
    };
    let allowed =
        |origin: &str| deps.tenant.settings.allowed_origins.iter().any(|allowed| allowed == origin);
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        let asked = extensions.get::<AskedHost>().map(|host| host.0.as_str());
        let own = !host.is_empty() && asked == Some(host)
            || deps.issuer().starts_with(&format!("{origin}/"));
        let own = own || deps.issuer() == origin;
        return if own || allowed(origin) { Ok(()) } else { foreign() };
    }
    match single(headers, &FETCH_SITE) {
        Some("same-origin" | "none") => Ok(()),
        Some(_) => foreign(),
        None if headers.contains_key(&FETCH_SITE) => foreign(),
        None => Ok(()),
    }
}

/// The host that the request was sent to, as far as it can be believed.
#[derive(Clone, Debug)]
pub(crate) struct AskedHost(pub(crate) String);

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
