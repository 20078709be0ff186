//! Every refusal can be reached, and says nothing of the token.

use serde_json::json;
use usso_verify::{Algorithm, VerifyError};

use crate::support::*;

/// A token for every code, in the alphabetical order of the codes.
fn refused() -> Vec<(&'static str, Result<usso_verify::UserData, VerifyError>)> {
    let signer = Signer::new(Algorithm::EdDsa);
    let duplicate = signer.mint_text(r#"{"alg":"EdDSA","alg":"EdDSA"}"#, "{}");
    let deep = signer.mint_text(&format!("{}{}", "[".repeat(40), "]".repeat(40)), "{}");
    let forged =
        Signer::ed25519(9).mint_text(&signer.header().to_string(), &claims(json!({})).to_string());
    let verify = |token: &str| {
        signer.verifier().verify_at(token, NOW).map(|principal| principal.to_user_data())
    };
    vec![
        ("token.algorithm", signer.judge_header(json!({"alg": "hunter2"}))),
        ("token.audience", signer.judge(json!({"aud": "hunter2"}))),
        ("token.claim_invalid", signer.judge(json!({"acr": ["hunter2"]}))),
        ("token.claim_missing", signer.judge(json!({"sub": null}))),
        ("token.critical", signer.judge_header(json!({"crit": ["hunter2"]}))),
        ("token.duplicate_member", verify(&duplicate)),
        ("token.expired", signer.judge(json!({"exp": 1, "sub": "hunter2"}))),
        ("token.issued_in_future", signer.judge(json!({"iat": NOW + 31}))),
        ("token.malformed", verify("hunter2")),
        ("token.not_yet_valid", signer.judge(json!({"nbf": NOW + 31}))),
        ("token.signature", verify(&forged)),
        ("token.token_type", signer.judge(json!({"token_type": "hunter2"}))),
        ("token.too_deep", verify(&deep)),
        ("token.too_large", verify(&"hunter2".repeat(2000))),
        ("token.typ", signer.judge_header(json!({"typ": "hunter2"}))),
        ("token.unknown_issuer", signer.judge(json!({"iss": "hunter2"}))),
        ("token.unknown_key", signer.judge_header(json!({"kid": "hunter2"}))),
    ]
}

#[test]
fn every_code_is_reached_by_a_token() {
    for (code, verdict) in refused() {
        assert_eq!(verdict.map_err(VerifyError::code), Err(code));
    }
}

#[test]
fn every_challenge_can_be_written() {
    use usso_verify::dpop::Error as Dpop;
    let dpop = [Dpop::Missing, Dpop::Multiple, Dpop::Replayed, Dpop::Nonce, Dpop::Binding];
    let errors = refused().into_iter().map(|(_, verdict)| verdict.unwrap_err());
    for error in errors.chain(dpop.map(VerifyError::Dpop)) {
        let challenge = error.challenge().unwrap().value().unwrap();
        let scheme = if matches!(error, VerifyError::Dpop(_)) { "DPoP " } else { "Bearer " };
        assert!(challenge.starts_with(scheme) && challenge.contains("error="), "{challenge}");
    }
    assert!(VerifyError::KeysUnavailable.challenge().is_none());
}

#[test]
fn no_refusal_repeats_what_the_token_said() {
    for (code, verdict) in refused() {
        let error = verdict.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && !text.contains("user:1"), "{code}: {text}");
    }
}

#[test]
fn a_refusal_is_lower_case_without_a_full_stop() {
    for (code, verdict) in refused() {
        let text = verdict.unwrap_err().to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{code}: {text}");
    }
}

#[test]
fn the_signature_is_judged_before_the_claims() {
    let signer = Signer::new(Algorithm::EdDsa);
    for with in [json!({"exp": 1}), json!({"aud": "x"}), json!({"sub": null}), json!({"exp": "x"})]
    {
        let token =
            Signer::ed25519(9).mint_text(&signer.header().to_string(), &claims(with).to_string());
        assert_eq!(signer.verifier().verify_at(&token, NOW), Err(VerifyError::Signature));
    }
}
