//! Keys prepared once to verify many signatures.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::KeyError;
use crate::jwk::Jwk;
use crate::material::{Material, spki_kid};

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
    public: Public,
    jwk: Jwk,
}

#[derive(Clone)]
enum Public {
    Dalek(Box<ed25519_dalek::VerifyingKey>),
    Aws(ParsedPublicKey),
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
    /// 2048 bits or with a toy exponent, points off the curve (invalid-curve attack), Ed25519
    /// points of small order (one signature that fits almost any message), and two spellings of
    /// one key.
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
        let Jwk { kty, crv, x, y, n, e, .. } = &self.jwk;
        let kty = Some(kty.clone());
        let members = [("crv", crv), ("e", e), ("kty", &kty), ("n", n), ("x", x), ("y", y)];
        // The values are base64url or fixed names: nothing in them needs escaping.
        let members = members.into_iter().filter_map(|(name, value)| {
            value.as_ref().map(|value| format!(r#""{name}":"{value}""#))
        });
        let canonical = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        base64url::encode(digest(&SHA256, canonical.as_bytes()).as_ref())
    }

    /// Says whether `signature` is this key's signature of `message`.
    ///
    /// ECDSA signatures are the two numbers side by side, as JWS has them, not ASN.1.
    ///
    /// # Security
    ///
    /// Ed25519 is verified strictly: a scalar that is not reduced or a small-order `R` is refused,
    /// so nobody can make a second signature out of a valid one.
    ///
    /// # Spec
    ///
    /// RFC 7518 §3.3–3.5, RFC 8032 §5.1.7.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::Dalek(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Public::Aws(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    fn prepare(
        algorithm: Algorithm,
        material: &Material,
        kid: Option<String>,
    ) -> Result<Self, KeyError> {
        let public = match (algorithm, material) {
            (Algorithm::EdDsa, Material::Ed25519(key)) => ed25519(key)?,
            (Algorithm::Es256, Material::P256(point)) => ec(&ECDSA_P256_SHA256_FIXED, point)?,
            (Algorithm::Es384, Material::P384(point)) => ec(&ECDSA_P384_SHA384_FIXED, point)?,
            (Algorithm::Rs256, Material::Rsa { n, e }) => rsa(&RSA_PKCS1_2048_8192_SHA256, n, e)?,
            (Algorithm::Ps256, Material::Rsa { n, e }) => rsa(&RSA_PSS_2048_8192_SHA256, n, e)?,
            _ => return Err(KeyError::Algorithm),
        };
        let kid = match kid {
            Some(kid) => kid,
            None => spki_kid(&material.to_spki()?),
        };
        let jwk = Jwk {
            alg: Some(algorithm.as_str().to_owned()),
            use_: Some("sig".to_owned()),
            kid: Some(kid.clone()),
            ..material.to_jwk()
        };
        Ok(Self { algorithm, kid, public, jwk })
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

fn ed25519(bytes: &[u8; 32]) -> Result<Public, KeyError> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Weak)?;
    // RFC 8032 §5.1.3 has one encoding per point; the decoder takes others, too.
    let canonical = key.to_edwards().compress().to_bytes() == *bytes;
    if canonical && !key.is_weak() { Ok(Public::Dalek(Box::new(key))) } else { Err(KeyError::Weak) }
}

fn ec(algorithm: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<Public, KeyError> {
    ParsedPublicKey::new(algorithm, point).map(Public::Aws).map_err(|_| KeyError::Weak)
}

fn rsa(parameters: &'static RsaParameters, n: &[u8], e: &[u8]) -> Result<Public, KeyError> {
    let (Some(&top), Some(&low)) = (n.first(), n.last()) else {
        return Err(KeyError::Encoding);
    };
    if top == 0 || e.first().is_none_or(|&top| top == 0) {
        return Err(KeyError::Encoding);
    }
    let bits = n.len() * 8 - usize::try_from(top.leading_zeros()).unwrap_or_default();
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::Size);
    }
    if low % 2 == 0 || !sound_exponent(e) {
        return Err(KeyError::Weak);
    }
    let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
    key.map(Public::Aws).map_err(|_| KeyError::Weak)
}

/// Says whether a public exponent is odd, at least 65537 and at most 33 bits long.
fn sound_exponent(e: &[u8]) -> bool {
    if e.len() > 5 {
        return false;
    }
    let e = e.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    e % 2 == 1 && (65_537..1 << 33).contains(&e)
}
