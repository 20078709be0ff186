//! How a refusal looks from outside.

use serde::Serialize;

use super::credential::{Head, Headers, Single};
use super::refusal::Refusal;
use crate::access::{Denied, is_scope_token};
use crate::algorithm::Algorithm;
use crate::challenge::Challenge;

const RETRY_AFTER: &str = "5";
/// The most bytes of a text in a header.
const MAX_TEXT: usize = 256;
/// What the service is called if the app says nothing.
pub(super) const REALM: &str = "api";

/// The answer to a request that is refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, which the body has too.
    pub code: &'static str,
    /// Names in lower case, with values that can be sent. A name may come twice.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON unless it was replaced. Empty for gRPC, which has all of it in headers.
    pub body: String,
}

/// USSO's form of an error.
#[derive(Serialize)]
struct Body<'a> {
    error_code: &'a str,
    message: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Message {
    en: String,
}

impl Answer {
    /// Makes the usual answer, of a service that takes bearer tokens.
    #[must_use]
    pub fn plain(refusal: &Refusal) -> Self {
        Self::of(refusal, &Style::default(), &Head::new("GET", "/", []))
    }

    pub(super) fn of<H: Headers>(refusal: &Refusal, style: &Style<'_>, head: &Head<'_, H>) -> Self {
        let mut headers = vec![("cache-control", "no-store".to_owned())];
        let challenges = style.challenges(refusal, is_dpop(head));
        headers.extend(challenges.map(|value| ("www-authenticate", value)));
        if refusal.status() == 503 {
            headers.push(("retry-after", RETRY_AFTER.to_owned()));
        }
        headers.extend(style.nonce.iter().map(|nonce| ("dpop-nonce", nonce.clone())));
        let mut answer =
            Self { status: refusal.status(), code: refusal.code(), headers, body: String::new() };
        if let Some(kind) = grpc_kind(head).filter(|_| style.grpc) {
            answer.make_grpc(refusal, kind);
        } else {
            answer.headers.push(("content-type", "application/json".to_owned()));
            answer.body = body(refusal, request_id(head));
        }
        answer
    }

    /// gRPC has its own status, and all of an answer without content in the headers.
    fn make_grpc(&mut self, refusal: &Refusal, kind: &str) {
        let status = match self.status {
            401 => "16", // UNAUTHENTICATED
            403 => "7",  // PERMISSION_DENIED
            503 => "14", // UNAVAILABLE
            400 => "3",  // INVALID_ARGUMENT
            _ => "13",   // INTERNAL
        };
        self.status = 200;
        self.headers.push(("content-type", kind.to_owned()));
        self.headers.push(("grpc-status", status.to_owned()));
        let message = format!("{}: {refusal}", self.code);
        self.headers.push(("grpc-message", percent_encoded(cut(&message))));
    }
}

/// What a guard adds to an answer.
pub(super) struct Style<'g> {
    pub(super) realm: &'g str,
    pub(super) resource_metadata: Option<&'g str>,
    /// The algorithms of proofs, where they are taken.
    pub(super) dpop: Option<&'g [Algorithm]>,
    pub(super) nonce: Option<String>,
    /// Whether requests of gRPC get their answers in its form.
    pub(super) grpc: bool,
}

impl Default for Style<'_> {
    fn default() -> Self {
        Self { realm: REALM, resource_metadata: None, dpop: None, nonce: None, grpc: false }
    }
}

impl Style<'_> {
    /// The values of `WWW-Authenticate`, one for each scheme that is taken. What is wrong is said in
    /// that of the scheme that was used.
    fn challenges(&self, refusal: &Refusal, by_proof: bool) -> impl Iterator<Item = String> {
        let wanted = matches!(refusal.status(), 400 | 401 | 403)
            && !matches!(refusal, Refusal::CrossSite | Refusal::PathMalformed);
        let dpop = self.dpop.map(|algorithms| Challenge::dpop(algorithms.iter().copied()));
        let by_proof = by_proof && dpop.is_some();
        let both = [Some((Challenge::bearer(), !by_proof)), dpop.map(|dpop| (dpop, by_proof))];
        both.into_iter().flatten().filter(move |_| wanted).filter_map(move |(challenge, used)| {
            let mut challenge = challenge.realm(self.realm);
            if let Some(url) = self.resource_metadata {
                challenge = challenge.resource_metadata(url);
            }
            if used {
                challenge = explained(challenge, refusal);
            }
            challenge.value().ok()
        })
    }
}

fn explained(challenge: Challenge, refusal: &Refusal) -> Challenge {
    let Some(error) = refusal.challenge_error() else {
        return challenge;
    };
    let challenge = match refusal {
        Refusal::Denied(Denied::StepUp(step_up)) => challenge.step_up(step_up),
        Refusal::Denied(Denied::Scope(scope))
            if is_scope_token(scope) && scope.len() <= MAX_TEXT =>
        {
            challenge.error(error).scope([scope])
        }
        _ => challenge.error(error),
    };
    challenge.error_description(cut(&refusal.to_string()))
}

/// Cuts text that a request made long: headers have little room.
fn cut(text: &str) -> &str {
    (0..=MAX_TEXT).rev().find_map(|end| text.get(..end)).unwrap_or(text)
}

fn is_dpop<H: Headers>(head: &Head<'_, H>) -> bool {
    let scheme =
        |value: &[u8]| value.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"dpop "));
    matches!(head.single("authorization"), Single::Once(value) if scheme(value))
}

/// The kind of gRPC that the client speaks, if it does.
fn grpc_kind<H: Headers>(head: &Head<'_, H>) -> Option<&'static str> {
    let Single::Once(kind) = head.single("content-type") else {
        return None;
    };
    let kinds = ["application/grpc-web-text", "application/grpc-web", "application/grpc"];
    kinds.into_iter().find(|known| kind.starts_with(known.as_bytes()))
}

/// The id under which the request is in the logs, if whoever stands before the service gave it one.
fn request_id<'r, H: Headers>(head: &'r Head<'_, H>) -> Option<&'r str> {
    let Single::Once(id) = head.single("x-request-id") else {
        return None;
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let sound = (8..=64).contains(&id.len()) && id.iter().all(plain);
    if sound { std::str::from_utf8(id).ok() } else { None }
}

fn body(refusal: &Refusal, request_id: Option<&str>) -> String {
    let detail = match refusal {
        Refusal::Denied(Denied::Scope(scope)) => Some(format!("scope {}", cut(scope))),
        Refusal::Denied(Denied::Role(role)) => Some(format!("role {role}")),
        _ => None,
    };
    let message = Message { en: sentence(cut(&refusal.to_string())) };
    let body = Body { error_code: refusal.code(), message, detail, request_id };
    serde_json::to_string(&body).unwrap_or_default()
}

/// What a developer reads as a line, written for a person.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// The form that `grpc-message` has.
fn percent_encoded(text: &str) -> String {
    let written = |byte: u8| match byte {
        b'%' | ..b' ' | b'\x7f'.. => format!("%{byte:02X}"),
        plain => char::from(plain).to_string(),
    };
    text.bytes().map(written).collect()
}
