//! A request of axum as a guard sees it.

use axum::{
    extract::{FromRequestParts as _, OriginalUri, RawPathParams},
    http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri, header, request::Parts},
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

/// What of a request is looked at.
#[derive(Clone, Copy)]
pub(super) struct Seen<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> From<&'r Parts> for Seen<'r> {
    fn from(parts: &'r Parts) -> Self {
        let Parts { method, uri, headers, extensions, .. } = parts;
        Self { method, uri, headers, extensions }
    }
}

impl<'r, B> From<&'r Request<B>> for Seen<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'r> Seen<'r> {
    /// Describes the request. Its address is the one that the client sent, not what is left of it in
    /// a nested router.
    pub(super) fn head(self) -> Head<'r, Lines<'r>> {
        let original = self.extensions.get::<OriginalUri>();
        let uri = original.map_or(self.uri, |OriginalUri(uri)| uri);
        let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
        let mut head = Head::new(self.method.as_str(), target, Lines(self.headers));
        head.certificate = self.extensions.get::<Thumbprint>();
        head
    }

    /// Gives the caller that the guard verified before.
    pub(super) fn vouched(self, guard: &Guard) -> Option<Principal> {
        let vouched = self.extensions.get::<Vouched>()?;
        vouched.guard.is(guard).then(|| vouched.caller.clone())
    }

    /// Says whether the request has a proof, which is used up by being looked at.
    pub(super) fn has_proof(self) -> bool {
        self.headers.contains_key("dpop")
    }
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

/// Remembers the caller, for other layers and extractors, and as [`Principal`] for whatever reads
/// extensions.
pub(super) fn vouch(extensions: &mut Extensions, guard: &Guard, caller: &Principal) {
    extensions.insert(Vouched { guard: guard.clone(), caller: caller.clone() });
    extensions.insert(caller.clone());
}
