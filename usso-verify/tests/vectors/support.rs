//! What the vectors have in common.

use std::sync::Arc;

use serde_json::Value;
use usso_verify::{Algorithm, Issuer, Jwk, KeyError, KeySet, Verifier, VerifyingKey};

pub(crate) fn read(jwk: &Value) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk.clone()).unwrap())
}

pub(crate) fn key(jwk: &Value) -> VerifyingKey {
    read(jwk).unwrap()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn unb64(text: &str) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// Says whether a compact JWS of any content holds, as RFC 7515 §5.2 has it. The verifier itself
/// only takes claims.
pub(crate) fn holds(key: &VerifyingKey, jws: &str) -> bool {
    let parts: Vec<&str> = jws.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return false;
    };
    let (Some(bytes), Some(_), Some(signature)) = (unb64(header), unb64(payload), unb64(signature))
    else {
        return false;
    };
    let header = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
    let names = |member: &str, value: &str| header[member].as_str().is_none_or(|is| is == value);
    let algorithm = header["alg"].as_str().and_then(Algorithm::parse);
    algorithm == Some(key.algorithm())
        && names("kid", key.kid())
        && key.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &signature)
}

/// A verifier as lenient as can be, with the keys given, for issuer `joe`.
pub(crate) fn verifier(keys: Vec<VerifyingKey>) -> Verifier {
    let issuer = Issuer::new("joe", Arc::new(KeySet::new(keys))).any_audience();
    Verifier::builder().issuer(issuer.token_types(&["JWT"])).build().unwrap()
}
