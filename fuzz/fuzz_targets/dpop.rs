//! Any text as a proof, as the header and as the claims of a well-signed one, and as an address.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use usso_fuzz::{NOW, jwk, sign};
use usso_verify::dpop::{Confirmed, Error, Nonces, Proof, RotatingNonces, Verifier, With};

static THUMBPRINT: LazyLock<String> = LazyLock::new(|| {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":{}}}"#, jwk()["x"]);
    hash_of(&members)
});

fuzz_target!(|data: &[u8]| {
    let claims = json!({"jti": "1", "htm": "GET", "htu": URI, "iat": NOW, "ath": hash_of(TOKEN)});
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk()}).to_string();
    if let Ok(text) = std::str::from_utf8(data) {
        if judge(text, URI).is_ok() {
            assert_eq!(text.split('.').count(), 3);
        }
        if text.contains("://") {
            one_spelling_is_one_address(text, &header, &claims);
        }
    }
    if let Ok(confirmed) = judge(&sign(header.as_bytes(), data), URI) {
        is_told(&confirmed, &serde_json::from_slice(data).unwrap());
    }
    if let Ok(confirmed) = judge(&sign(data, claims.to_string().as_bytes()), URI) {
        is_sound(&serde_json::from_slice(data).unwrap());
        is_told(&confirmed, claims.as_object().unwrap());
    }
});

/// Checks a proof three times: it is good once, and with nonces only if it has the right one.
fn judge(proof: &str, uri: &str) -> Result<Confirmed, Error> {
    let with = With::AccessToken { token: TOKEN, jkt: &THUMBPRINT };
    let request = Proof { proof, method: "GET", uri, with };
    let verifier = Verifier::builder().build().unwrap();
    let verdict = verifier.check(&request, NOW);
    let replayed = verifier.check(&request, NOW).err();
    assert_eq!(replayed, Some(verdict.as_ref().err().copied().unwrap_or(Error::Replayed)));
    let nonces = RotatingNonces::new(Duration::from_secs(60), [7; 32], NOW);
    let nonce = nonces.current(NOW);
    let demanding = Verifier::builder().nonces(nonces).build().unwrap();
    match demanding.check(&request, NOW) {
        Ok(confirmed) => assert!(confirmed.nonce == nonce && verdict.as_ref() == Ok(&confirmed)),
        Err(Error::Nonce) => {
            assert!(verdict.as_ref().is_ok_and(|it| it.nonce != nonce) || late(&verdict))
        }
        Err(error) => assert_eq!(verdict.as_ref().err(), Some(&error)),
    }
    verdict
}

/// Says whether only what is looked at after the nonce is wrong.
fn late(verdict: &Result<Confirmed, Error>) -> bool {
    matches!(verdict, Err(Error::Binding | Error::ClaimMissing("ath") | Error::AccessToken))
}

/// What another reader must find in the claims of an accepted proof.
fn is_told(confirmed: &Confirmed, claims: &Map<String, Value>) {
    assert!(claims["jti"] == *confirmed.jti && (1..=256).contains(&confirmed.jti.len()));
    assert!(claims["htm"] == "GET" && claims["ath"] == hash_of(TOKEN));
    assert_eq!(claims["iat"].as_f64().unwrap().floor(), confirmed.iat as f64);
    assert!((NOW - 65..=NOW + 5).contains(&confirmed.iat));
    assert_eq!(
        claims.get("nonce").map(|nonce| nonce.as_str().unwrap()),
        confirmed.nonce.as_deref()
    );
    assert_eq!(confirmed.jkt, *THUMBPRINT);
    let htu = claims["htu"].as_str().unwrap();
    let plain = htu.split(['?', '#']).next().unwrap();
    let (scheme, rest) = plain.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    assert!(scheme.eq_ignore_ascii_case("https"));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    assert!(host.eq_ignore_ascii_case("api.example"));
    assert!(port.is_empty() || port.parse() == Ok(443));
    assert_eq!(path_of(path), "/files/1");
}

/// Reads a path without a reserved character in an escape.
fn path_of(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        plain.push(char::from(u8::from_str_radix(&piece[..2], 16).unwrap()));
        plain.push_str(&piece[2..]);
    }
    let mut kept = Vec::new();
    for segment in plain.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// What another reader must find in the header of an accepted proof.
fn is_sound(header: &Map<String, Value>) {
    assert!(
        header["typ"] == "dpop+jwt" && (header["alg"] == "EdDSA" || header["alg"] == "Ed25519")
    );
    assert!(!header.contains_key("crit") && !header.contains_key("b64"));
    let key = &header["jwk"];
    assert!(["kty", "crv", "x"].iter().all(|name| key[name] == jwk()[name]));
    assert!(["d", "k", "p", "q"].iter().all(|name| key.get(name).is_none()));
}

/// An address is refused or equal to itself, also with another query.
fn one_spelling_is_one_address(text: &str, header: &str, claims: &Value) {
    let mut claims = claims.clone();
    claims["htu"] = text.into();
    let proof = sign(header.as_bytes(), claims.to_string().as_bytes());
    let verdict = judge(&proof, text);
    assert!(matches!(verdict, Ok(_) | Err(Error::RequestUri | Error::TooLarge)));
    let again = judge(&proof, &format!("{text}?#"));
    if verdict.is_ok() && text.len() < 8000 {
        assert_eq!(verdict, again);
    }
}

fn hash_of(text: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, text.as_bytes()))
}

const TOKEN: &str = "token";
const URI: &str = "https://api.example/files/1";
