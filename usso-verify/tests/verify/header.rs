//! What a header may and may not do (attacks T1, T2, T4, T5, T6, T10).

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use usso_verify::{Algorithm, VerifyError};

use crate::support::*;

fn ed() -> Signer {
    Signer::new(Algorithm::EdDsa)
}

/// Verifies a good token whose header has one more member of any value, `null` included.
fn with_member(name: &str, value: &Value) -> Result<usso_verify::Principal, VerifyError> {
    let mut header = ed().header();
    header[name] = value.clone();
    let token = ed().mint_text(&header.to_string(), &claims(json!({})).to_string());
    ed().verifier().verify_at(&token, NOW)
}

#[test]
fn a_good_header_is_accepted() {
    for algorithm in ALGORITHMS {
        assert!(Signer::new(algorithm).judge_header(json!({})).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn t1_alg_none_in_any_case_is_refused_signed_or_not() {
    for alg in ["none", "None", "NONE", "nOnE", "none ", "", "null"] {
        assert_eq!(ed().judge_header(json!({"alg": alg})), Err(VerifyError::Algorithm));
        let header = patched(ed().header(), json!({"alg": alg})).to_string();
        let token = format!("{}.{}.", b64(header), b64(claims(json!({})).to_string()));
        assert_eq!(ed().verifier().verify_at(&token, NOW), Err(VerifyError::Algorithm));
    }
}

#[test]
fn t1_a_missing_alg_or_one_of_another_type_is_refused() {
    assert_eq!(ed().judge_header(json!({"alg": null})), Err(VerifyError::Malformed));
    for value in every_json_type().into_iter().filter(|value| !value.is_string()) {
        assert_eq!(with_member("alg", &value), Err(VerifyError::Malformed), "{value}");
    }
}

#[test]
fn t1_a_good_token_without_its_signature_is_refused() {
    let token = ed().mint(&claims(json!({})));
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(ed().verifier().verify_at(&format!("{signed}."), NOW), Err(VerifyError::Signature));
}

#[test]
fn t2_hs256_with_the_public_key_in_any_encoding_is_refused() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let (der, key) = (signer.spki(), signer.key());
        let pem = pem("PUBLIC KEY", &der);
        let jwk = serde_json::to_string(&key.to_jwk()).unwrap();
        let jwks = serde_json::to_string(&json!({"keys": [key.to_jwk()]})).unwrap();
        let mut secrets: Vec<Vec<u8>> = [&pem, &jwk, &jwks].map(|s| s.clone().into_bytes()).into();
        for variant in [format!(" {pem}"), format!("\n{pem}"), format!("{pem}\n")]
            .into_iter()
            .chain([format!("\u{feff}{pem}"), format!("\u{a0}{pem}"), pem.replace('\n', "\r\n")])
            .chain([pem.trim().to_owned(), key.kid().to_owned(), String::new()])
        {
            secrets.push(variant.into_bytes());
        }
        secrets.extend([der.clone(), der[der.len() - 32..].to_vec()]);
        for (name, hash) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let header = patched(signer.header(), json!({"alg": name})).to_string();
            let input = format!("{}.{}", b64(header), b64(claims(json!({})).to_string()));
            for secret in &secrets {
                let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
                let token = format!("{input}.{}", b64(tag));
                let verdict = signer.verifier().verify_at(&token, NOW);
                assert_eq!(verdict, Err(VerifyError::Algorithm));
            }
        }
    }
}

#[test]
fn t2_an_hmac_tag_under_the_key_s_own_algorithm_name_is_refused() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let input =
            format!("{}.{}", b64(signer.header().to_string()), b64(claims(json!({})).to_string()));
        let secret =
            hmac::Key::new(hmac::HMAC_SHA512, pem("PUBLIC KEY", &signer.spki()).as_bytes());
        let token = format!("{input}.{}", b64(hmac::sign(&secret, input.as_bytes())));
        assert_eq!(signer.verifier().verify_at(&token, NOW), Err(VerifyError::Signature));
    }
}

#[test]
fn t1_the_header_s_alg_must_be_the_key_s() {
    for key_algorithm in ALGORITHMS {
        let signer = Signer::new(key_algorithm);
        for alg in ALGORITHMS.into_iter().filter(|alg| *alg != key_algorithm) {
            assert_eq!(signer.judge_header(json!({"alg": alg})), Err(VerifyError::Algorithm));
        }
    }
}

#[test]
fn t1_an_rsa_key_for_rs256_does_not_verify_a_good_ps256_signature() {
    let (rs, ps) = (Signer::new(Algorithm::Rs256), Signer::new(Algorithm::Ps256));
    assert_eq!(rs.spki(), ps.spki());
    let token = ps.mint(&claims(json!({})));
    assert!(ps.verifier().verify_at(&token, NOW).is_ok());
    assert_eq!(rs.verifier().verify_at(&token, NOW), Err(VerifyError::Algorithm));
    let relabelled = ps.mint_text(&rs.header().to_string(), &claims(json!({})).to_string());
    assert_eq!(rs.verifier().verify_at(&relabelled, NOW), Err(VerifyError::Signature));
}

#[test]
fn the_fully_specified_name_of_ed25519_is_accepted() {
    assert!(ed().judge_header(json!({"alg": "Ed25519"})).is_ok());
}

#[test]
fn an_algorithm_the_issuer_does_not_allow_is_refused() {
    let signer = Signer::new(Algorithm::Es256);
    let only_ed = issuer(vec![signer.key()]).algorithms(&[Algorithm::EdDsa]);
    let token = signer.mint(&claims(json!({})));
    let verifier = builder(only_ed).build().unwrap();
    assert_eq!(verifier.verify_at(&token, NOW), Err(VerifyError::Algorithm));
}

#[test]
fn t4_a_key_in_the_header_is_never_used() {
    let attacker = Signer::ed25519(66);
    let jwk = serde_json::to_value(attacker.key().to_jwk()).unwrap();
    for (member, value) in [
        ("jwk", jwk),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let header = patched(ed().header(), json!({member: value})).to_string();
        let token = attacker.mint_text(&header, &claims(json!({})).to_string());
        assert_eq!(ed().verifier().verify_at(&token, NOW), Err(VerifyError::Signature));
        assert!(with_member(member, &value).is_ok(), "{member} is ignored");
    }
}

#[test]
fn t5_a_kid_that_is_not_exactly_the_key_s_name_is_unknown() {
    let kid = ed().key().kid().to_owned();
    for other in [
        String::new(),
        "../../../../dev/null".to_owned(),
        "/etc/passwd\0".to_owned(),
        "x' UNION SELECT 'key'--".to_owned(),
        "a\r\nX-Injected: 1".to_owned(),
        kid.to_uppercase(),
        kid[..63].to_owned(),
        format!("{kid}0"),
        format!(" {kid}"),
        format!("{kid}\0"),
        "k".repeat(2000),
    ] {
        assert_eq!(ed().judge_header(json!({"kid": other})), Err(VerifyError::UnknownKey));
    }
}

#[test]
fn t5_a_kid_of_another_type_is_refused_rather_than_taken_for_absent() {
    for value in every_json_type().into_iter().filter(|value| !value.is_string()) {
        assert_eq!(with_member("kid", &value), Err(VerifyError::Malformed), "{value}");
    }
}

#[test]
fn t5_an_absent_kid_is_good_only_if_there_is_one_key() {
    assert!(ed().judge_header(json!({"kid": null})).is_ok());
    let two = issuer(vec![ed().key(), Signer::ed25519(2).key()]);
    let header = patched(ed().header(), json!({"kid": null})).to_string();
    let token = ed().mint_text(&header, &claims(json!({})).to_string());
    let verdict = builder(two).build().unwrap().verify_at(&token, NOW);
    assert_eq!(verdict, Err(VerifyError::UnknownKey));
}

#[test]
fn t6_crit_is_refused_whatever_it_holds() {
    let more = [json!(["b64"]), json!(["alg"]), json!(["exp", "exp"]), json!(["absent"])];
    for value in every_json_type().into_iter().chain(more) {
        assert_eq!(with_member("crit", &value), Err(VerifyError::Critical), "{value}");
    }
}

#[test]
fn t6_b64_is_refused_whatever_it_holds() {
    for value in every_json_type() {
        assert_eq!(with_member("b64", &value), Err(VerifyError::Critical), "{value}");
    }
}

#[test]
fn t10_a_token_of_another_typ_is_refused() {
    for typ in ["JWT", "jwt", "AT+JWT", "at+jwt ", "id+jwt", "logout+jwt", "dpop+jwt", ""]
        .into_iter()
        .chain(["secevent+jwt", "rt+jwt", "application/jwt", "text/at+jwt", "at"])
    {
        assert_eq!(ed().judge_header(json!({"typ": typ})), Err(VerifyError::Typ), "{typ}");
    }
    assert_eq!(ed().judge_header(json!({"typ": null})), Err(VerifyError::Typ));
    for value in every_json_type().into_iter().filter(|value| !value.is_string()) {
        assert_eq!(with_member("typ", &value), Err(VerifyError::Malformed), "{value}");
    }
}

#[test]
fn t10_the_accepted_typ_values_are_the_issuer_s() {
    assert!(ed().judge_header(json!({"typ": "application/at+jwt"})).is_ok());
    let plain = issuer(vec![ed().key()]).token_types(&["JWT"]);
    let plain = builder(plain).build().unwrap();
    let header = patched(ed().header(), json!({"typ": "JWT"})).to_string();
    let token = ed().mint_text(&header, &claims(json!({})).to_string());
    assert!(plain.verify_at(&token, NOW).is_ok());
    let usual = ed().mint(&claims(json!({})));
    assert_eq!(plain.verify_at(&usual, NOW), Err(VerifyError::Typ));
}

#[test]
fn t7_a_header_member_given_twice_is_refused() {
    let kid = ed().key().kid().to_owned();
    let good = format!(r#""alg":"EdDSA","typ":"at+jwt","kid":"{kid}""#);
    for twice in [
        format!(r#"{{{good},"alg":"none"}}"#),
        format!(r#"{{"alg":"none",{good}}}"#),
        format!(r#"{{{good},"kid":"{kid}"}}"#),
        format!(r#"{{{good},"k\u0069d":"other"}}"#),
        format!(r#"{{{good},"custom":{{"a":1,"a":1}}}}"#),
    ] {
        let token = ed().mint_text(&twice, &claims(json!({})).to_string());
        let verdict = ed().verifier().verify_at(&token, NOW);
        assert_eq!(verdict, Err(VerifyError::DuplicateMember), "{twice}");
    }
}

#[test]
fn a_header_that_is_not_a_json_object_is_refused() {
    for header in ["", "null", "[]", "\"EdDSA\"", "1", "{", "{}}", "{} x", "\u{feff}{}", "{'a':1}"]
    {
        let token = ed().mint_text(header, &claims(json!({})).to_string());
        assert_eq!(ed().verifier().verify_at(&token, NOW), Err(VerifyError::Malformed), "{header}");
    }
}

#[test]
fn t14_a_header_over_four_kibibytes_is_refused() {
    let room = |bytes: usize| {
        let spare = bytes - patched(ed().header(), json!({"x": ""})).to_string().len();
        let header = patched(ed().header(), json!({"x": "x".repeat(spare)})).to_string();
        assert_eq!(header.len(), bytes);
        ed().mint_text(&header, &claims(json!({})).to_string())
    };
    let verifier = builder(issuer(vec![ed().key()])).max_token_bytes(1 << 20).build().unwrap();
    assert!(verifier.verify_at(&room(4096), NOW).is_ok());
    assert_eq!(verifier.verify_at(&room(4097), NOW), Err(VerifyError::TooLarge));
    assert_eq!(verifier.verify_at(&room(500_000), NOW), Err(VerifyError::TooLarge));
}
