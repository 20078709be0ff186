//! Any bytes as a key set and as the DER of a key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use usso_verify::{Algorithm, Jwks, KeySet, VerifyingKey, json};

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256];

fuzz_target!(|data: &[u8]| {
    if let Ok(jwks) = json::from_slice::<Jwks>(data, json::Limits::default()) {
        let set = KeySet::from_jwks(&jwks);
        assert_eq!(set.len() + set.skipped(), jwks.keys.len());
        set.iter().for_each(|key| judge(key, data));
        for key in set.iter() {
            assert_eq!(set.get(key.kid()).unwrap().thumbprint(), key.thumbprint());
        }
    }
    for algorithm in ALGORITHMS {
        if let Ok(key) = VerifyingKey::from_spki_der(algorithm, data) {
            assert_eq!(key.kid(), usso_verify::spki_kid(data));
            judge(&key, data);
        }
    }
});

/// A key survives the way through its JWK, and takes nothing for its signature.
fn judge(key: &VerifyingKey, data: &[u8]) {
    let again = VerifyingKey::from_jwk(&key.to_jwk()).unwrap();
    assert_eq!((again.kid(), again.algorithm()), (key.kid(), key.algorithm()));
    assert_eq!((again.thumbprint(), again.to_jwk()), (key.thumbprint(), key.to_jwk()));
    assert!(!key.verify(b"message", data));
}
