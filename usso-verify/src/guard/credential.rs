//! Finding the one credential of a request.

use super::refusal::Refusal;
use super::{Guard, PublicUrl};
use crate::certificate::Thumbprint;
use crate::dpop;
use crate::error::VerifyError;
use crate::opaque::is_token68;
use crate::presented::Presented;

/// What of a request is looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Head<'r, H> {
    /// The method, in upper case.
    pub method: &'r str,
    /// Path and query as the client sent them, whatever the framework cut off in between.
    pub target: &'r str,
    /// The host of the address, where the request names it there as HTTP/2 does; it stands in for a
    /// missing `Host`.
    pub authority: Option<&'r str>,
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

impl<'r, H> Head<'r, H> {
    /// Describes a request without a client certificate.
    pub fn new(method: &'r str, target: &'r str, headers: H) -> Self {
        Self { method, target, authority: None, headers, certificate: None }
    }

    pub(super) fn path(&self) -> &'r str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }
}

impl<H: Headers> Head<'_, H> {
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

/// A credential, and where it came from.
pub(super) struct Credential<'r> {
    text: &'r str,
    place: Place<'r>,
}

enum Place<'r> {
    ApiKey,
    Bearer,
    Cookie,
    Dpop {
        proof: &'r str,
        base: &'r str,
    },
    /// A header that carries the token alone.
    TokenHeader,
}

impl Credential<'_> {
    /// Refuses text that is no `token68`.
    pub(super) fn check_form(&self) -> Result<(), Refusal> {
        if is_token68(self.text) {
            return Ok(());
        }
        Err(match self.place {
            Place::ApiKey => Refusal::ApiKeyMalformed,
            Place::Bearer | Place::Dpop { .. } => Refusal::AuthorizationMalformed,
            Place::Cookie | Place::TokenHeader => Refusal::Token(VerifyError::Malformed),
        })
    }

    /// The address that a proof must be for; empty without one.
    pub(super) fn uri<H>(&self, head: &Head<'_, H>) -> String {
        match self.place {
            Place::Dpop { base, .. } => format!("{base}{}", head.path()),
            _ => String::new(),
        }
    }

    pub(super) fn presented<'p, H>(&'p self, head: &Head<'p, H>, uri: &'p str) -> Presented<'p> {
        let presented = match self.place {
            Place::ApiKey => Presented::api_key(self.text),
            Place::Bearer | Place::Cookie | Place::TokenHeader => Presented::bearer(self.text),
            Place::Dpop { proof, .. } => Presented::dpop(self.text, proof, head.method, uri),
        };
        match head.certificate {
            Some(certificate) => presented.certificate(certificate),
            None => presented,
        }
    }
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
        let token_header = self.shared.token_header.as_deref();
        match (head.single(token_header.unwrap_or("authorization")), token_header) {
            (Single::Once(value), None) => return self.authorization(value, head).map(Some),
            (Single::Repeated, None) => return Err(Refusal::AuthorizationMalformed),
            (Single::Once(value), Some(_)) => {
                let text = std::str::from_utf8(value);
                let text = text.map_err(|_| Refusal::Token(VerifyError::Malformed))?;
                return Ok(Some(Credential { text, place: Place::TokenHeader }));
            }
            (Single::Repeated, Some(_)) => return Err(Refusal::Token(VerifyError::Malformed)),
            (Single::Absent, _) => {}
        }
        if let Some(name) = &self.shared.cookie
            && let Some(text) = cookie(head, name)?
        {
            self.check_site(head)?;
            return Ok(Some(Credential { text, place: Place::Cookie }));
        }
        match head.single(&self.shared.api_key_header) {
            Single::Absent => Ok(None),
            Single::Once(value) => match std::str::from_utf8(value) {
                Ok(text) => Ok(Some(Credential { text, place: Place::ApiKey })),
                Err(_) => Err(Refusal::ApiKeyMalformed),
            },
            Single::Repeated => Err(Refusal::ApiKeyMalformed),
        }
    }

    fn authorization<'r, H: Headers>(
        &'r self,
        value: &'r [u8],
        head: &'r Head<'_, H>,
    ) -> Result<Credential<'r>, Refusal> {
        let (scheme, text) = split_scheme(value)?;
        let public = self.shared.public_url.as_ref().filter(|_| self.dpop().is_some());
        let place = match (scheme, public) {
            (Scheme::Bearer, _) => Place::Bearer,
            (Scheme::Dpop, Some(_)) if has_dot_segments(head.path()) => {
                return Err(Refusal::PathMalformed);
            }
            (Scheme::Dpop, Some(PublicUrl { base, .. })) => {
                let proof = dpop::only_header(head.headers.lines("dpop"));
                let proof = proof.map_err(|error| Refusal::Token(VerifyError::Dpop(error)))?;
                Place::Dpop { proof, base }
            }
            (Scheme::Dpop, None) => return Err(Refusal::Scheme),
        };
        Ok(Credential { text, place })
    }
}

/// Addresses are compared without dot segments (RFC 9449 §4.3), and could leave the service by them.
fn has_dot_segments(path: &str) -> bool {
    let dots = |segment: &str| {
        matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
    };
    path.split('/').any(dots)
}

/// Cuts `scheme 1*SP token68` (RFC 9110 §11.4) apart, of a scheme that is known here. The form of
/// the token is still to be checked.
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
    let token = rest.get(start..).and_then(|token| std::str::from_utf8(token).ok());
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
        (Scheme::Bearer, token) if is_token68(token) => Ok(token),
        (Scheme::Bearer, _) => Err(Refusal::AuthorizationMalformed),
        (Scheme::Dpop, _) => Err(Refusal::Scheme),
    }
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
        Some(value) => match std::str::from_utf8(value) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Refusal::Token(VerifyError::Malformed)),
        },
    }
}
