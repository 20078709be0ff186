//! What can go wrong with an opaque credential and with the configuration.

use std::fmt;

use crate::fetch::FetchError;

/// Why an opaque credential was not accepted.
///
/// No variant and no text holds anything of the credential or of the issuer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The credential is not for any accepted audience, or names none.
    Audience,
    /// The end of the credential's life has come.
    Expired,
    /// The issuer does not vouch for the credential: unknown, revoked, expired or not for us.
    Inactive,
    /// The issuer says that it issued the credential in the future.
    IssuedInFuture,
    /// The answer names another issuer than the configured one.
    Issuer,
    /// The length or the alphabet is wrong for a credential. Nothing was asked.
    Malformed,
    /// The credential's `nbf` has not come yet.
    NotYetValid,
    /// The issuer vouches for the credential but names no subject.
    Subject,
    /// The token is of a kind that gives no access, such as a refresh token, or its type is `DPoP`
    /// and no key is named.
    TokenType,
    /// It cannot be known at present whether the credential is good. This is not the bearer's
    /// trouble: answer 503, not 401.
    Unavailable(Reason),
    /// The text is not a credential that may be asked about here: another prefix, or from another
    /// place in the request. Nothing was asked.
    Unrecognised,
}

impl Error {
    /// Gives the stable public code, `opaque.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Audience => "opaque.audience",
            Self::Expired => "opaque.expired",
            Self::Inactive => "opaque.inactive",
            Self::IssuedInFuture => "opaque.issued_in_future",
            Self::Issuer => "opaque.issuer",
            Self::Malformed => "opaque.malformed",
            Self::NotYetValid => "opaque.not_yet_valid",
            Self::Subject => "opaque.subject",
            Self::TokenType => "opaque.token_type",
            Self::Unavailable(_) => "opaque.unavailable",
            Self::Unrecognised => "opaque.unrecognised",
        }
    }

    /// Says whether this is our trouble and not the bearer's: 503 instead of 401.
    #[must_use]
    pub const fn is_unavailable(self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audience => "the credential is for another audience",
            Self::Expired => "the credential has expired",
            Self::Inactive => "the credential is not active",
            Self::IssuedInFuture => "the credential was issued in the future",
            Self::Issuer => "the credential is from another issuer",
            Self::Malformed => "the credential is malformed",
            Self::NotYetValid => "the credential is not valid yet",
            Self::Subject => "the credential names no subject",
            Self::TokenType => "the token is of another type",
            Self::Unavailable(reason) => return write!(f, "the issuer cannot tell: {reason}"),
            Self::Unrecognised => "not a credential of this issuer",
        })
    }
}

impl std::error::Error for Error {}

/// Why nobody can tell whether a credential is good. For logs and metrics; a client sees only
/// `opaque.unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The answer is not what the endpoint is specified to send.
    Answer,
    /// The endpoint refuses our own credentials (401 or 403). Check the configuration.
    Client,
    /// There was no answer.
    Fetch(FetchError),
    /// The app's own [`KeyLookup`](super::KeyLookup) failed.
    Lookup,
    /// Asking takes time, and the caller did not want to wait.
    NotAsked,
    /// As many requests as allowed are under way.
    Overloaded,
    /// The last requests failed one after another; none is made for a few seconds.
    Resting,
    /// The answer has this HTTP status, which is no verdict.
    Status(u16),
}

impl Reason {
    /// Says what this tells about the issuer, whatever the credential. An attacker who finds
    /// credentials with an odd answer must not switch off everyone's.
    pub(super) const fn sign(self) -> Sign {
        match self {
            Self::Fetch(FetchError::TooLarge) | Self::Answer | Self::Client => Sign::Up,
            Self::Status(status) if !matches!(status, 502..=504) => Sign::Up,
            Self::Fetch(_) | Self::Status(_) => Sign::Down,
            // One key at which the app's own lookup fails says nothing about the next.
            Self::Lookup | Self::NotAsked | Self::Overloaded | Self::Resting => Sign::None,
        }
    }
}

/// Whether an issuer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It was not asked, or that tells nothing.
    None,
    /// It answered.
    Up,
    /// It is silent, or a gateway says so.
    Down,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "the answer is not as specified",
            Self::Client => "the endpoint refused the verifier's own credentials",
            Self::Fetch(error) => return write!(f, "{error}"),
            Self::Lookup => "the key lookup failed",
            Self::NotAsked => "the issuer was not asked",
            Self::Overloaded => "too many requests are under way",
            Self::Resting => "too many requests failed, none is made for a while",
            Self::Status(status) => return write!(f, "the answer has status {status}"),
        })
    }
}

/// Why opaque credentials cannot be checked with these settings. The text names the setting and the
/// fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigError {
    /// The list of audiences is empty, or one of them is.
    Audiences,
    /// A client id, secret or bearer token is empty or cannot stand in a header.
    Client,
    /// The endpoint is not an absolute `https` URL (`http` on a loopback host only).
    Endpoint,
    /// The issuer's name is empty.
    Issuer,
    /// The leeway is longer than 120 seconds.
    LeewayTooLong,
    /// The named member of [`Limits`](super::Limits) is out of its range.
    Limit(&'static str),
    /// A prefix is too short, cannot start a credential, or starts every JWT.
    Prefix,
    /// The prefix for clients as subjects is empty.
    SubjectPrefix,
    /// The list of token types is empty.
    TokenTypes,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audiences => "name at least one audience and no empty one, or `Audiences::Any`",
            Self::Client => {
                "give a client id and secret, or a bearer token of the token68 alphabet"
            }
            Self::Endpoint => "give an absolute `https` endpoint without user, fragment or spaces",
            Self::Issuer => "the issuer is empty; give its name",
            Self::LeewayTooLong => "`leeway` is over 120 seconds; shorten it",
            Self::Limit(name) => return write!(f, "`{name}` is out of range; see `Limits`"),
            Self::Prefix => "a key prefix has 4 to 64 token68 letters and starts no JWT",
            Self::SubjectPrefix => "the prefix for clients is empty; give one such as `client:`",
            Self::TokenTypes => "`token_types` is empty; name at least one",
        })
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::{Error, Reason};

    /// Walks through the variants; a new one does not compile until it has its place here.
    fn after(error: Error) -> Option<Error> {
        Some(match error {
            Error::Audience => Error::Expired,
            Error::Expired => Error::Inactive,
            Error::Inactive => Error::IssuedInFuture,
            Error::IssuedInFuture => Error::Issuer,
            Error::Issuer => Error::Malformed,
            Error::Malformed => Error::NotYetValid,
            Error::NotYetValid => Error::Subject,
            Error::Subject => Error::TokenType,
            Error::TokenType => Error::Unavailable(Reason::Answer),
            Error::Unavailable(_) => Error::Unrecognised,
            Error::Unrecognised => return None,
        })
    }

    fn codes() -> Vec<&'static str> {
        std::iter::successors(Some(Error::Audience), |error| after(*error))
            .map(Error::code)
            .collect()
    }

    #[test]
    fn the_codes_are_these() {
        let pinned = "opaque.audience opaque.expired opaque.inactive opaque.issued_in_future \
                      opaque.issuer opaque.malformed opaque.not_yet_valid opaque.subject \
                      opaque.token_type opaque.unavailable opaque.unrecognised";
        assert_eq!(codes().join(" "), pinned);
    }

    #[test]
    fn the_first_page_lists_every_code() {
        for code in codes() {
            assert!(include_str!("mod.rs").contains(&format!("`{code}`")), "{code}");
        }
    }
}
