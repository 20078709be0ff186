//! Finding the one credential of a request.

use super::refusal::Refusal;
use super::{Guard, PublicUrl};
use crate::certificate::Thumbprint;
use crate::dpop;
use crate::error::VerifyError;
use crate::opaque::is_token68;

const API_KEY: &str = "x-api-key";

/// What of a request is looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Head<'r, H> {
    /// The method, in upper case.
    pub method: &'r str,
    /// Path and query as the client sent them, whatever the framework cut off in between.
    pub target: &'r str,
    /// The headers.
    pub headers: H,
    /// The client's certificate, if TLS or a trusted proxy gave one; see
    /// [`Presented::certificate`](crate::Presented::certificate).
    pub certificate: Option<&'r Thumbprint>,
}

/// The headers of a request, as the framework keeps them.
pub trait Headers {
    /// Gives the value of every line of the header, in the order sent. `name` is in lower case.
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]>;
}

/// Names in lower case, with values.
impl<const N: usize> Headers for [(&str, &str); N] {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value.as_bytes())
    }
}

impl<'r, H: Headers> Head<'r, H> {
    /// Describes a request without a client certificate.
    pub fn new(method: &'r str, target: &'r str, headers: H) -> Self {
        Self { method, target, headers, certificate: None }
    }

    pub(super) fn path(&self) -> &'r str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// The value of the only line of a header.
    pub(super) fn single<'h>(&'h self, name: &'h str) -> Single<'h> {
        let mut lines = self.headers.lines(name);
        match (lines.next(), lines.next()) {
            (None, _) => Single::Absent,
            (Some(line), None) => Single::Once(line),
            (Some(_), Some(_)) => Single::Repeated,
        }
    }
}

/// How often a header was sent.
pub(super) enum Single<'r> {
    Absent,
    Once(&'r [u8]),
    Repeated,
}

/// A credential, and where it came from as far as that matters.
pub(super) enum Credential<'r> {
    ApiKey(&'r str),
    Bearer(&'r str),
    Dpop { token: &'r str, proof: &'r str, base: &'r str },
}

/// The schemes of `Authorization` that mean something here.
enum Scheme {
    Bearer,
    Dpop,
}

impl Guard {
    /// Finds the credential of a request, in the order that the module's documentation gives.
    pub(super) fn credential<'r, H: Headers>(
        &'r self,
        head: &'r Head<'_, H>,
    ) -> Result<Option<Credential<'r>>, Refusal> {
        match head.single("authorization") {
            Single::Once(value) => return self.authorization(value, head).map(Some),
            Single::Repeated => return Err(Refusal::AuthorizationMalformed),
            Single::Absent => {}
        }
        if let Some(name) = &self.shared.cookie
            && let Some(token) = cookie(head, name)?
        {
            self.check_site(head)?;
            return Ok(Some(Credential::Bearer(token)));
        }
        match head.single(API_KEY) {
            Single::Absent => Ok(None),
            Single::Once(value) => token68(value)
                .map(|key| Some(Credential::ApiKey(key)))
                .ok_or(Refusal::ApiKeyMalformed),
            Single::Repeated => Err(Refusal::ApiKeyMalformed),
        }
    }

    fn authorization<'r, H: Headers>(
        &'r self,
        value: &'r [u8],
        head: &'r Head<'_, H>,
    ) -> Result<Credential<'r>, Refusal> {
        let (scheme, token) = split_scheme(value)?;
        let public = self.shared.public_url.as_ref().filter(|_| self.dpop().is_some());
        match (scheme, public) {
            (Scheme::Bearer, _) => Ok(Credential::Bearer(token)),
            (Scheme::Dpop, Some(PublicUrl { base, .. })) => {
                let proof = dpop::only_header(head.headers.lines("dpop"));
                let proof = proof.map_err(|error| Refusal::Token(VerifyError::Dpop(error)))?;
                Ok(Credential::Dpop { token, proof, base })
            }
            (Scheme::Dpop, None) => Err(Refusal::Scheme),
        }
    }
}

/// Reads `scheme 1*SP token68` (RFC 9110 §11.4), of a scheme that is known here.
fn split_scheme(value: &[u8]) -> Result<(Scheme, &str), Refusal> {
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (name, rest) = value.split_at(end);
    let scheme = if name.eq_ignore_ascii_case(b"bearer") {
        Scheme::Bearer
    } else if name.eq_ignore_ascii_case(b"dpop") {
        Scheme::Dpop
    } else if name.is_empty() || rest.is_empty() || !name.iter().all(u8::is_ascii_alphanumeric) {
        return Err(Refusal::AuthorizationMalformed);
    } else {
        return Err(Refusal::Scheme);
    };
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    let token = rest.get(start..).and_then(token68);
    token.map(|token| (scheme, token)).ok_or(Refusal::AuthorizationMalformed)
}

/// Reads the token of a value of `Authorization: Bearer` (RFC 6750 §2.1), given every line of the
/// header.
///
/// # Errors
///
/// [`Refusal::Missing`] without a line, [`Refusal::AuthorizationMalformed`] with several or one that
/// is not the scheme and one token, [`Refusal::Scheme`] with another scheme.
pub fn bearer<'h>(lines: impl IntoIterator<Item = &'h [u8]>) -> Result<&'h str, Refusal> {
    let mut lines = lines.into_iter();
    let value = lines.next().ok_or(Refusal::Missing)?;
    if lines.next().is_some() {
        return Err(Refusal::AuthorizationMalformed);
    }
    match split_scheme(value)? {
        (Scheme::Bearer, token) => Ok(token),
        (Scheme::Dpop, _) => Err(Refusal::Scheme),
    }
}

fn token68(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|text| is_token68(text))
}

/// Finds the one cookie of the name (RFC 6265 §5.4). An empty one is none: so some clients sign out.
///
/// # Security
///
/// Two cookies of one name are refused: another host of the same site can add one of its own.
fn cookie<'r, H: Headers>(head: &'r Head<'_, H>, name: &str) -> Result<Option<&'r str>, Refusal> {
    let pairs = head.headers.lines("cookie").flat_map(|line| line.split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value)
    });
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::CookieAmbiguous);
    }
    match value {
        None | Some([]) => Ok(None),
        Some(value) => token68(value).map(Some).ok_or(Refusal::Token(VerifyError::Malformed)),
    }
}
