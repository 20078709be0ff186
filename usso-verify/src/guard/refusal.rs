//! Why a request is refused.

use std::fmt;

use super::rule::InvalidRule;
use crate::access::Denied;
use crate::challenge::ErrorCode;
use crate::error::VerifyError;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// `x-api-key` was sent several times, or is not one key.
    ApiKeyMalformed,
    /// `Authorization` was sent several times, or is not a scheme and one token.
    AuthorizationMalformed,
    /// The claims of a good token are not what the handler reads.
    Claims,
    /// The cookie was sent twice.
    CookieAmbiguous,
    /// The request was made with a cookie, by a page of another site.
    CrossSite,
    /// The caller may not do this.
    Denied(Denied),
    /// A handler wants a caller where no guard was installed: a mistake of the program.
    GuardMissing,
    /// The rule of a handler is not one: a mistake of the program.
    InvalidRule(InvalidRule),
    /// There is no credential.
    Missing,
    /// A part of the path that a rule looks at is not UTF-8, or has a dot segment or a control
    /// character in it.
    PathMalformed,
    /// A rule names a part of the path that is not there, or there twice: a mistake of the program.
    PathParameter(String),
    /// The scheme of `Authorization` is not one that is taken here.
    Scheme,
    /// The credential is not good.
    Token(VerifyError),
    /// Nobody can tell at present whether the credential is good.
    Unavailable,
}

impl Refusal {
    /// Gives the stable public code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ApiKeyMalformed => "access.api_key_malformed",
            Self::AuthorizationMalformed => "access.authorization_malformed",
            Self::Claims => "access.claims",
            Self::CookieAmbiguous => "access.cookie_ambiguous",
            Self::CrossSite => "request.cross_site",
            Self::Denied(denied) => denied.code(),
            Self::GuardMissing => "guard.missing",
            Self::InvalidRule(_) => "guard.rule",
            Self::Missing => "access.token_missing",
            Self::PathMalformed => "request.path_malformed",
            Self::PathParameter(_) => "guard.path_parameter",
            Self::Scheme => "access.scheme",
            Self::Token(error) => error.code(),
            Self::Unavailable => "access.unavailable",
        }
    }

    /// Gives the HTTP status: 400 for a malformed request, 401 for a credential that is missing or
    /// not good, 403 for a caller who may not do this, 500 for a mistake of the program, 503 while
    /// nobody can tell.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::ApiKeyMalformed
            | Self::AuthorizationMalformed
            | Self::CookieAmbiguous
            | Self::PathMalformed => 400,
            Self::Missing | Self::Scheme => 401,
            // The next token would not have them either.
            Self::Claims | Self::CrossSite => 403,
            Self::Denied(denied) => denied.status(),
            Self::GuardMissing | Self::InvalidRule(_) | Self::PathParameter(_) => 500,
            Self::Token(error) => error.status(),
            Self::Unavailable => 503,
        }
    }

    /// Gives the error to put into a challenge; none when there was no credential, or the credential
    /// is not at fault.
    #[must_use]
    pub const fn challenge_error(&self) -> Option<ErrorCode> {
        match self {
            Self::ApiKeyMalformed | Self::AuthorizationMalformed | Self::CookieAmbiguous => {
                Some(ErrorCode::InvalidRequest)
            }
            Self::Denied(Denied::StepUp(_)) => Some(ErrorCode::InsufficientUserAuthentication),
            Self::Claims | Self::Denied(_) => Some(ErrorCode::InsufficientScope),
            Self::Token(error) => error.challenge_error(),
            Self::CrossSite
            | Self::GuardMissing
            | Self::InvalidRule(_)
            | Self::Missing
            | Self::PathMalformed
            | Self::PathParameter(_)
            | Self::Scheme
            | Self::Unavailable => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKeyMalformed => "the header `x-api-key` must be sent once, with one key",
            Self::AuthorizationMalformed => {
                "the header `Authorization` must be sent once: `Bearer`, a space, and one token without quotes"
            }
            Self::Claims => "the token has not the claims that are needed",
            Self::CookieAmbiguous => "the cookie of the token was sent twice",
            Self::CrossSite => "the request comes from another site",
            Self::Denied(denied) => return denied.fmt(f),
            Self::GuardMissing => "this route is not set up to know its callers",
            Self::Missing => "sign in: this needs an access token",
            Self::InvalidRule(_) | Self::PathParameter(_) => {
                "this route is not set up to know what its callers may do"
            }
            Self::PathMalformed => "the address has a part that cannot be read",
            Self::Scheme => "the scheme of the header `Authorization` is not accepted; send `Bearer`",
            Self::Token(error) => return error.fmt(f),
            Self::Unavailable => "whether the token is good cannot be told at present",
        })
    }
}

impl std::error::Error for Refusal {}

impl From<InvalidRule> for Refusal {
    fn from(invalid: InvalidRule) -> Self {
        Self::InvalidRule(invalid)
    }
}
