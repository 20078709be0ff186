//! A request of axum as a guard sees it.

use axum::{
    extract::{
        FromRequestParts as _, OriginalUri, RawPathParams, rejection::RawPathParamsRejection,
    },
    http::{
        Extensions, HeaderMap, HeaderValue, Method, Request, Uri, header, request::Parts,
        uri::Authority,
    },
};
use usso_verify::{
    Principal,
    certificate::Thumbprint,
    guard::{Guard, Head, Headers, Refusal},
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
        head.authority = uri.authority().map(Authority::as_str);
        head.certificate = self.extensions.get::<Thumbprint>();
        head
    }

    /// Gives the headers.
    pub(super) fn lines(self) -> Lines<'r> {
        Lines(self.headers)
    }

    /// Gives the caller that the guard verified before.
    pub(super) fn vouched(self, guard: &Guard) -> Option<Principal> {
        let vouched = self.extensions.get::<Vouched>()?;
        let same = vouched.guard.is(guard)
            && vouched.method == *self.method
            && vouched.credentials.are_in(self.headers);
        same.then(|| vouched.caller.clone())
    }

    /// Vouches for the caller of this request.
    pub(super) fn vouch(self, guard: &Guard, caller: &Principal) -> Vouched {
        Vouched {
            guard: guard.clone(),
            caller: caller.clone(),
            method: self.method.clone(),
            credentials: Credentials::of(self.headers),
        }
    }

    /// Says whether the request has a proof, which is used up by being looked at.
    pub(super) fn has_proof(self) -> bool {
        self.headers.contains_key("dpop")
    }
}

/// The named parts of the path, as `Path` gives them to a handler.
pub(super) struct Path(Vec<(String, String)>);

impl Path {
    /// Reads them. There are none where the router has not matched the request yet.
    pub(super) async fn of(parts: &mut Parts) -> Result<Self, Refusal> {
        let parameters = match RawPathParams::from_request_parts(parts, &()).await {
            Ok(parameters) => parameters,
            Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)) => {
                return Err(Refusal::PathMalformed);
            }
            Err(_) => return Ok(Self(Vec::new())),
        };
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(Self(parameters.iter().map(owned).collect()))
    }

    /// Gives a part.
    ///
    /// # Security
    ///
    /// A name that is there twice, as in nested routers, is none: which of the two the handler looks
    /// at is not known.
    pub(super) fn get(&self, wanted: &str) -> Option<String> {
        let mut found = self.0.iter().filter(|(name, _)| name == wanted);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.clone())
    }
}

/// A caller, the guard that verified it and the request that it was for. What one guard let pass is
/// nothing to another, and nothing for another request that was made of this one.
#[derive(Clone)]
pub(super) struct Vouched {
    guard: Guard,
    caller: Principal,
    method: Method,
    credentials: Credentials,
}

/// The lines of a request that a credential can be in.
#[derive(Clone)]
enum Credentials {
    Authorization(HeaderValue),
    Others(Vec<HeaderValue>),
}

impl Credentials {
    fn of(headers: &HeaderMap) -> Self {
        match headers.get(header::AUTHORIZATION) {
            Some(value) => Self::Authorization(value.clone()),
            None => Self::Others(others(headers).cloned().collect()),
        }
    }

    fn are_in(&self, headers: &HeaderMap) -> bool {
        match (self, headers.get(header::AUTHORIZATION)) {
            // Mostly the very same bytes.
            (Self::Authorization(value), Some(now)) => {
                std::ptr::eq(value.as_bytes(), now.as_bytes()) || value == now
            }
            (Self::Others(values), None) => values.iter().eq(others(headers)),
            _ => false,
        }
    }
}

fn others(headers: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
    headers.get_all(header::COOKIE).iter().chain(headers.get_all("x-api-key"))
}

/// Leaves the caller for other layers and extractors, and as [`Principal`] for whatever reads
/// extensions. Where there is none, one that another guard left is taken away.
pub(super) fn leave(extensions: &mut Extensions, vouched: Option<Vouched>) {
    if let Some(vouched) = vouched {
        extensions.insert(vouched.caller.clone());
        extensions.insert(vouched);
    } else {
        extensions.remove::<Principal>();
    }
}
