//! The test kit itself.

use usso_verify::testing::TestIssuer;
use usso_verify::{Algorithm, VerifyError};

use crate::*;

#[test]
fn every_algorithm_can_be_minted() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384]
        .into_iter()
        .chain([Algorithm::Rs256, Algorithm::Ps256])
    {
        let issuer = TestIssuer::with_algorithm("https://sso.example", algorithm);
        let token = issuer.mint().audience(AUDIENCE).role("editor").scope("read:files").sign();
        let caller = issuer.verifier(AUDIENCE).verify_local(&token).unwrap();
        assert!(caller.has_role("editor") && caller.has_scope("read:files"), "{algorithm:?}");
    }
}

#[test]
fn every_malformed_token_is_refused() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let malformed = issuer.malformed(AUDIENCE);
    assert!(malformed.len() > 30);
    for malformed in malformed {
        assert!(verifier.verify_local(&malformed.token).is_err(), "{}", malformed.why);
    }
}

#[test]
fn a_withdrawn_key_can_still_sign_and_is_not_believed() {
    let issuer = issuer();
    let stolen = issuer.kid();
    issuer.rotate();
    issuer.revoke(&stolen);
    let verifier = issuer.verifier(AUDIENCE);
    let forged = issuer.mint().audience(AUDIENCE).signed_by(&stolen).sign();
    assert_eq!(verifier.verify_local(&forged), Err(VerifyError::UnknownKey));
    assert!(verifier.verify_local(&issuer.mint().audience(AUDIENCE).sign()).is_ok());
}

#[test]
fn an_expired_token_is_expired() {
    let issuer = issuer();
    let token = issuer.mint().audience(AUDIENCE).expired().sign();
    assert_eq!(issuer.verifier(AUDIENCE).verify_local(&token), Err(VerifyError::Expired));
}

#[test]
fn claims_are_read_as_a_type_of_the_apps_own() {
    #[derive(serde::Deserialize)]
    struct Mine {
        sub: String,
        plan: String,
    }
    let issuer = issuer();
    let token = issuer.mint().audience(AUDIENCE).claim("plan", "gold").sign();
    let caller = issuer.verifier(AUDIENCE).verify_local(&token).unwrap();
    let mine: Mine = caller.claims_as().unwrap();
    assert_eq!((mine.sub.as_str(), mine.plan.as_str()), ("user:1", "gold"));
    assert!(caller.claims_as::<Vec<u8>>().is_err());
    assert!(caller.json().contains(r#""plan":"gold""#));
}
