//! Which keys are fit to verify, and what they refuse (attacks T3, T15).

use serde_json::{Value, json};
use usso_verify::{Algorithm, Jwk, Jwks, KeyError, KeySet, VerifyingKey, spki_kid};

use crate::support::*;

fn read(jwk: Value) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk).unwrap())
}

fn published(algorithm: Algorithm) -> Value {
    serde_json::to_value(Signer::new(algorithm).key().to_jwk()).unwrap()
}

/// Prepares the published key of `algorithm` changed by `with`; `null` removes a member.
fn changed(algorithm: Algorithm, with: Value) -> Result<VerifyingKey, KeyError> {
    read(patched(published(algorithm), with))
}

fn rsa(n: &[u8], e: &[u8]) -> Result<VerifyingKey, KeyError> {
    read(json!({"kty": "RSA", "n": b64(n), "e": b64(e)}))
}

/// An odd modulus of exactly this many bits. Whether it has two prime factors nobody can tell.
fn modulus(bits: usize) -> Vec<u8> {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] >>= n.len() * 8 - bits;
    n
}

const F4: &[u8] = &[1, 0, 1];

#[test]
fn a_key_survives_the_round_trip_through_its_jwk() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let (key, again) = (signer.key(), VerifyingKey::from_jwk(&signer.key().to_jwk()).unwrap());
        assert_eq!((again.kid(), again.algorithm()), (key.kid(), algorithm));
        assert_eq!((again.thumbprint(), again.to_jwk()), (key.thumbprint(), key.to_jwk()));
        assert!(again.verify(b"message", &signer.sign(b"message")));
        assert!(!again.verify(b"massage", &signer.sign(b"message")));
    }
}

#[test]
fn a_published_key_says_what_it_is_for() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let jwk = signer.key().to_jwk();
        assert_eq!(jwk.use_.as_deref(), Some("sig"));
        assert_eq!(jwk.alg.as_deref(), Some(algorithm.as_str()));
        assert_eq!(jwk.kid, Some(spki_kid(&signer.spki())));
    }
}

#[test]
fn the_kid_is_the_sha_256_of_the_spki_in_hex() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(spki_kid(b""), empty);
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        assert_eq!(signer.key().kid(), spki_kid(&signer.spki()));
        let mut jwk = signer.key().to_jwk();
        jwk.kid = None;
        let unnamed = VerifyingKey::from_jwk(&jwk).unwrap();
        assert_eq!(unnamed.kid(), spki_kid(&signer.spki()), "{algorithm:?}");
    }
}

#[test]
fn t3_without_alg_the_kind_of_key_decides_and_rsa_means_rs256_only() {
    for algorithm in ALGORITHMS {
        let key = changed(algorithm, json!({"alg": null})).unwrap();
        let expected = if algorithm == Algorithm::Ps256 { Algorithm::Rs256 } else { algorithm };
        assert_eq!(key.algorithm(), expected);
    }
}

#[test]
fn t3_an_alg_that_is_not_for_the_key_is_refused() {
    for algorithm in ALGORITHMS {
        let rsa = [Algorithm::Rs256, Algorithm::Ps256];
        for other in ALGORITHMS {
            let fits = other == algorithm || rsa.contains(&algorithm) && rsa.contains(&other);
            let key = changed(algorithm, json!({"alg": other}));
            assert_eq!(key.is_ok(), fits, "{algorithm:?} {other:?}");
            let der = VerifyingKey::from_spki_der(other, &Signer::new(algorithm).spki());
            assert_eq!(der.is_ok(), fits, "{algorithm:?} {other:?}");
        }
        for alg in ["none", "HS256", "RS1", "RSA-OAEP", "ES512", "eddsa", ""] {
            assert_eq!(changed(algorithm, json!({"alg": alg})).err(), Some(KeyError::Algorithm));
        }
    }
}

#[test]
fn t3_a_kty_or_crv_that_does_not_fit_is_refused() {
    for (algorithm, with, error) in [
        (Algorithm::EdDsa, json!({"kty": "EC"}), KeyError::Curve),
        (Algorithm::EdDsa, json!({"kty": "RSA"}), KeyError::Encoding),
        (Algorithm::EdDsa, json!({"kty": "oct"}), KeyError::KeyType),
        (Algorithm::EdDsa, json!({"kty": "okp"}), KeyError::KeyType),
        (Algorithm::EdDsa, json!({"crv": null}), KeyError::Curve),
        (Algorithm::EdDsa, json!({"crv": "X25519"}), KeyError::Curve),
        (Algorithm::EdDsa, json!({"crv": "Ed448"}), KeyError::Curve),
        (Algorithm::EdDsa, json!({"crv": "P-256"}), KeyError::Curve),
        (Algorithm::Es256, json!({"crv": "Ed25519"}), KeyError::Curve),
        (Algorithm::Es256, json!({"crv": "P-384"}), KeyError::Encoding),
        (Algorithm::Es256, json!({"crv": "secp256k1"}), KeyError::Curve),
        (Algorithm::Es256, json!({"crv": "P-521"}), KeyError::Curve),
        (Algorithm::Es384, json!({"crv": "P-256"}), KeyError::Encoding),
        (Algorithm::Rs256, json!({"kty": "EC"}), KeyError::Curve),
    ] {
        assert_eq!(changed(algorithm, with.clone()).err(), Some(error), "{with}");
    }
}

#[test]
fn t3_a_key_for_another_use_is_refused() {
    for use_ in ["enc", "Sig", "sig ", "", "tls"] {
        assert_eq!(changed(Algorithm::EdDsa, json!({"use": use_})).err(), Some(KeyError::Use));
    }
    assert!(changed(Algorithm::EdDsa, json!({"use": null})).is_ok());
}

#[test]
fn t3_key_ops_must_allow_to_verify_and_repeat_nothing() {
    for ops in [json!([]), json!(["sign"]), json!(["Verify"]), json!(["verify", "verify"])]
        .into_iter()
        .chain([json!(["verify", "sign", "sign"]), json!(["encrypt", "wrapKey"])])
    {
        let key = changed(Algorithm::EdDsa, json!({"key_ops": ops}));
        assert_eq!(key.err(), Some(KeyError::KeyOps), "{ops}");
    }
    for ops in [json!(["verify"]), json!(["sign", "verify"])] {
        assert!(changed(Algorithm::EdDsa, json!({"key_ops": ops})).is_ok());
    }
}

#[test]
fn t3_a_private_or_symmetric_key_is_refused() {
    for algorithm in ALGORITHMS {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let key = changed(algorithm, json!({name: "AAAA"}));
            assert_eq!(key.err(), Some(KeyError::PrivateMember), "{algorithm:?} {name}");
        }
    }
    let oct = read(json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}));
    assert_eq!(oct.err(), Some(KeyError::PrivateMember));
    assert_eq!(read(json!({"kty": "oct"})).err(), Some(KeyError::KeyType));
}

#[test]
fn a_member_that_is_missing_or_badly_encoded_is_refused() {
    for (algorithm, names) in [
        (Algorithm::EdDsa, ["x"].as_slice()),
        (Algorithm::Es256, &["x", "y"]),
        (Algorithm::Es384, &["x", "y"]),
        (Algorithm::Rs256, &["n", "e"]),
    ] {
        for name in names {
            let good = published(algorithm)[name].as_str().unwrap().to_owned();
            for bad in
                [Value::Null, json!(""), json!(format!("{good}=")), json!(format!("{good}A"))]
                    .into_iter()
                    .chain([json!(format!(" {good}")), json!(format!("{good}\n")), json!("é")])
            {
                let key = changed(algorithm, json!({*name: bad}));
                assert!(key.is_err(), "{algorithm:?} {name} {bad}");
            }
        }
    }
}

#[test]
fn t15_ed25519_keys_of_small_order_are_refused() {
    let (zeros, ones) = ("00".repeat(30), "ff".repeat(30));
    let eight = "7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03";
    let eighth = "e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc";
    for hex in [
        format!("01{zeros}00"),
        format!("ec{ones}7f"),
        format!("00{zeros}00"),
        format!("00{zeros}80"),
        format!("c{eight}7a"),
        format!("c{eight}fa"),
        format!("26{eighth}05"),
        format!("26{eighth}85"),
        format!("01{zeros}80"),
        format!("ec{ones}ff"),
        format!("ed{ones}7f"),
        format!("ee{ones}7f"),
    ] {
        let bytes: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&bytes)});
        assert_eq!(read(jwk).err(), Some(KeyError::Weak), "{hex}");
        let spki = [&Signer::new(Algorithm::EdDsa).spki()[..12], &bytes].concat();
        let key = VerifyingKey::from_spki_der(Algorithm::EdDsa, &spki);
        assert_eq!(key.err(), Some(KeyError::Weak), "{hex}");
    }
}

#[test]
fn t15_a_second_encoding_of_an_ed25519_point_is_refused() {
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes)});
            assert_eq!(read(jwk).err(), Some(KeyError::Weak), "{low:x}");
        }
    }
}

#[test]
fn t15_an_ed25519_signature_with_the_order_added_is_refused() {
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let signer = Signer::new(Algorithm::EdDsa);
    let mut signature = signer.sign(b"message");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    assert!(!signer.key().verify(b"message", &signature));
}

#[test]
fn t15_an_ed25519_signature_of_small_order_is_refused_although_the_equation_holds() {
    use ed25519_dalek::Verifier;
    // R is the neutral point and S = k·a, computed with the private key.
    let text =
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACVwP3MVPzK0fK4vJuWqmg3yC-GNJ5ldq0pyj7Oe36pBQ";
    let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap();
    let signer = Signer::ed25519(1);
    let lax: [u8; 32] = signer.spki()[12..].try_into().unwrap();
    let lax = ed25519_dalek::VerifyingKey::from_bytes(&lax).unwrap();
    let holds = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    assert!(lax.verify(b"message", &holds).is_ok());
    assert!(!signer.key().verify(b"message", &signature));
}

#[test]
fn t15_degenerate_signatures_are_refused() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let good = signer.sign(b"message");
        let half = good.len() / 2;
        let mut bad = vec![vec![], vec![0; good.len()], vec![0xff; good.len()], vec![0; 4096]];
        bad.push([&vec![0; half], &good[half..]].concat());
        bad.push([&good[..half], &vec![0; good.len() - half]].concat());
        bad.push([&good[..], &[0]].concat());
        bad.push([&[0], &good[..]].concat());
        bad.push(good[..good.len() - 1].to_vec());
        bad.push(good[1..].to_vec());
        bad.push(good.iter().rev().copied().collect());
        for signature in bad {
            assert!(!signer.key().verify(b"message", &signature), "{algorithm:?}");
        }
    }
}

#[test]
fn t15_an_ecdsa_signature_in_asn1_is_refused() {
    let signer = Signer::new(Algorithm::Es256);
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        &signer.pkcs8(),
    );
    let random = aws_lc_rs::rand::SystemRandom::new();
    let signature = pair.unwrap().sign(&random, b"message").unwrap();
    assert!(!signer.key().verify(b"message", signature.as_ref()));
}

#[test]
fn t15_a_point_off_the_curve_is_refused() {
    for (algorithm, length) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48)] {
        for y in [vec![0; length], vec![1; length], vec![0xff; length]] {
            let key = changed(algorithm, json!({"y": b64(&y)}));
            assert_eq!(key.err(), Some(KeyError::Weak), "{algorithm:?}");
        }
        let origin = json!({"x": b64(vec![0; length]), "y": b64(vec![0; length])});
        assert_eq!(changed(algorithm, origin).err(), Some(KeyError::Weak));
        let short = json!({"x": b64(vec![1; length - 1])});
        assert_eq!(changed(algorithm, short).err(), Some(KeyError::Encoding));
        let long = json!({"x": b64(vec![0; length + 1])});
        assert_eq!(changed(algorithm, long).err(), Some(KeyError::Encoding));
    }
}

#[test]
fn t15_an_rsa_modulus_outside_2048_to_8192_bits_is_refused() {
    for bits in [1, 512, 1024, 2040, 2047, 8193, 16384] {
        assert_eq!(rsa(&modulus(bits), F4).err(), Some(KeyError::Size), "{bits}");
    }
    for bits in [2048, 2049, 3072, 4096, 8192] {
        assert!(rsa(&modulus(bits), F4).is_ok(), "{bits}");
    }
}

#[test]
fn t15_an_rsa_exponent_below_65537_or_even_or_huge_is_refused() {
    let n = modulus(2048);
    for e in [&[1][..], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &[2, 0, 0, 0, 1]]
        .into_iter()
        .chain([&[0xff; 8][..], &[0xff; 9], &[0xff; 256]])
    {
        assert_eq!(rsa(&n, e).err(), Some(KeyError::Weak), "{e:?}");
    }
    for e in [&[][..], &[0], &[0, 1, 0, 1]] {
        assert_eq!(rsa(&n, e).err(), Some(KeyError::Encoding), "{e:?}");
    }
    for e in [F4, &[1, 0, 3], &[0xff, 0xff, 0xff, 0xff], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(rsa(&n, e).is_ok(), "{e:?}");
    }
}

#[test]
fn t15_an_even_or_zero_padded_rsa_modulus_is_refused() {
    let mut even = modulus(2048);
    *even.last_mut().unwrap() = 0xfe;
    assert_eq!(rsa(&even, F4).err(), Some(KeyError::Weak));
    assert_eq!(rsa(&[&[0], &modulus(2048)[..]].concat(), F4).err(), Some(KeyError::Encoding));
    assert_eq!(rsa(&[0; 256], F4).err(), Some(KeyError::Encoding));
    assert_eq!(rsa(&[], F4).err(), Some(KeyError::Encoding));
}

#[test]
fn der_that_is_truncated_extended_or_of_another_form_is_refused() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let spki = signer.spki();
        for end in 0..spki.len() {
            assert!(VerifyingKey::from_spki_der(algorithm, &spki[..end]).is_err());
        }
        for bad in [[&spki[..], &[0]].concat(), [&[0], &spki[..]].concat(), signer.pkcs8()] {
            let key = VerifyingKey::from_spki_der(algorithm, &bad);
            assert_eq!(key.err(), Some(KeyError::Encoding), "{algorithm:?}");
        }
        let text = pem("PUBLIC KEY", &spki);
        assert!(VerifyingKey::from_spki_der(algorithm, text.as_bytes()).is_err());
    }
}

#[test]
fn der_that_names_the_key_otherwise_than_canonically_is_refused() {
    let spki = Signer::new(Algorithm::Rs256).spki();
    let bare = &spki[24..];
    assert_eq!(bare[0], 0x30, "the RSAPublicKey inside");
    let key = VerifyingKey::from_spki_der(Algorithm::Rs256, bare);
    assert_eq!(key.err(), Some(KeyError::Encoding));
    let point = Signer::new(Algorithm::Es256).spki();
    let compressed = [&point[..26], &[2 + (point[90] & 1)], &point[27..59]].concat();
    let key = VerifyingKey::from_spki_der(Algorithm::Es256, &compressed);
    assert_eq!(key.err(), Some(KeyError::Encoding));
}

#[test]
fn a_bad_key_is_skipped_and_counted_and_the_others_are_good() {
    let (ed, es) = (published(Algorithm::EdDsa), published(Algorithm::Es256));
    let set: Jwks = serde_json::from_value(json!({"keys": [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "pq"},
        ed,
        {"kty": "oct", "k": "AAAA", "kid": "hmac"},
        {"kty": 7},
        patched(published(Algorithm::Rs256), json!({"use": "enc", "kid": "enc"})),
        es,
    ]}))
    .unwrap();
    let set = KeySet::from_jwks(&set);
    assert_eq!((set.len(), set.skipped()), (2, 4));
    for jwk in [ed, es] {
        assert!(set.get(jwk["kid"].as_str().unwrap()).is_some());
    }
    assert!(set.get("hmac").is_none());
}

#[test]
fn two_keys_of_one_kid_are_both_refused() {
    let (ed, es) = (published(Algorithm::EdDsa), published(Algorithm::Es256));
    let other = patched(published(Algorithm::Es256), json!({"kid": ed["kid"]}));
    let set = Jwks {
        keys: [&ed, &es, &other].map(|jwk| serde_json::from_value(jwk.clone()).unwrap()).into(),
    };
    let set = KeySet::from_jwks(&set);
    assert!(set.get(ed["kid"].as_str().unwrap()).is_none());
    assert_eq!((set.len(), set.skipped()), (1, 2));
    let same = Signer::new(Algorithm::EdDsa).key();
    let set = KeySet::new(vec![same.clone(), same.clone(), same]);
    assert_eq!((set.is_empty(), set.skipped()), (true, 3));
}

#[test]
fn the_only_key_is_that_of_a_set_of_one() {
    let (one, two) = (Signer::ed25519(1).key(), Signer::ed25519(2).key());
    assert!(KeySet::new(vec![]).only().is_none());
    assert_eq!(KeySet::new(vec![one.clone()]).only().unwrap().kid(), one.kid());
    assert!(KeySet::new(vec![one, two]).only().is_none());
}

#[test]
fn every_key_of_a_set_is_found_and_published() {
    let keys: Vec<_> = (1..50).map(|seed| Signer::ed25519(seed).key()).collect();
    let set = KeySet::new(keys.clone());
    for key in &keys {
        assert_eq!(set.get(key.kid()).unwrap().to_jwk(), key.to_jwk());
        assert!(set.get(&key.kid()[1..]).is_none());
    }
    assert_eq!(set.iter().count(), 49);
    let again = KeySet::from_jwks(&set.to_jwks());
    assert!(set.iter().zip(again.iter()).all(|(a, b)| a.to_jwk() == b.to_jwk()));
    assert_eq!((again.len(), again.skipped()), (49, 0));
}

#[test]
fn debug_shows_a_key_by_name_only() {
    let key = Signer::new(Algorithm::EdDsa).key();
    let text = format!("{key:?}");
    assert!(text.contains(key.kid()) && !text.contains(key.to_jwk().x.as_deref().unwrap()));
}
