//! Any bytes as the header of a token that is signed well and has good claims.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usso_fuzz::{CLAIMS, KID, accepts, sign};

fuzz_target!(|data: &[u8]| {
    if accepts(&sign(data, CLAIMS.as_bytes())) {
        let header: Value = serde_json::from_slice(data).unwrap();
        assert!(header["alg"] == "EdDSA" || header["alg"] == "Ed25519");
        assert!(header["typ"] == "at+jwt" || header["typ"] == "application/at+jwt");
        assert!(header.get("kid").is_none_or(|kid| kid == KID));
        assert!(header.get("crit").is_none() && header.get("b64").is_none());
    }
});
