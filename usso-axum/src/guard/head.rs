//! A request of axum as a guard sees it.

use axum::{
    extract::{FromRequestParts as _, OriginalUri, RawPathParams},
    http::{HeaderMap, HeaderValue, Uri, header, request::Parts},
};
use usso_verify::{
    Principal,
    certificate::Thumbprint,
    guard::{Guard, Head, Headers},
};

/// The headers.
pub(super) struct Lines<'r>(&'r HeaderMap);

impl Headers for Lines<'_> {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        // Constants are found faster than text.
        let lines = match name {
            "authorization" => self.0.get_all(header::AUTHORIZATION),
            name => self.0.get_all(name),
        };
        lines.iter().map(HeaderValue::as_bytes)
    }
}

/// Describes the request. Its address is the one that the client sent, not what is left of it in a
/// nested router.
pub(super) fn head(parts: &Parts) -> Head<'_, Lines<'_>> {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let target = Uri::path_and_query(uri).map_or(uri.path(), |target| target.as_str());
    let mut head = Head::new(parts.method.as_str(), target, Lines(&parts.headers));
    head.certificate = parts.extensions.get::<Thumbprint>();
    head
}

/// The named parts of the path, as `Path` gives them to a handler. None where the router has not
/// matched the request yet, or a part is not UTF-8.
pub(super) async fn path_parameters(parts: &mut Parts) -> Vec<(String, String)> {
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
        return Vec::new();
    };
    parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A caller, and the guard that verified it: what one guard let pass is nothing to another.
#[derive(Clone)]
struct Vouched {
    guard: Guard,
    caller: Principal,
}

/// Gives the caller that the guard verified before.
pub(super) fn vouched(parts: &Parts, guard: &Guard) -> Option<Principal> {
    let vouched = parts.extensions.get::<Vouched>()?;
    vouched.guard.is(guard).then(|| vouched.caller.clone())
}

/// Remembers the caller, for other layers and extractors, and as [`Principal`] for whatever reads
/// extensions.
pub(super) fn vouch(parts: &mut Parts, guard: &Guard, caller: &Principal) {
    parts.extensions.insert(Vouched { guard: guard.clone(), caller: caller.clone() });
    parts.extensions.insert(caller.clone());
}
