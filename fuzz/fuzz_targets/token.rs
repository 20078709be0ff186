//! Any text as a token, and any bytes as the claims of a signed one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usso_fuzz::{AUDIENCE, HEADER, ISSUER, NOW, accepts, sign};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && accepts(text)
    {
        assert_eq!(text.split('.').count(), 3);
    }
    if accepts(&sign(HEADER.as_bytes(), data)) {
        judge(&serde_json::from_slice(data).unwrap());
    }
});

/// What another reader must find in accepted claims.
fn judge(claims: &Value) {
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["token_type"], "access");
    assert!(claims["sub"].as_str().is_some_and(|subject| !subject.is_empty()));
    let audiences = claims["aud"].as_array();
    assert!(
        claims["aud"] == AUDIENCE
            || audiences.is_some_and(|list| list.iter().any(|is| is == AUDIENCE))
    );
    let leeway = 30.0;
    let number = |name: &str| claims.get(name).map(|time| time.as_f64().unwrap());
    let now = NOW as f64;
    assert!(number("exp").unwrap() > now - leeway);
    assert!(number("nbf").is_none_or(|start| start < now + leeway + 1.0));
    assert!(number("iat").is_none_or(|issued| issued < now + leeway + 1.0));
}
