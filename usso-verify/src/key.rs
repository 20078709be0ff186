//! Keys prepared once to verify many signatures.

use std::fmt;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::KeyError;
use crate::jwk::Jwk;
use crate::material::{Material, spki_kid};
use crate::signature::Prepared;

/// A public key, checked, bound to one algorithm and one name, ready to verify.
///
/// # Security
///
/// The algorithm is the key's, fixed here; a token's header can only agree with it. That closes
/// algorithm confusion: an RSA key never becomes an HMAC secret, and a key for PS256 never
/// verifies RS256.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: String,
    prepared: Prepared,
    jwk: Jwk,
    thumbprint: OnceLock<String>,
}

impl VerifyingKey {
    /// Prepares the key of a JWK.
    ///
    /// Without `alg`, the key's kind decides: `Ed25519` is for EdDSA, `P-256` for ES256, `P-384`
    /// for ES384, `RSA` for RS256. Without `kid`, the name is the key's [`spki_kid`].
    ///
    /// # Errors
    ///
    /// [`KeyError`], every variant.
    ///
    /// # Security
    ///
    /// Refuses what an attacker or a mistake can publish: private and symmetric keys, RSA below
    /// 2048 bits, with a toy exponent or of the generator that ROCA broke (CVE-2017-15361), points
    /// off the curve (invalid-curve attack), Ed25519 points of small order (one signature that fits
    /// almost any message), and two spellings of one key.
    ///
    /// # Spec
    ///
    /// RFC 7517 §4.2–4.4, RFC 7518 §6.2–6.3, RFC 8037 §2, RFC 8725 §3.4–3.5.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        check_purpose(jwk)?;
        let material = Material::from_jwk(jwk)?;
        let algorithm = match jwk.alg.as_deref() {
            Some(name) => Algorithm::parse(name).ok_or(KeyError::Algorithm)?,
            None => material.implied_algorithm(),
        };
        Self::prepare(algorithm, &material, jwk.kid.clone())
    }

    /// Prepares the key of a DER `SubjectPublicKeyInfo` (the content of a `PUBLIC KEY` PEM), named
    /// by its [`spki_kid`]. EC points must be uncompressed.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] if it is not the canonical DER of a supported key,
    /// [`KeyError::Algorithm`] if the key is not for `algorithm`, [`KeyError::Size`] and
    /// [`KeyError::Weak`] as for [`from_jwk`](Self::from_jwk).
    ///
    /// # Spec
    ///
    /// RFC 5280 §4.1.2.7, RFC 5480 §2, RFC 8410 §4.
    pub fn from_spki_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::prepare(algorithm, &Material::from_spki(der)?, None)
    }

    /// Gives the name a token's header must use for this key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Gives the only algorithm this key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Gives the key as a JWK to publish, with `use`, `alg` and `kid`.
    #[must_use]
    pub fn to_jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// Gives the JWK thumbprint: SHA-256 in base64url.
    ///
    /// # Spec
    ///
    /// RFC 7638 §3, RFC 8037 §2.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.thumbprint.get_or_init(|| self.hashed()).clone()
    }

    fn hashed(&self) -> String {
        let Jwk { kty, crv, x, y, n, e, .. } = &self.jwk;
        let kty = Some(kty.clone());
        let members = [("crv", crv), ("e", e), ("kty", &kty), ("n", n), ("x", x), ("y", y)];
        // The values are base64url or fixed names: nothing in them needs escaping.
        let members = members.into_iter().filter_map(|(name, value)| {
            value.as_ref().map(|value| format!(r#""{name}":"{value}""#))
        });
        let canonical = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        base64url::encode(&Sha256::digest(canonical))
    }

    /// Says whether `signature` is this key's signature of `message`.
    ///
    /// ECDSA signatures are the two numbers side by side, as JWS has them, not ASN.1. Where
    /// [`is_platform`](Self::is_platform) holds, the answer is always no.
    ///
    /// # Security
    ///
    /// Ed25519: a scalar that is not reduced or an `R` that is not in its one encoding is refused,
    /// and keys of small order are refused before, so nobody can make a second signature out of a
    /// valid one.
    ///
    /// # Spec
    ///
    /// RFC 7518 §3.3–3.5, RFC 8032 §5.1.7.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.prepared.verify(message, signature)
    }

    /// Says whether signatures of this key are verified by the platform and not by this crate: on
    /// WebAssembly, keys other than Ed25519 are left to the cryptography of the host.
    #[must_use]
    pub const fn is_platform(&self) -> bool {
        self.prepared.is_platform()
    }

    /// Says whether these bytes can be a signature that the platform is asked about.
    pub(crate) fn can_be(&self, signature: &[u8]) -> bool {
        self.prepared.can_be(signature)
    }

    fn prepare(
        algorithm: Algorithm,
        material: &Material,
        kid: Option<String>,
    ) -> Result<Self, KeyError> {
        let prepared = Prepared::new(algorithm, material)?;
        let kid = match kid {
            Some(kid) => kid,
            None => spki_kid(&material.to_spki()),
        };
        let jwk = Jwk {
            alg: Some(algorithm.as_str().to_owned()),
            use_: Some("sig".to_owned()),
            kid: Some(kid.clone()),
            ..material.to_jwk()
        };
        Ok(Self { algorithm, kid, prepared, jwk, thumbprint: OnceLock::new() })
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// RFC 7517 §4.2–4.3: what the key may be used for.
fn check_purpose(jwk: &Jwk) -> Result<(), KeyError> {
    if let Some(defect) = jwk.defect {
        return Err(defect);
    }
    if jwk.use_.as_deref().is_some_and(|use_| use_ != "sig") {
        return Err(KeyError::Use);
    }
    let Some(ops) = &jwk.key_ops else {
        return Ok(());
    };
    let mut unique = ops.clone();
    unique.sort_unstable();
    unique.dedup();
    let sound = unique.len() == ops.len() && ops.iter().any(|op| op == "verify");
    if sound { Ok(()) } else { Err(KeyError::KeyOps) }
}
