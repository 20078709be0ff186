//! What can go wrong: with a token, with a key, with a configuration.

use std::fmt;

use crate::algorithm::Algorithm;
use crate::challenge::{Challenge, ErrorCode};
use crate::dpop;
use crate::json;
use crate::opaque;

/// Why a token was refused.
///
/// No variant and no text holds anything of the token.
///
/// # Security
///
/// A reply to the bearer should say no more than [`code`](Self::code): the order in which the
/// checks run is public (see the crate's documentation), so a code tells an attacker nothing that
/// the attacker did not put into the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyError {
    /// The header's `alg` is unknown, is not the key's, or is not accepted from this issuer.
    Algorithm,
    /// The token is not for any accepted audience, or names none.
    Audience,
    /// The token is bound to a key or a certificate, and its sender did not prove to have it.
    Binding,
    /// The named claim has the wrong type or an impossible value.
    ClaimInvalid(&'static str),
    /// The named claim is required and not there.
    ClaimMissing(&'static str),
    /// The header has `crit` or `b64`, which change how a token must be read.
    Critical,
    /// The proof that the sender has the token's key was refused.
    Dpop(dpop::Error),
    /// The header or the claims have two members of one name.
    DuplicateMember,
    /// The end of the token's life, leeway included, has come.
    Expired,
    /// The token says that it was issued in the future.
    IssuedInFuture,
    /// The issuer's keys cannot be had at present. This is the verifier's trouble, not the token's:
    /// answer 503, not 401.
    KeysUnavailable,
    /// The token was made to live longer than its issuer may let it.
    Lifetime,
    /// The token is not three strict base64url segments with a JSON object in the first two.
    Malformed,
    /// The credential is no signed token, and its issuer was asked about it.
    Opaque(opaque::Error),
    /// The claim `nonce` is not the one that was sent with the request.
    Nonce,
    /// The token's `nbf` has not come yet.
    NotYetValid,
    /// The token was called back.
    Revoked,
    /// The signature is not the key's signature of this header and these claims.
    Signature,
    /// The token is of another tenant.
    Tenant,
    /// The claim `token_type` is not the one the issuer's access tokens have.
    TokenType,
    /// The header or the claims are nested too deeply.
    TooDeep,
    /// The token is longer than the limit, or its header longer than 4 KiB.
    TooLarge,
    /// The token was issued too long ago.
    TooOld,
    /// The header's `typ` is missing or is not accepted from this issuer.
    Typ,
    /// The claim `iss` is not exactly the name of a configured issuer.
    UnknownIssuer,
    /// The issuer has no key of this `kid`, or the header has none and the issuer several keys.
    UnknownKey,
}

impl VerifyError {
    /// Gives the stable public code, `token.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Algorithm => "token.algorithm",
            Self::Audience => "token.audience",
            Self::Binding => "token.binding",
            Self::ClaimInvalid(_) => "token.claim_invalid",
            Self::ClaimMissing(_) => "token.claim_missing",
            Self::Critical => "token.critical",
            Self::Dpop(error) => error.code(),
            Self::DuplicateMember => "token.duplicate_member",
            Self::Expired => "token.expired",
            Self::IssuedInFuture => "token.issued_in_future",
            Self::KeysUnavailable => "token.keys_unavailable",
            Self::Lifetime => "token.lifetime",
            Self::Malformed => "token.malformed",
            Self::Nonce => "token.nonce",
            Self::NotYetValid => "token.not_yet_valid",
            Self::Opaque(error) => error.code(),
            Self::Revoked => "token.revoked",
            Self::Signature => "token.signature",
            Self::Tenant => "token.tenant",
            Self::TokenType => "token.token_type",
            Self::TooDeep => "token.too_deep",
            Self::TooLarge => "token.too_large",
            Self::TooOld => "token.too_old",
            Self::Typ => "token.typ",
            Self::UnknownIssuer => "token.unknown_issuer",
            Self::UnknownKey => "token.unknown_key",
        }
    }
}

impl VerifyError {
    /// Gives the HTTP status of a refusal: 503 while the verifier cannot tell, 400 for a request
    /// that is not sound, otherwise 401.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::KeysUnavailable
            | Self::Dpop(dpop::Error::ReplayUnavailable)
            | Self::Opaque(opaque::Error::Unavailable(_)) => 503,
            Self::Dpop(dpop::Error::RequestUri) => 400,
            _ => 401,
        }
    }

    /// Gives the challenge that goes with a 401, of the scheme `DPoP` if a proof was refused; `None`
    /// when another token would not help. See [`Challenge`] for what else can be put into it.
    ///
    /// # Spec
    ///
    /// RFC 6750 §3, RFC 9449 §7.1.
    #[must_use]
    pub fn challenge(self) -> Option<Challenge> {
        let error = self.challenge_error()?;
        let challenge = match self {
            Self::Dpop(_) => Challenge::dpop(Algorithm::ALL),
            _ => Challenge::bearer(),
        };
        Some(challenge.error(error).error_description(self.to_string()))
    }

    /// Gives the error to put into a challenge; none when the token is not at fault.
    #[must_use]
    pub const fn challenge_error(self) -> Option<ErrorCode> {
        match self {
            Self::KeysUnavailable | Self::Opaque(opaque::Error::Unavailable(_)) => None,
            Self::Dpop(error) => error.challenge(),
            _ => Some(ErrorCode::InvalidToken),
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the token's algorithm is not accepted",
            Self::Audience => "the token is for another audience",
            Self::Binding => {
                "the token is bound to a key that its sender did not prove to have, or to none"
            }
            Self::ClaimInvalid(claim) => return write!(f, "the claim `{claim}` is not valid"),
            Self::ClaimMissing(claim) => return write!(f, "the claim `{claim}` is missing"),
            Self::Critical => "the token's header asks for an unsupported extension",
            Self::Dpop(error) => return error.fmt(f),
            Self::DuplicateMember => "the token has two members of one name",
            Self::Expired => "the token has expired",
            Self::IssuedInFuture => "the token was issued in the future",
            Self::KeysUnavailable => "the issuer's keys cannot be had at present",
            Self::Lifetime => "the token was made to live too long",
            Self::Malformed => "the token is malformed",
            Self::Nonce => "the nonce of the token is another one",
            Self::NotYetValid => "the token is not valid yet",
            Self::Opaque(error) => return error.fmt(f),
            Self::Revoked => "the token was called back",
            Self::Signature => "the token's signature is not valid",
            Self::Tenant => "the token is of another tenant",
            Self::TokenType => "the token is of another type",
            Self::TooDeep => "the token is nested too deeply",
            Self::TooLarge => "the token is too large",
            Self::TooOld => "the token was issued too long ago",
            Self::Typ => "the token's header type is not accepted",
            Self::UnknownIssuer => "the token's issuer is not known",
            Self::UnknownKey => "the token's key is not known",
        })
    }
}

impl std::error::Error for VerifyError {}

impl From<json::Error> for VerifyError {
    fn from(error: json::Error) -> Self {
        match error {
            json::Error::DuplicateMember => Self::DuplicateMember,
            json::Error::TooDeep => Self::TooDeep,
            json::Error::Malformed | json::Error::Mismatch => Self::Malformed,
        }
    }
}

/// Why a key cannot verify signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyError {
    /// `alg` is unknown, symmetric, or not one this kind of key is for.
    Algorithm,
    /// `crv` is unknown or does not belong to `kty`.
    Curve,
    /// A member is missing or not canonical base64url, or the DER is not that of a supported key.
    Encoding,
    /// `key_ops` does not contain `verify`, or names an operation twice.
    KeyOps,
    /// `kty` is not `OKP`, `EC` or `RSA`.
    KeyType,
    /// The JWK has a private or symmetric member: a secret was published.
    PrivateMember,
    /// The RSA modulus is outside 2048 to 8192 bits.
    Size,
    /// `use` is not `sig`.
    Use,
    /// The key breaks the algorithm: a point off the curve or of small order, an even modulus or
    /// one of a broken generator (ROCA), a public exponent that is even or below 65537.
    Weak,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the key is not for this algorithm",
            Self::Curve => "the key's curve is not supported",
            Self::Encoding => "the key is not encoded correctly",
            Self::KeyOps => "the key's operations do not allow it to verify",
            Self::KeyType => "the key's type is not supported",
            Self::PrivateMember => "the key has a private member",
            Self::Size => "the RSA modulus is not 2048 to 8192 bits long",
            Self::Use => "the key is not for signatures",
            Self::Weak => "the key is weak or not on its curve",
        })
    }
}

impl std::error::Error for KeyError {}

/// Why a verifier was not built. The text names the setting and the fix.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The named issuer accepts no algorithm.
    AlgorithmsEmpty(String),
    /// The named issuer lists audiences and also accepts any.
    AudienceContradiction(String),
    /// The named issuer neither lists audiences (an empty one is none) nor accepts any.
    AudienceMissing(String),
    /// No clock was given where the platform has none.
    ClockMissing,
    /// Two issuers have this name.
    IssuerDuplicate(String),
    /// An issuer has an empty name.
    IssuerEmpty,
    /// No issuer was given.
    IssuerMissing,
    /// The settings of the verification of `DPoP` proofs are not sound.
    Dpop(dpop::ConfigError),
    /// The leeway is longer than 120 seconds.
    LeewayTooLong,
    /// The pattern is not an address with `{tenant}` in it once.
    PatternInvalid(String),
    /// The named issuer was given settings of its profile before the profile, which replaced them.
    ProfileLate(String),
    /// The token limit is over 1 MiB.
    TokenLimitTooLarge,
    /// The named issuer accepts no header `typ`.
    TokenTypesEmpty(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlgorithmsEmpty(name) => {
                write!(f, "issuer {name:?}: `algorithms` is empty; name at least one")
            }
            Self::AudienceContradiction(name) => {
                write!(f, "issuer {name:?}: `any_audience` contradicts `audience`; keep one")
            }
            Self::AudienceMissing(name) => {
                write!(f, "issuer {name:?}: call `audience` with a name, or `any_audience`")
            }
            Self::ClockMissing => f.write_str("no clock; call `clock`"),
            Self::IssuerDuplicate(name) => write!(f, "issuer {name:?} is given twice; keep one"),
            Self::IssuerEmpty => f.write_str("an issuer has an empty name; give its `iss` value"),
            Self::IssuerMissing => f.write_str("no issuer; call `issuer` at least once"),
            Self::Dpop(error) => error.fmt(f),
            Self::LeewayTooLong => f.write_str("`leeway` is over 120 seconds; shorten it"),
            Self::PatternInvalid(pattern) => {
                write!(f, "pattern {pattern:?}: write an address with `{{tenant}}` in it once")
            }
            Self::ProfileLate(name) => {
                write!(f, "issuer {name:?}: call `profile` before the settings it would replace")
            }
            Self::TokenLimitTooLarge => f.write_str("`max_token_bytes` is over 1 MiB; lower it"),
            Self::TokenTypesEmpty(name) => {
                write!(f, "issuer {name:?}: `token_types` is empty; name at least one")
            }
        }
    }
}

/// As it is displayed: a `main` that returns it prints this.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

impl From<dpop::ConfigError> for ConfigError {
    fn from(error: dpop::ConfigError) -> Self {
        Self::Dpop(error)
    }
}

#[cfg(test)]
mod tests {
    use super::VerifyError;

    /// Walks through the variants; a new one does not compile until it has its place here.
    fn after(error: VerifyError) -> Option<VerifyError> {
        Some(match error {
            VerifyError::Algorithm => VerifyError::Audience,
            VerifyError::Audience => VerifyError::Binding,
            VerifyError::Binding => VerifyError::ClaimInvalid("exp"),
            VerifyError::ClaimInvalid(_) => VerifyError::ClaimMissing("exp"),
            VerifyError::ClaimMissing(_) => VerifyError::Critical,
            VerifyError::Critical => VerifyError::DuplicateMember,
            VerifyError::DuplicateMember => VerifyError::Expired,
            VerifyError::Expired => VerifyError::IssuedInFuture,
            VerifyError::IssuedInFuture => VerifyError::KeysUnavailable,
            VerifyError::KeysUnavailable => VerifyError::Lifetime,
            VerifyError::Lifetime => VerifyError::Malformed,
            VerifyError::Malformed => VerifyError::Nonce,
            VerifyError::Nonce => VerifyError::NotYetValid,
            VerifyError::NotYetValid => VerifyError::Revoked,
            VerifyError::Revoked => VerifyError::Signature,
            VerifyError::Signature => VerifyError::Tenant,
            VerifyError::Tenant => VerifyError::TokenType,
            VerifyError::TokenType => VerifyError::TooDeep,
            VerifyError::TooDeep => VerifyError::TooLarge,
            VerifyError::TooLarge => VerifyError::TooOld,
            VerifyError::TooOld => VerifyError::Typ,
            VerifyError::Typ => VerifyError::UnknownIssuer,
            VerifyError::UnknownIssuer => VerifyError::UnknownKey,
            // The others have codes of their own, pinned where they are.
            VerifyError::UnknownKey | VerifyError::Dpop(_) | VerifyError::Opaque(_) => {
                return None;
            }
        })
    }

    #[test]
    fn the_codes_are_these() {
        let every = std::iter::successors(Some(VerifyError::Algorithm), |error| after(*error));
        let codes = every.map(VerifyError::code).collect::<Vec<_>>().join("\n");
        let pinned = "token.algorithm\ntoken.audience\ntoken.binding\ntoken.claim_invalid\n\
                      token.claim_missing\ntoken.critical\ntoken.duplicate_member\n\
                      token.expired\ntoken.issued_in_future\ntoken.keys_unavailable\n\
                      token.lifetime\ntoken.malformed\ntoken.nonce\ntoken.not_yet_valid\n\
                      token.revoked\ntoken.signature\ntoken.tenant\ntoken.token_type\n\
                      token.too_deep\ntoken.too_large\ntoken.too_old\ntoken.typ\n\
                      token.unknown_issuer\ntoken.unknown_key";
        assert_eq!(codes, pinned);
    }

    #[test]
    fn the_readme_lists_every_code() {
        let readme = include_str!("../README.md");
        let every = std::iter::successors(Some(VerifyError::Algorithm), |error| after(*error));
        for code in every.map(VerifyError::code) {
            assert!(readme.contains(&format!("`{code}`")), "{code}");
        }
    }
}
