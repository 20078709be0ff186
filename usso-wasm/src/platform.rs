//! Signatures that the platform verifies at once, where it can.

use usso_verify::VerifyingKey;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "../platform.js")]
extern "C" {
    /// Says whether a signature is the key's: one of the constants below.
    #[wasm_bindgen(js_name = verifyNow)]
    fn verify_now(algorithm: &str, thumbprint: &str, message: &[u8], signature: &[u8]) -> u32;

    /// Takes in a key, as a JWK in JSON.
    #[wasm_bindgen(js_name = learn)]
    fn learn(thumbprint: &str, jwk: &str);
}

/// Asks the platform; `None` if it answers later only.
pub(crate) fn verified(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Option<bool> {
    let (algorithm, thumbprint) = (key.algorithm().as_str(), key.thumbprint());
    let ask = || verify_now(algorithm, &thumbprint, message, signature);
    let mut answer = ask();
    if answer == UNKNOWN_KEY {
        learn(&thumbprint, &serde_json::to_string(&key.to_jwk()).ok()?);
        answer = ask();
    }
    match answer {
        BAD => Some(false),
        GOOD => Some(true),
        _ => None,
    }
}

const BAD: u32 = 0;
const GOOD: u32 = 1;
const UNKNOWN_KEY: u32 = 2;
