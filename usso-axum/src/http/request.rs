//! Who asks, and of which tenant.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, OriginalUri},
    http::{HeaderMap, HeaderName, StatusCode, header, request::Parts, uri::Authority},
};
use ipnet::IpNet;
use usso_core::{
    Deps, TenantHint,
    directory::tenant::{Refused as TenantRefused, Tenant},
    kernel::event::Origin,
    session::Refused,
};

use super::error::Failure;
use crate::api::App;

/// Names the tenant of a request, by id or slug, where path and host name do not.
const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const USER_AGENT_CHARS: usize = 256;

/// The id of a request, in its log lines, answers and audit entries.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// The tenant that a request is for, with what operations on it need.
pub(crate) struct Context(pub(crate) Deps);

impl FromRequestParts<App> for Context {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let asked = Asked::of(parts, &app.config.trusted_proxies)?;
        let deps = deps(parts, app, &asked).await?;
        if !deps.tenant.is_active() {
            return Err(Failure::refused(&Refused::TenantSuspended));
        }
        Ok(Self(deps))
    }
}

/// The tenant whose keys are asked for, by path or host name only. Suspended tenants too: their keys
/// stay published while tokens live.
pub(crate) struct Published(pub(crate) Deps);

impl FromRequestParts<App> for Published {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let mut asked = Asked::of(parts, &app.config.trusted_proxies)?;
        // What everybody may keep must not depend on a header that caches do not look at: whoever
        // names another tenant in it would put that tenant's keys into everybody's cache.
        asked.header = None;
        deps(parts, app, &asked).await.map(Self)
    }
}

async fn deps(parts: &Parts, app: &App, asked: &Asked) -> Result<Deps, Failure> {
    let tenant = find_tenant(app, asked).await?;
    let tenant = tenant.ok_or_else(|| Failure::refused(&TenantRefused::Unknown))?;
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.to_string());
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let origin = Origin {
        address: asked.address,
        request_id: request_id.unwrap_or_default(),
        user_agent: user_agent.unwrap_or_default().chars().take(USER_AGENT_CHARS).collect(),
    };
    Ok(app.usso.deps(tenant, origin))
}

/// What a request says about whom it comes from and whom it is for.
pub(crate) struct Asked {
    pub(crate) address: Option<IpAddr>,
    pub(crate) host: Option<String>,
    path: Option<String>,
    header: Option<String>,
}

impl Asked {
    /// Reads what decides about tenant and address. A header that decides and cannot be read, or
    /// was sent twice, is refused: readers before us may have understood it in another way.
    pub(crate) fn of(parts: &Parts, proxies: &[IpNet]) -> Result<Self, Failure> {
        let Parts { uri, headers, extensions, .. } = parts;
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|info| info.0.ip().to_canonical());
        let forwarded = peer.is_some_and(|peer| is_proxy(peer, proxies));
        let address = match peer {
            Some(peer) if forwarded => Some(forwarded_for(headers, proxies).unwrap_or(peer)),
            peer => peer,
        };
        let original = extensions.get::<OriginalUri>().map_or(uri, |original| &original.0);
        let forwarded_host = if forwarded { readable(headers, &FORWARDED_HOST)? } else { None };
        // The authority of an absolute URI counts before the header (RFC 9112 section 3.2.2).
        let host = forwarded_host.or(original.authority().map(Authority::as_str));
        let host = host.or(readable(headers, &header::HOST)?);
        Ok(Self {
            address,
            host: host.map(str::to_owned),
            path: tenant_in_path(original.path()).map(str::to_owned),
            header: readable(headers, &TENANT)?.map(str::to_owned),
        })
    }
}

/// The value of a header that may be absent, but not sent twice or unreadable.
fn readable<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Failure> {
    match single(headers, name) {
        None if headers.contains_key(name) => {
            let message = "A header was sent twice or cannot be read.";
            let failure =
                Failure::new(StatusCode::BAD_REQUEST, "request.header_malformed", message);
            Err(failure.detail(name.as_str()))
        }
        value => Ok(value),
    }
}

/// Finds the tenant that a request is for.
pub(crate) async fn find_tenant(app: &App, asked: &Asked) -> Result<Option<Arc<Tenant>>, Failure> {
    let hint = TenantHint {
        path: asked.path.as_deref(),
        host: asked.host.as_deref(),
        header: asked.header.as_deref(),
    };
    Ok(app.usso.find_tenant(hint).await?)
}

/// The `{tenant}` of `…/t/{tenant}/api/…` and `…/t/{tenant}/.well-known/…`.
fn tenant_in_path(path: &str) -> Option<&str> {
    let end = path.find("/api/sso/v1/").or_else(|| path.find("/.well-known/"))?;
    let (before, tenant) = path.get(..end)?.rsplit_once('/')?;
    (before == "/t" || before.ends_with("/t")).then_some(tenant)
}

/// The value of a header that was sent once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return None;
    }
    first.to_str().ok()
}

fn is_proxy(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// The nearest address in `X-Forwarded-For` that is not a proxy's.
///
/// Read from the right: what stands left of the first foreign address was written by the client
/// itself. An entry that is not an address ends the search.
fn forwarded_for(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut nearest = None;
    let lines: Vec<_> = headers.get_all(&FORWARDED_FOR).iter().collect();
    let entries =
        lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        let Some(address) = std::str::from_utf8(entry).ok().and_then(parse_address) else {
            return nearest;
        };
        nearest = Some(address);
        if !is_proxy(address, proxies) {
            return nearest;
        }
    }
    nearest
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address =
        text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[&str]) -> Option<String> {
        forwarded_bytes(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())
    }

    fn forwarded_bytes(lines: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, axum::http::HeaderValue::from_bytes(line).unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        forwarded_for(&headers, &proxies).map(|address| address.to_string())
    }

    #[test]
    fn the_nearest_foreign_address_counts() {
        assert_eq!(forwarded(&["203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded(&["1.1.1.1, 203.0.113.9, 10.0.0.2"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded(&["1.1.1.1", "203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded(&["::ffff:203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded(&["203.0.113.9:4711"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded(&["203.0.113.9, evil, 10.0.0.2"]).as_deref(), Some("10.0.0.2"));
        assert_eq!(forwarded_bytes(&[b"\xff, 203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(forwarded(&["evil"]), None);
        assert_eq!(forwarded(&[]), None);
    }

    #[test]
    fn the_tenant_stands_before_the_api() {
        assert_eq!(tenant_in_path("/t/acme/api/sso/v1/me"), Some("acme"));
        assert_eq!(tenant_in_path("/id/t/acme/.well-known/jwks.json"), Some("acme"));
        assert_eq!(tenant_in_path("/api/sso/v1/me"), None);
        assert_eq!(tenant_in_path("/x/acme/api/sso/v1/me"), None);
        assert_eq!(tenant_in_path("/t/"), None);
    }
}
