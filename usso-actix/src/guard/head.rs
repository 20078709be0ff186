//! A request of actix as a guard sees it.

use std::rc::Rc;

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::{
        Method,
        header::{HeaderMap, HeaderValue},
        uri::Authority,
    },
};
use tokio::sync::OnceCell;
use usso_verify::{
    Principal,
    certificate::Thumbprint,
    guard::{Guard, Head, Headers},
};

/// The headers.
pub(super) struct Lines<'r>(&'r HeaderMap);

impl Headers for Lines<'_> {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }
}

/// Gives the headers.
pub(super) fn lines(request: &HttpRequest) -> Lines<'_> {
    Lines(request.headers())
}

/// Describes the request. Its address is the one that the client sent, in scopes as well.
pub(super) fn head<'r>(
    request: &'r HttpRequest,
    certificate: Option<&'r Thumbprint>,
) -> Head<'r, Lines<'r>> {
    let target = request.uri().path_and_query().map_or(request.path(), |target| target.as_str());
    let mut head = Head::new(request.method().as_str(), target, Lines(request.headers()));
    head.authority = request.uri().authority().map(Authority::as_str);
    head.certificate = certificate;
    head
}

/// The client's certificate: what a middleware put to the request, else what `on_connect` put to the
/// connection.
pub(super) fn certificate(request: &HttpRequest) -> Option<Thumbprint> {
    let own = request.extensions().get::<Thumbprint>().copied();
    own.or_else(|| request.conn_data::<Thumbprint>().copied())
}

/// A named part of the path as `web::Path` gives it to the handler, whose reader this is. None where
/// the router has not come to it yet.
///
/// # Security
///
/// A name that is there twice is none: which of the two the handler looks at is not known.
pub(super) fn path_parameter(request: &HttpRequest, wanted: &str) -> Option<String> {
    let path = request.match_info();
    let values = path.load::<Vec<String>>().ok()?;
    let mut found = path.iter().zip(values).filter(|((name, _), _)| *name == wanted);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// The places for the callers of one request, each with the guard that verifies it and what it looks
/// at: what one guard let pass is nothing to another, nor for other credentials or another method.
#[derive(Default)]
struct Places(Vec<Place>);

struct Place {
    guard: Guard,
    method: Method,
    credentials: Vec<HeaderValue>,
    caller: Rc<OnceCell<Principal>>,
}

/// Gives the place for the caller that this guard verifies. Those who ask at the same time, as the
/// extractors of a handler do, wait there for the first.
pub(super) fn place(request: &HttpRequest, guard: &Guard) -> Rc<OnceCell<Principal>> {
    let lines = |name| request.headers().get_all(name);
    let credentials = || {
        let plain = lines("authorization").chain(lines("cookie"));
        plain.chain(lines("x-api-key")).chain(lines("dpop"))
    };
    let mut extensions = request.extensions_mut();
    if !extensions.contains::<Places>() {
        extensions.insert(Places::default());
    }
    let Some(Places(places)) = extensions.get_mut::<Places>() else {
        return Rc::default();
    };
    let same = |place: &&Place| {
        place.guard.is(guard)
            && place.method == *request.method()
            && place.credentials.iter().eq(credentials())
    };
    if let Some(place) = places.iter().find(same) {
        return Rc::clone(&place.caller);
    }
    let caller = Rc::default();
    places.push(Place {
        guard: guard.clone(),
        method: request.method().clone(),
        credentials: credentials().cloned().collect(),
        caller: Rc::clone(&caller),
    });
    caller
}
