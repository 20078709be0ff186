//! Nothing from outside panics, and no change of a token goes unnoticed.

use proptest::prelude::*;
use serde_json::{Value, json};
use usso_verify::{Algorithm, Jwk, Jwks, KeySet, VerifyingKey, json as strict};

use crate::support::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_judged_without_panic(text in ".*") {
        let _ = Signer::ed25519(1).verifier().verify_at(&text, NOW);
    }

    #[test]
    fn any_three_segments_are_judged_without_panic(
        header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(), signature in any::<Vec<u8>>(),
    ) {
        let token = format!("{}.{}.{}", b64(header), b64(claims), b64(signature));
        prop_assert!(Signer::ed25519(1).verifier().verify_at(&token, NOW).is_err());
    }

    #[test]
    fn any_signed_json_is_judged_without_panic(header in any_json(), set in any_json()) {
        let signer = Signer::ed25519(1);
        let good = signer.header().to_string();
        for header in [header.to_string(), good] {
            let token = signer.mint_text(&header, &set.to_string());
            prop_assert!(signer.verifier().verify_at(&token, NOW).is_err());
        }
    }

    #[test]
    fn any_claim_of_any_value_is_judged_without_panic(name in "[a-z_]{1,10}", value in any_json()) {
        let _ = Signer::ed25519(1).judge(json!({name: value}));
    }

    #[test]
    fn any_bytes_are_read_as_json_without_panic(bytes in any::<Vec<u8>>(), max_depth in 0_usize..99) {
        let limits = strict::Limits { max_depth };
        if let Ok(value) = strict::parse(&bytes, limits) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
        }
    }

    #[test]
    fn json_without_tricks_is_read_as_it_was_written(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(strict::parse(text.as_bytes(), strict::Limits::default()), Ok(value));
    }

    #[test]
    fn any_bytes_are_read_as_a_key_without_panic(bytes in any::<Vec<u8>>(), prefix in 0_usize..60) {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let spki = Signer::new(algorithm).spki();
            let mixed = [&spki[..prefix.min(spki.len())], &bytes].concat();
            for der in [&bytes, &mixed] {
                let _ = VerifyingKey::from_spki_der(algorithm, der);
            }
        }
    }

    #[test]
    fn any_json_is_read_as_keys_without_panic(value in any_json(), member in any::<Vec<u8>>()) {
        if let Ok(jwk) = serde_json::from_value::<Jwk>(value.clone()) {
            let _ = VerifyingKey::from_jwk(&jwk);
        }
        for kty in ["OKP", "EC", "RSA"] {
            for crv in ["Ed25519", "P-256", "P-384"] {
                let text = b64(&member);
                let jwk = json!({"kty": kty, "crv": crv, "x": text, "y": text, "n": text, "e": text});
                let set: Jwks = serde_json::from_value(json!({"keys": [jwk, value]})).unwrap();
                let _ = KeySet::from_jwks(&set);
            }
        }
    }

    #[test]
    fn any_signature_but_the_key_s_is_refused(message in any::<Vec<u8>>(), signature in any::<[u8; 64]>()) {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            prop_assert!(!Signer::new(algorithm).key().verify(&message, &signature));
        }
    }
}
