//! The port for outgoing requests: what a verifier may ask of the network, and what can go wrong.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A future that is boxed and can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends one request and reads the whole answer.
///
/// # Security
///
/// An implementation must not follow redirects, must stop reading at
/// [`Request::max_body_bytes`], must end within a few seconds, and must refuse addresses that the
/// caller's configuration does not allow: the address may have come from a remote document.
pub trait Fetch: Send + Sync {
    /// Sends the request.
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Response, FetchError>>;
}

/// An outgoing request.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// `GET` without a body, otherwise `POST`.
    pub body: Option<Vec<u8>>,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Where to, absolute.
    pub url: String,
    /// The length in bytes above which the answer's body is refused.
    pub max_body_bytes: usize,
}

impl Request {
    /// Asks for a document of at most 64 KiB.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { body: None, headers: Vec::new(), url: url.into(), max_body_bytes: 1 << 16 }
    }

    /// Sends a body and expects at most 64 KiB back.
    #[must_use]
    pub fn post(url: impl Into<String>, content_type: &str, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..Self::get(url) }.header("content-type", content_type)
    }

    /// Adds a header; its name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers and body may hold credentials.
        f.debug_struct("Request").field("url", &self.url).finish_non_exhaustive()
    }
}

/// An answer, read to its end.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The body, not longer than was allowed.
    pub body: Vec<u8>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status.
    pub status: u16,
}

impl Response {
    /// An answer without headers.
    #[must_use]
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { body, headers: Vec::new(), status }
    }

    /// Gives the first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or it broke.
    Failed,
    /// The address is not allowed: not `https`, or it resolves to a private or special network.
    Refused,
    /// The answer took too long.
    TimedOut,
    /// The answer is longer than allowed.
    TooLarge,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the request failed",
            Self::Refused => "the address is not allowed",
            Self::TimedOut => "the answer took too long",
            Self::TooLarge => "the answer is too large",
        })
    }
}

impl std::error::Error for FetchError {}
