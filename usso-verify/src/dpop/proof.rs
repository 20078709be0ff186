//! Reading a proof strictly, up to and including its signature.

use serde_json::{Map, Value};

use super::Error;
use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::KeyError;
use crate::json::{self, Limits};
use crate::jwk::Jwk;
use crate::key::VerifyingKey;

/// The claims of a proof whose signature holds, typed and not judged yet.
pub(super) struct Claims {
    pub(super) jti: String,
    pub(super) htm: String,
    pub(super) htu: String,
    pub(super) iat: u64,
    pub(super) ath: Option<String>,
    pub(super) nonce: Option<String>,
}

/// A proof that was read and found acceptable but for its signature and its claims.
pub(super) struct Unsigned<'p> {
    pub(super) key: VerifyingKey,
    pub(super) jkt: String,
    pub(super) message: &'p str,
    pub(super) signature: Vec<u8>,
    claims: Map<String, Value>,
}

impl<'p> Unsigned<'p> {
    /// Reads a proof. The caller bounds its length.
    ///
    /// Another key than the one `bound` names, if any, is refused before its signature costs time.
    pub(super) fn read(
        proof: &'p str,
        accepted: &[Algorithm],
        bound: Option<&str>,
    ) -> Result<Self, Error> {
        let (message, signature) = proof.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Error::Malformed)?;
        let key = key(object(header)?, accepted)?;
        let jkt = key.thumbprint();
        if bound.is_some_and(|bound| bound != jkt) {
            return Err(Error::Binding);
        }
        // A dot left in the claims is outside the base64url alphabet.
        let claims = object(claims)?;
        let signature = base64url::decode(signature).ok_or(Error::Malformed)?;
        Ok(Self { key, jkt, message, signature, claims })
    }

    /// Gives the claims and the key's thumbprint; `signed` says whether the signature is the key's.
    pub(super) fn finish(self, signed: bool) -> Result<(Claims, String), Error> {
        if !signed {
            return Err(Error::Signature);
        }
        Ok((Claims::read(self.claims)?, self.jkt))
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, Error> {
    let bytes = base64url::decode(segment).ok_or(Error::Malformed)?;
    Ok(json::parse_object(&bytes, Limits::default())?)
}

/// Gives the key a header embeds. Everything but `typ`, `alg` and `jwk` is ignored, except what
/// would change how the proof must be read.
fn key(mut header: Map<String, Value>, accepted: &[Algorithm]) -> Result<VerifyingKey, Error> {
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(Error::Critical);
    }
    if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
        return Err(Error::Typ);
    }
    let Some(Value::String(name)) = header.get("alg") else {
        return Err(Error::Malformed);
    };
    let algorithm = Algorithm::parse(name).ok_or(Error::Algorithm)?;
    if !accepted.contains(&algorithm) {
        return Err(Error::Algorithm);
    }
    let jwk = json::take(&mut header, "jwk").ok_or(Error::Key(KeyError::Encoding))?;
    prepare(jwk, algorithm)
}

/// An RSA key fits several algorithms, so a JWK that names none is for the header's.
fn prepare(mut jwk: Value, algorithm: Algorithm) -> Result<VerifyingKey, Error> {
    if let Some(members) = jwk.as_object_mut() {
        // The key is named by its thumbprint only; whatever this says, it is not trusted.
        json::take(members, "kid");
    }
    let mut jwk = Jwk::try_from(jwk).map_err(|_| Error::Key(KeyError::Encoding))?;
    match jwk.alg.as_deref().map(Algorithm::parse) {
        None => jwk.alg = Some(algorithm.as_str().to_owned()),
        Some(named) if named == Some(algorithm) => {}
        Some(_) => return Err(Error::Algorithm),
    }
    VerifyingKey::from_jwk(&jwk).map_err(|error| match error {
        KeyError::Algorithm => Error::Algorithm,
        error => Error::Key(error),
    })
}

impl Claims {
    fn read(mut claims: Map<String, Value>) -> Result<Self, Error> {
        let jti = required(text(&mut claims, "jti")?, "jti")?;
        if jti.is_empty() || jti.len() > MAX_JTI {
            return Err(Error::ClaimInvalid("jti"));
        }
        let iat = required(json::take(&mut claims, "iat"), "iat")?;
        Ok(Self {
            jti,
            htm: required(text(&mut claims, "htm")?, "htm")?,
            htu: required(text(&mut claims, "htu")?, "htu")?,
            iat: seconds(&iat).ok_or(Error::ClaimInvalid("iat"))?,
            ath: text(&mut claims, "ath")?,
            nonce: text(&mut claims, "nonce")?,
        })
    }
}

fn required<T>(value: Option<T>, claim: &'static str) -> Result<T, Error> {
    value.ok_or(Error::ClaimMissing(claim))
}

fn text(claims: &mut Map<String, Value>, claim: &'static str) -> Result<Option<String>, Error> {
    match json::take(claims, claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::ClaimInvalid(claim)),
    }
}

/// Reads a `NumericDate` (RFC 7519 §2), without its fraction. Whether it is near is judged later.
fn seconds(value: &Value) -> Option<u64> {
    let number = value.as_number()?;
    if let Some(seconds) = number.as_u64() {
        return Some(seconds);
    }
    let seconds = number.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and 2^53"
    )]
    let whole = seconds as u64;
    Some(whole)
}

/// Four times the length of a UUID in hex would do; some clients sign long names.
const MAX_JTI: usize = 256;

/// 2^53.
const MAX_SECONDS: f64 = 9_007_199_254_740_992.0;
