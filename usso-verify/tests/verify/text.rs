//! The token as text: every byte counts (attacks T12, T13, T14).

use serde_json::json;
use usso_verify::{Algorithm, Verifier, VerifyError};

use crate::support::*;

fn good(algorithm: Algorithm) -> (Verifier, String) {
    let signer = Signer::new(algorithm);
    let token = signer.mint(&claims(json!({})));
    assert!(signer.verifier().verify_at(&token, NOW).is_ok());
    (signer.verifier(), token)
}

fn large() -> (Signer, Verifier) {
    let signer = Signer::new(Algorithm::EdDsa);
    let verifier = builder(issuer(vec![signer.key()])).max_token_bytes(1 << 20).build().unwrap();
    (signer, verifier)
}

#[test]
fn t12_every_flipped_bit_of_a_token_is_noticed() {
    let (verifier, token) = good(Algorithm::EdDsa);
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            assert!(verifier.verify_at(&flipped, NOW).is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn t12_every_changed_byte_is_noticed_with_every_algorithm() {
    for algorithm in ALGORITHMS {
        let (verifier, token) = good(algorithm);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verifier.verify_at(&changed, NOW).is_err(), "{algorithm:?} byte {at}");
        }
    }
}

#[test]
fn t12_every_truncation_is_noticed_from_both_ends() {
    for algorithm in ALGORITHMS {
        let (verifier, token) = good(algorithm);
        for at in 0..token.len() {
            assert!(verifier.verify_at(&token[..at], NOW).is_err(), "{algorithm:?} first {at}");
            if at > 0 {
                assert!(verifier.verify_at(&token[at..], NOW).is_err(), "{algorithm:?} from {at}");
            }
        }
    }
}

#[test]
fn t12_every_byte_left_out_is_noticed() {
    let (verifier, token) = good(Algorithm::EdDsa);
    for at in 0..token.len() {
        let shorter = [&token[..at], &token[at + 1..]].concat();
        assert!(verifier.verify_at(&shorter, NOW).is_err(), "byte {at}");
    }
}

#[test]
fn t12_padding_whitespace_and_control_characters_are_refused_anywhere() {
    let (verifier, token) = good(Algorithm::EdDsa);
    for extra in ["=", "==", " ", "\n", "\r\n", "\t", "\0", "A", "-", "+", "%20", "\u{feff}", "é"]
    {
        for at in 0..=token.len() {
            let longer = [&token[..at], extra, &token[at..]].concat();
            assert!(verifier.verify_at(&longer, NOW).is_err(), "{extra:?} at {at}");
        }
    }
}

#[test]
fn t12_the_signature_has_one_spelling() {
    let (verifier, token) = good(Algorithm::EdDsa);
    let last = token.chars().last().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let respelt = format!("{}{other}", &token[..token.len() - 1]);
        assert_eq!(verifier.verify_at(&respelt, NOW).is_ok(), other == last, "{other}");
    }
}

#[test]
fn t13_any_number_of_segments_but_three_is_malformed() {
    let (verifier, token) = good(Algorithm::EdDsa);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three segments") };
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}..{claims}.{signature}"),
        format!("{header}.{claims}..{signature}"),
        format!("{token}.{signature}"),
        format!("{header}.{claims}.{claims}.{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
    ] {
        assert_eq!(verifier.verify_at(&text, NOW), Err(VerifyError::Malformed), "{text}");
    }
}

#[test]
fn t13_an_encrypted_token_is_refused() {
    let (verifier, _) = good(Algorithm::EdDsa);
    for header in [
        json!({"alg": "RSA-OAEP", "enc": "A256GCM", "typ": "at+jwt"}),
        json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "EdDSA", "enc": "A256GCM", "typ": "at+jwt", "cty": "JWT"}),
    ] {
        let token = format!("{}.AAAA.AAAA.AAAA.AAAA", b64(header.to_string()));
        assert!(verifier.verify_at(&token, NOW).is_err(), "{header}");
    }
}

#[test]
fn t13_the_json_serialisation_is_refused() {
    let (verifier, token) = good(Algorithm::EdDsa);
    let parts: Vec<&str> = token.split('.').collect();
    let flat = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
    let general = json!({"payload": parts[1], "signatures": [flat]});
    for text in [flat.to_string(), general.to_string(), format!("\"{token}\"")] {
        assert_eq!(verifier.verify_at(&text, NOW), Err(VerifyError::Malformed));
    }
}

#[test]
fn t13_compressed_claims_are_not_inflated() {
    let signer = Signer::new(Algorithm::EdDsa);
    let header = patched(signer.header(), json!({"zip": "DEF"})).to_string();
    let input = format!("{}.{}", b64(header), b64([0xab, 0x56, 0x4a, 0x2d, 0x00]));
    let token = format!("{input}.{}", b64(signer.sign(input.as_bytes())));
    assert_eq!(signer.verifier().verify_at(&token, NOW), Err(VerifyError::Malformed));
}

#[test]
fn t14_a_million_dots_are_refused() {
    let dots = ".".repeat(1_000_000);
    assert_eq!(good(Algorithm::EdDsa).0.verify_at(&dots, NOW), Err(VerifyError::TooLarge));
    assert_eq!(large().1.verify_at(&dots, NOW), Err(VerifyError::Malformed));
}

#[test]
fn t14_a_token_over_the_limit_is_refused_unread() {
    let (signer, verifier) = (Signer::new(Algorithm::EdDsa), good(Algorithm::EdDsa).0);
    let padded = |bytes: usize| signer.mint(&claims(json!({"x": "x".repeat(bytes)})));
    let mut bytes = 5000;
    while padded(bytes).len() < 8192 {
        bytes += 1;
    }
    let (fits, over) = (padded(bytes), padded(bytes + 3));
    assert_eq!(fits.len(), 8192);
    assert!(verifier.verify_at(&fits, NOW).is_ok());
    assert_eq!(verifier.verify_at(&over, NOW), Err(VerifyError::TooLarge));
    let nonsense = "x".repeat(8193);
    assert_eq!(verifier.verify_at(&nonsense, NOW), Err(VerifyError::TooLarge));
}

#[test]
fn t14_deep_json_is_refused_in_header_and_claims() {
    let (signer, verifier) = large();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [32, 127, 128, 129, 100_000] {
            let inner = if open == "[" { "" } else { "0" };
            let deep = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            let nested = format!(r#"{{"x":{deep}}}"#);
            let token = signer.mint_text(&signer.header().to_string(), &nested);
            assert_eq!(verifier.verify_at(&token, NOW), Err(VerifyError::TooDeep), "{depth}");
            if depth < 400 {
                let token = signer.mint_text(&nested, "{}");
                assert_eq!(verifier.verify_at(&token, NOW), Err(VerifyError::TooDeep), "{depth}");
            }
        }
    }
}

#[test]
fn t14_json_as_deep_as_allowed_is_accepted() {
    let deep = (0..31).fold(json!(0), |inner, _| json!([inner]));
    assert!(Signer::new(Algorithm::EdDsa).judge(json!({"x": deep})).is_ok());
}

#[test]
fn t14_thirty_thousand_members_are_read_and_kept() {
    let (signer, verifier) = large();
    let members: Vec<String> = (0..30_000).map(|i| format!(r#""m{i}":{i}"#)).collect();
    let base = claims(json!({"scope": "s ".repeat(30_000)})).to_string();
    let text = format!("{},{}}}", base.strip_suffix('}').unwrap(), members.join(","));
    let token = signer.mint_text(&signer.header().to_string(), &text);
    assert_eq!(verifier.verify_at(&token, NOW).unwrap().claims.len(), 30_000);
}
