//! Keys and signatures, for those who sign as an agent or keep one key in their settings.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Value, json};
use usso_verify::{Algorithm, Jwk, VerifyingKey, call, spki_kid as name_of};

use crate::value::{invalid, object, to_dict, to_python};

#[pyfunction]
#[pyo3(signature = (key, algorithm = None))]
pub(crate) fn public_jwk<'py>(
    py: Python<'py>,
    key: Text,
    algorithm: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let der = public_der(&key)?;
    let algorithms = match algorithm {
        Some(name) => vec![named(name)?],
        None => Algorithm::ALL.to_vec(),
    };
    // An RSA key fits two algorithms: the first, RS256, is the usual one.
    let mut found = algorithms.into_iter().map(|one| VerifyingKey::from_spki_der(one, &der));
    let first = found.next().ok_or_else(unusable)?;
    let key = found.fold(first, Result::or).map_err(invalid)?;
    to_python(py, &serde_json::to_value(key.to_jwk()).map_err(invalid)?)
}

#[pyfunction]
pub(crate) fn check_jwk(jwk: &str) -> PyResult<String> {
    Ok(verifying(jwk)?.thumbprint())
}

#[pyfunction]
pub(crate) fn spki_kid(key: Text) -> PyResult<String> {
    Ok(name_of(&public_der(&key)?))
}

#[pyfunction]
pub(crate) fn sign(
    py: Python<'_>,
    algorithm: &str,
    private_key: Text,
    message: &[u8],
) -> PyResult<Vec<u8>> {
    let algorithm = named(algorithm)?;
    let pair = Pair::read(&private_key)?;
    py.detach(|| pair.sign(algorithm, message))
        .ok_or_else(|| invalid(format_args!("the key cannot sign with {}", algorithm.as_str())))
}

#[pyfunction]
pub(crate) fn verify_signature(
    py: Python<'_>,
    jwk: &str,
    message: &[u8],
    signature: &[u8],
) -> PyResult<bool> {
    let key = verifying(jwk)?;
    Ok(py.detach(|| key.verify(message, signature)))
}

#[pyfunction]
pub(crate) fn decode_unverified<'py>(
    py: Python<'py>,
    token: &str,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let call = json!({"call": "decode_unverified", "token": token});
    let answer = object(&call::call(&call.to_string()))?;
    let part = |name: &str| {
        let part = answer.get("answer").and_then(|parts| parts.get(name));
        part.and_then(Value::as_object).ok_or_else(|| invalid("the token is malformed"))
    };
    Ok((to_dict(py, part("header")?)?, to_dict(py, part("claims")?)?))
}

/// A key as it is given: text with a PEM, or bytes with either.
#[derive(FromPyObject)]
pub(crate) enum Text {
    Text(String),
    Bytes(Vec<u8>),
}

impl Text {
    /// Gives the label, none for bare DER, and the DER.
    fn der(&self) -> PyResult<(Option<String>, Vec<u8>)> {
        let bytes = match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        };
        if bytes.first() == Some(&DER_SEQUENCE) {
            return Ok((None, bytes.to_vec()));
        }
        let (label, der) = pem_rfc7468::decode_vec(bytes.trim_ascii()).map_err(|_| unusable())?;
        Ok((Some(label.to_owned()), der))
    }
}

fn verifying(jwk: &str) -> PyResult<VerifyingKey> {
    let jwk: Jwk = serde_json::from_str(jwk).map_err(|_| invalid("the JWK is not one"))?;
    VerifyingKey::from_jwk(&jwk).map_err(invalid)
}

fn named(name: &str) -> PyResult<Algorithm> {
    let known = || Algorithm::ALL.map(Algorithm::as_str).join(", ");
    Algorithm::parse(name)
        .ok_or_else(|| invalid(format_args!("{name:?} is not supported; use one of {}", known())))
}

fn unusable() -> PyErr {
    invalid(
        "the key is neither a PEM nor DER: it starts with `-----BEGIN PUBLIC KEY-----` or `-----BEGIN PRIVATE KEY-----`",
    )
}

/// Gives the `SubjectPublicKeyInfo` of a public or private key.
fn public_der(key: &Text) -> PyResult<Vec<u8>> {
    let (label, der) = key.der()?;
    let is_public = |one| VerifyingKey::from_spki_der(one, &der).is_ok();
    match label.as_deref() {
        Some("PUBLIC KEY") => Ok(der),
        None if Algorithm::ALL.into_iter().any(is_public) => Ok(der),
        _ => Pair::read(key)?.public_der(),
    }
}

/// A private key.
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    fn read(key: &Text) -> PyResult<Self> {
        let (label, der) = key.der()?;
        let ec = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_private_key_der(algorithm, &der)
                .or_else(|_| EcdsaKeyPair::from_pkcs8(algorithm, &der))
        };
        let known = match label.as_deref() {
            None | Some("PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY") => true,
            Some(_) => false,
        };
        let read = || {
            Ed25519KeyPair::from_pkcs8(&der)
                .map(Self::Ed25519)
                .or_else(|_| ec(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::P256))
                .or_else(|_| ec(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Self::P384))
                .or_else(|_| RsaKeyPair::from_pkcs8(&der).map(Self::Rsa))
                .or_else(|_| RsaKeyPair::from_der(&der).map(Self::Rsa))
                .ok()
        };
        known.then(read).flatten().ok_or_else(|| {
            invalid("the private key is none of Ed25519, P-256, P-384 and RSA, or encrypted; write it as PKCS #8 with `openssl pkcs8 -topk8 -nocrypt`")
        })
    }

    fn public_der(&self) -> PyResult<Vec<u8>> {
        let der = match self {
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_der(),
            Self::Rsa(pair) => pair.public_key().as_der(),
        };
        Ok(der.map_err(|_| unusable())?.as_ref().to_vec())
    }

    /// Signs; `None` if the key is not for this algorithm.
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (self, algorithm) {
            (Self::Ed25519(pair), Algorithm::EdDsa) => Some(pair.sign(message).as_ref().to_vec()),
            (Self::P256(pair), Algorithm::Es256) | (Self::P384(pair), Algorithm::Es384) => {
                Some(pair.sign(&random, message).ok()?.as_ref().to_vec())
            }
            (Self::Rsa(pair), Algorithm::Rs256 | Algorithm::Ps256) => {
                let is_pss = algorithm == Algorithm::Ps256;
                let encoding = if is_pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            _ => None,
        }
    }
}

const DER_SEQUENCE: u8 = 0x30;
