//! Reading a compact token strictly, up to and including its signature.

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::VerifyError;
use crate::json::{self, Limits};
use crate::key::VerifyingKey;

/// A token that was read and proves nothing yet.
///
/// Only the header and the claimed issuer can be looked at, to find the key; the claims come out
/// of [`authenticate`](Self::authenticate).
pub(crate) struct Unverified<'t> {
    pub(crate) header: Header,
    claims: Map<String, Value>,
    signed: &'t str,
    signature: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Reads a token of three segments (RFC 7515 §7.1). The caller bounds its length.
    pub(crate) fn read(token: &'t str) -> Result<Self, VerifyError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(VerifyError::Malformed)?;
        let header = Header::read(header)?;
        // A dot left in the claims (a JWE has five segments) is outside the base64url alphabet.
        let claims = base64url::decode(claims).ok_or(VerifyError::Malformed)?;
        let signature = base64url::decode(signature).ok_or(VerifyError::Malformed)?;
        let claims = json::parse_object(&claims, Limits::default())?;
        Ok(Self { header, claims, signed, signature })
    }

    /// Gives the issuer the token claims to be from.
    pub(crate) fn claimed_issuer(&self) -> Result<&str, VerifyError> {
        match self.claims.get("iss") {
            Some(Value::String(issuer)) => Ok(issuer),
            Some(_) => Err(VerifyError::ClaimInvalid("iss")),
            None => Err(VerifyError::ClaimMissing("iss")),
        }
    }

    /// Checks the signature and gives out the claims.
    pub(crate) fn authenticate(
        self,
        key: &VerifyingKey,
    ) -> Result<Map<String, Value>, VerifyError> {
        if key.verify(self.signed.as_bytes(), &self.signature) {
            Ok(self.claims)
        } else {
            Err(VerifyError::Signature)
        }
    }
}

/// What a header says that matters. Depends on the header segment alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
}

impl Header {
    /// Reads a header segment.
    ///
    /// `jwk`, `jku`, `x5u` and `x5c` are not looked at: a key never comes from the token (RFC 8725
    /// §3.10). `crit` is refused with any content, because no extension is supported, and so is
    /// `b64`, because it changes what was signed (RFC 7515 §4.1.11, RFC 7797 §6).
    fn read(segment: &str) -> Result<Self, VerifyError> {
        if segment.len() > MAX_HEADER_SEGMENT {
            return Err(VerifyError::TooLarge);
        }
        let bytes = base64url::decode(segment).ok_or(VerifyError::Malformed)?;
        let mut members = json::parse_object(&bytes, Limits::default())?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(VerifyError::Critical);
        }
        let algorithm = text(&mut members, "alg")?.ok_or(VerifyError::Malformed)?;
        Ok(Self {
            algorithm: Algorithm::parse(&algorithm).ok_or(VerifyError::Algorithm)?,
            kid: text(&mut members, "kid")?,
            typ: text(&mut members, "typ")?,
        })
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, VerifyError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(VerifyError::Malformed),
    }
}

/// 4096 bytes in base64url.
const MAX_HEADER_SEGMENT: usize = 5462;
