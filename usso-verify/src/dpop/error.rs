//! Why a proof was refused, or a verifier of proofs not built.

use std::fmt;

use crate::challenge::ErrorCode;
use crate::error::KeyError;
use crate::json;

/// Why a DPoP proof was refused.
///
/// No variant and no text holds anything of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// `ath` is not the hash of the access token.
    AccessToken,
    /// The header's `alg` is unknown, symmetric, not accepted, or not the embedded key's.
    Algorithm,
    /// The proof's key is not the one the access token is bound to.
    Binding,
    /// The named claim has the wrong type or an impossible value.
    ClaimInvalid(&'static str),
    /// The named claim is required and not there.
    ClaimMissing(&'static str),
    /// The header has `crit` or `b64`, which change how a proof must be read.
    Critical,
    /// The header or the claims have two members of one name.
    DuplicateMember,
    /// The proof says that it was issued in the future.
    IssuedInFuture,
    /// The header's `jwk` is missing or not a sound public key.
    Key(KeyError),
    /// The proof is not three strict base64url segments with a JSON object in the first two.
    Malformed,
    /// `htm` is not exactly the method of the request.
    Method,
    /// The request has no `DPoP` header.
    Missing,
    /// The request has several `DPoP` headers.
    Multiple,
    /// A nonce is demanded, and `nonce` is missing or not one that is good now. Answer with a fresh
    /// one in the header `DPoP-Nonce`.
    Nonce,
    /// The replay cache is full or cannot be reached, so nobody can tell whether the proof was used
    /// before. This is the server's trouble, not the proof's: answer 503, not 401.
    ReplayUnavailable,
    /// The proof was used before.
    Replayed,
    /// The address of the request, as the server passed it, is not a sound absolute `http(s)` URI:
    /// a bad path from the client (answer 400), or a server that does not know its own address.
    RequestUri,
    /// The signature is not the embedded key's signature of this header and these claims.
    Signature,
    /// The proof is older than the window allows.
    TooOld,
    /// The header or the claims are nested too deeply.
    TooDeep,
    /// The proof is longer than the limit.
    TooLarge,
    /// The header's `typ` is not exactly `dpop+jwt`.
    Typ,
    /// `htu` is not the address of the request.
    Uri,
}

impl Error {
    /// Gives the stable public code, `dpop.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessToken => "dpop.access_token",
            Self::Algorithm => "dpop.algorithm",
            Self::Binding => "dpop.binding",
            Self::ClaimInvalid(_) => "dpop.claim_invalid",
            Self::ClaimMissing(_) => "dpop.claim_missing",
            Self::Critical => "dpop.critical",
            Self::DuplicateMember => "dpop.duplicate_member",
            Self::IssuedInFuture => "dpop.issued_in_future",
            Self::Key(_) => "dpop.key",
            Self::Malformed => "dpop.malformed",
            Self::Method => "dpop.method",
            Self::Missing => "dpop.missing",
            Self::Multiple => "dpop.multiple",
            Self::Nonce => "dpop.nonce",
            Self::ReplayUnavailable => "dpop.replay_unavailable",
            Self::Replayed => "dpop.replayed",
            Self::RequestUri => "dpop.request_uri",
            Self::Signature => "dpop.signature",
            Self::TooOld => "dpop.too_old",
            Self::TooDeep => "dpop.too_deep",
            Self::TooLarge => "dpop.too_large",
            Self::Typ => "dpop.typ",
            Self::Uri => "dpop.uri",
        }
    }

    /// Gives the error to put into the challenge; none when the request, or the server, is at
    /// fault rather than its credentials (answer 400 or 503 without a challenge).
    ///
    /// # Spec
    ///
    /// RFC 9449 §7.1 (a wrong key makes the token invalid), §9, §12.2.
    #[must_use]
    pub const fn challenge(self) -> Option<ErrorCode> {
        match self {
            Self::Binding => Some(ErrorCode::InvalidToken),
            Self::Nonce => Some(ErrorCode::UseDpopNonce),
            Self::ReplayUnavailable | Self::RequestUri => None,
            _ => Some(ErrorCode::InvalidDpopProof),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessToken => "the proof is for another access token",
            Self::Algorithm => "the proof's algorithm is not accepted",
            Self::Binding => "the access token is bound to another key",
            Self::ClaimInvalid(claim) => return write!(f, "the claim `{claim}` is not valid"),
            Self::ClaimMissing(claim) => return write!(f, "the claim `{claim}` is missing"),
            Self::Critical => "the proof's header asks for an unsupported extension",
            Self::DuplicateMember => "the proof has two members of one name",
            Self::IssuedInFuture => "the proof was issued in the future",
            Self::Key(_) => "the proof's key is not a sound public key",
            Self::Malformed => "the proof is malformed",
            Self::Method => "the proof is for another method",
            Self::Missing => "the request has no proof",
            Self::Multiple => "the request has several proofs",
            Self::Nonce => "the proof needs a fresh nonce",
            Self::ReplayUnavailable => "proofs cannot be checked for replay at present",
            Self::Replayed => "the proof was used before",
            Self::RequestUri => "the address of the request is not usable",
            Self::Signature => "the proof's signature is not valid",
            Self::TooOld => "the proof is too old",
            Self::TooDeep => "the proof is nested too deeply",
            Self::TooLarge => "the proof is too large",
            Self::Typ => "the proof's header type is not `dpop+jwt`",
            Self::Uri => "the proof is for another address",
        })
    }
}

impl std::error::Error for Error {}

impl From<json::Error> for Error {
    fn from(error: json::Error) -> Self {
        match error {
            json::Error::DuplicateMember => Self::DuplicateMember,
            json::Error::TooDeep => Self::TooDeep,
            json::Error::Malformed | json::Error::Mismatch => Self::Malformed,
        }
    }
}

/// Why a verifier of proofs was not built. The text names the setting and the fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigError {
    /// No algorithm is accepted.
    AlgorithmsEmpty,
    /// The leeway is longer than 60 seconds.
    LeewayTooLong,
    /// The maximum age is not 1 to 300 seconds.
    MaxAgeOutOfRange,
    /// The proof limit is over 64 KiB.
    ProofLimitTooLarge,
}

impl ConfigError {
    /// Gives the stable public code, `dpop_config.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlgorithmsEmpty => "dpop_config.algorithms_empty",
            Self::LeewayTooLong => "dpop_config.leeway_too_long",
            Self::MaxAgeOutOfRange => "dpop_config.max_age_out_of_range",
            Self::ProofLimitTooLarge => "dpop_config.proof_limit_too_large",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmsEmpty => "`algorithms` is empty; name at least one",
            Self::LeewayTooLong => "`leeway` is over 60 seconds; shorten it",
            Self::MaxAgeOutOfRange => "`max_age` is not 1 to 300 seconds; change it",
            Self::ProofLimitTooLarge => "`max_proof_bytes` is over 64 KiB; lower it",
        })
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::error::KeyError;

    /// Walks through the variants; a new one does not compile until it has its place here.
    fn after(error: Error) -> Option<Error> {
        Some(match error {
            Error::AccessToken => Error::Algorithm,
            Error::Algorithm => Error::Binding,
            Error::Binding => Error::ClaimInvalid("iat"),
            Error::ClaimInvalid(_) => Error::ClaimMissing("iat"),
            Error::ClaimMissing(_) => Error::Critical,
            Error::Critical => Error::DuplicateMember,
            Error::DuplicateMember => Error::IssuedInFuture,
            Error::IssuedInFuture => Error::Key(KeyError::Weak),
            Error::Key(_) => Error::Malformed,
            Error::Malformed => Error::Method,
            Error::Method => Error::Missing,
            Error::Missing => Error::Multiple,
            Error::Multiple => Error::Nonce,
            Error::Nonce => Error::ReplayUnavailable,
            Error::ReplayUnavailable => Error::Replayed,
            Error::Replayed => Error::RequestUri,
            Error::RequestUri => Error::Signature,
            Error::Signature => Error::TooOld,
            Error::TooOld => Error::TooDeep,
            Error::TooDeep => Error::TooLarge,
            Error::TooLarge => Error::Typ,
            Error::Typ => Error::Uri,
            Error::Uri => return None,
        })
    }

    #[test]
    fn the_codes_are_these() {
        let every = std::iter::successors(Some(Error::AccessToken), |error| after(*error));
        let codes = every.map(Error::code).collect::<Vec<_>>().join(" ");
        let pinned = "dpop.access_token dpop.algorithm dpop.binding dpop.claim_invalid \
                      dpop.claim_missing dpop.critical dpop.duplicate_member dpop.issued_in_future \
                      dpop.key dpop.malformed dpop.method dpop.missing dpop.multiple dpop.nonce \
                      dpop.replay_unavailable dpop.replayed dpop.request_uri dpop.signature \
                      dpop.too_old dpop.too_deep dpop.too_large dpop.typ dpop.uri";
        assert_eq!(codes, pinned);
    }
}
