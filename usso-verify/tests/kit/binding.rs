//! Tokens that are bound to a key or a certificate.

use serde_json::json;
use usso_verify::certificate::Thumbprint;
use usso_verify::testing::Prover;
use usso_verify::{Clock, Presented, VerifyError, dpop};

use crate::*;

const URI: &str = "https://api.example/files";

#[test]
fn a_bound_token_with_its_holders_proof_is_good_once() {
    let (issuer, prover) = (issuer(), Prover::new());
    let (verifier, now) = (issuer.verifier(AUDIENCE), issuer.clock().now());
    let token = issuer.mint().audience(AUDIENCE).bound_to(&prover).sign();
    for _ in 0..2 {
        let proof = prover.proof("GET", URI, &token, now);
        let presented = Presented::dpop(&token, &proof, "GET", URI);
        assert!(verifier.verify_local(presented).is_ok());
        let again = verifier.verify_local(presented);
        assert_eq!(again, Err(VerifyError::Dpop(dpop::Error::Replayed)));
    }
}

#[test]
fn a_bound_token_sent_as_plain_bearer_is_refused_also_when_it_is_remembered() {
    let (issuer, prover) = (issuer(), Prover::new());
    let (verifier, now) = (issuer.verifier(AUDIENCE), issuer.clock().now());
    let token = issuer.mint().audience(AUDIENCE).bound_to(&prover).sign();
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::Binding));
    let proof = prover.proof("GET", URI, &token, now);
    assert!(verifier.verify_local(Presented::dpop(&token, &proof, "GET", URI)).is_ok());
    assert_eq!(verifier.cached_tokens(), 1);
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::Binding));
}

#[test]
fn the_proof_of_another_key_method_address_or_token_is_refused() {
    let (issuer, prover) = (issuer(), Prover::new());
    let (verifier, now) = (issuer.verifier(AUDIENCE), issuer.clock().now());
    let token = issuer.mint().audience(AUDIENCE).bound_to(&prover).sign();
    let verdict = |proof: &str| verifier.verify_local(Presented::dpop(&token, proof, "GET", URI));
    let wrong = |error| Err(VerifyError::Dpop(error));
    assert_eq!(verdict(&Prover::new().proof("GET", URI, &token, now)), wrong(dpop::Error::Binding));
    assert_eq!(verdict(&prover.proof("POST", URI, &token, now)), wrong(dpop::Error::Method));
    let elsewhere = prover.proof("GET", "https://api.example/other", &token, now);
    assert_eq!(verdict(&elsewhere), wrong(dpop::Error::Uri));
    assert_eq!(verdict(&prover.proof("GET", URI, "other", now)), wrong(dpop::Error::AccessToken));
}

#[test]
fn a_proof_with_a_token_that_is_bound_to_nothing_is_refused() {
    let (issuer, prover) = (issuer(), Prover::new());
    let token = issuer.mint().audience(AUDIENCE).sign();
    let proof = prover.proof("GET", URI, &token, issuer.clock().now());
    let presented = Presented::dpop(&token, &proof, "GET", URI);
    assert_eq!(issuer.verifier(AUDIENCE).verify_local(presented), Err(VerifyError::Binding));
}

#[test]
fn a_certificate_bound_token_needs_that_certificate() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let (mine, other) = (thumbprint(1), thumbprint(2));
    let bound = json!({"x5t#S256": mine.to_text()});
    let token = issuer.mint().audience(AUDIENCE).claim("cnf", bound).sign();
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::Binding));
    let with = |certificate| Presented::bearer(&token).certificate(certificate);
    assert_eq!(verifier.verify_local(with(&other)), Err(VerifyError::Binding));
    assert!(verifier.verify_local(with(&mine)).is_ok());
}

#[test]
fn a_confirmation_that_nothing_here_can_check_is_refused() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    for cnf in [json!({}), json!({"kid": "k"}), json!({"jwk": {}}), json!({"x5t": "a"})] {
        let token = issuer.mint().audience(AUDIENCE).claim("cnf", cnf.clone()).sign();
        assert_eq!(verifier.verify_local(&token), Err(VerifyError::Binding), "{cnf}");
    }
    for cnf in [json!(null), json!("a"), json!([]), json!({"jkt": null}), json!({"jkt": 1})] {
        let token = issuer.mint().audience(AUDIENCE).claim("cnf", cnf.clone()).sign();
        let verdict = verifier.verify_local(&token);
        assert_eq!(verdict, Err(VerifyError::ClaimInvalid("cnf")), "{cnf}");
    }
}

fn thumbprint(seed: u8) -> Thumbprint {
    // The smallest sequence that looks like DER.
    Thumbprint::of_der(&[0x30, 3, 2, 1, seed]).unwrap()
}
