//! What the targets share: one issuer, one key, one time.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use usso_verify::{Algorithm, Issuer, KeySet, Verifier, VerifyingKey};

/// The issuer whose tokens are accepted.
pub const ISSUER: &str = "https://sso.example";
/// The audience whose tokens are accepted.
pub const AUDIENCE: &str = "api";
/// The name of the only key.
pub const KID: &str = "k1";
/// The time at which tokens are judged.
pub const NOW: u64 = 1_750_000_000;
/// The header of a good token.
pub const HEADER: &str = r#"{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}"#;
/// The claims of a good token.
pub const CLAIMS: &str = r#"{"iss":"https://sso.example","sub":"user:1","aud":"api","exp":1750000900,"token_type":"access"}"#;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap());

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let spki = PAIR.public_key().as_der().unwrap();
    let key = VerifyingKey::from_spki_der(Algorithm::EdDsa, spki.as_ref()).unwrap();
    let mut jwk = key.to_jwk();
    jwk.kid = Some(KID.to_owned());
    let keys = KeySet::new(vec![VerifyingKey::from_jwk(&jwk).unwrap()]);
    let issuer = Issuer::new(ISSUER, Arc::new(keys)).audience(AUDIENCE);
    Verifier::builder().issuer(issuer).clock(|| NOW).build().unwrap()
});

/// Says whether a token is accepted, twice alike.
pub fn accepts(token: &str) -> bool {
    let (first, again) = (VERIFIER.verify_at(token, NOW), VERIFIER.verify_at(token, NOW));
    assert_eq!(first.as_ref().err(), again.as_ref().err());
    first.is_ok()
}

/// The public key that goes with [`sign`], as a proof of possession embeds it.
pub fn jwk() -> Value {
    let x = base64_simd::URL_SAFE_NO_PAD.encode_to_string(PAIR.public_key());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x})
}

/// Signs any bytes as header and claims.
pub fn sign(header: &[u8], claims: &[u8]) -> String {
    let b64 = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let signed = format!("{}.{}", b64(header), b64(claims));
    format!("{signed}.{}", b64(PAIR.sign(signed.as_bytes()).as_ref()))
}
