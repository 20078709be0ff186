//! Kinds of tokens.

use std::time::Duration;

use serde_json::json;
use usso_verify::testing::Mint;
use usso_verify::{ConfigError, Issuer, Presented, Profile, Verifier, VerifyError};

use crate::*;

fn verdict(issuer: &TestIssuer, rules: Issuer, mint: Mint) -> Result<(), VerifyError> {
    let verifier = Verifier::builder().issuer(rules.audience(AUDIENCE)).clock(issuer.clock());
    let token = mint.audience(AUDIENCE).sign();
    verifier.build().unwrap().verify_local(&token).map(drop)
}

#[test]
fn an_rfc_9068_token_needs_its_claims_and_no_token_type() {
    let issuer = issuer();
    let rules = || issuer.issuer().profile(Profile::rfc9068());
    assert_eq!(verdict(&issuer, rules(), issuer.mint().without("token_type")), Ok(()));
    for claim in ["client_id", "iat", "jti"] {
        let missing = verdict(&issuer, rules(), issuer.mint().without(claim));
        assert_eq!(missing, Err(VerifyError::ClaimMissing(claim)));
    }
    let typ = verdict(&issuer, rules(), issuer.mint().typ("JWT"));
    assert_eq!(typ, Err(VerifyError::Typ));
}

#[test]
fn an_id_token_is_typed_jwt_or_not_at_all_and_is_no_access_token() {
    let issuer = issuer();
    let rules = || issuer.issuer().profile(Profile::oidc_id_token());
    let id_token = || issuer.mint().without("token_type").typ("JWT");
    assert_eq!(verdict(&issuer, rules(), id_token()), Ok(()));
    assert_eq!(verdict(&issuer, rules(), id_token().typ("jwt")), Ok(()));
    assert_eq!(verdict(&issuer, rules(), id_token().typ("at+jwt")), Err(VerifyError::Typ));
    let access = issuer.mint().typ("JWT");
    assert_eq!(verdict(&issuer, rules(), access), Err(VerifyError::TokenType));
    assert_eq!(verdict(&issuer, issuer.issuer(), id_token()), Err(VerifyError::Typ));
    let undated = verdict(&issuer, rules(), id_token().without("iat"));
    assert_eq!(undated, Err(VerifyError::ClaimMissing("iat")));
}

#[test]
fn an_id_token_for_several_audiences_names_this_client_as_the_authorized_party() {
    let issuer = issuer();
    let verifier = Verifier::builder()
        .issuer(issuer.issuer().profile(Profile::oidc_id_token()).audience("me"))
        .clock(issuer.clock())
        .build()
        .unwrap();
    let verdict = |aud: serde_json::Value, azp: Option<&str>| {
        let mint = issuer.mint().without("token_type").typ("JWT").claim("aud", aud);
        let mint = azp.map_or(mint.clone(), |azp| mint.claim("azp", azp));
        verifier.verify_local(&mint.sign()).map(drop)
    };
    assert_eq!(verdict(json!("me"), None), Ok(()));
    assert_eq!(verdict(json!(["me", "you"]), Some("me")), Ok(()));
    assert_eq!(verdict(json!(["me", "you"]), None), Err(VerifyError::ClaimMissing("azp")));
    assert_eq!(verdict(json!(["me", "you"]), Some("you")), Err(VerifyError::ClaimInvalid("azp")));
    assert_eq!(verdict(json!("me"), Some("you")), Err(VerifyError::ClaimInvalid("azp")));
}

#[test]
fn a_logout_token_is_no_id_token() {
    let issuer = issuer();
    let rules = issuer.issuer().profile(Profile::oidc_id_token());
    let events = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let logout = issuer.mint().without("token_type").typ("JWT").claim("events", events);
    let verdict = verdict(&issuer, rules, logout);
    assert_eq!(verdict, Err(VerifyError::ClaimInvalid("events")));
}

#[test]
fn the_nonce_must_be_the_one_that_was_sent() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let token = issuer.mint().audience(AUDIENCE).claim("nonce", "n1").sign();
    let bare = issuer.mint().audience(AUDIENCE).sign();
    let verdict =
        |token, nonce| verifier.verify_local(Presented::bearer(token).nonce(nonce)).map(drop);
    assert_eq!(verdict(&token, "n1"), Ok(()));
    assert_eq!(verdict(&token, "n2"), Err(VerifyError::Nonce));
    assert_eq!(verdict(&bare, "n1"), Err(VerifyError::Nonce));
}

#[test]
fn a_custom_profile_must_say_what_typ_it_takes() {
    let issuer = issuer();
    let rules = || issuer.issuer().profile(Profile::custom()).audience(AUDIENCE);
    let built = Verifier::builder().issuer(rules()).build();
    assert!(matches!(built, Err(ConfigError::TokenTypesEmpty(_))));
    let any = issuer.issuer().profile(Profile::custom().any_typ());
    let mint = issuer.mint().typ("whatever").without("token_type");
    assert_eq!(verdict(&issuer, any, mint), Ok(()));
}

#[test]
fn a_profile_that_would_replace_earlier_settings_is_refused() {
    let issuer = issuer();
    let rules = issuer.issuer().audience(AUDIENCE).max_age(Duration::from_secs(1));
    let built = Verifier::builder().issuer(rules.profile(Profile::rfc9068())).build();
    assert!(matches!(built, Err(ConfigError::ProfileLate(_))));
}

#[test]
fn a_required_claim_must_be_there() {
    let issuer = issuer();
    let rules = || issuer.issuer().require_claim("workspace_id").require_claim("plan");
    let full = || issuer.mint().workspace("ws_1").claim("plan", "gold");
    assert_eq!(verdict(&issuer, rules(), full()), Ok(()));
    for claim in ["workspace_id", "plan"] {
        let missing = verdict(&issuer, rules(), full().without(claim));
        assert_eq!(missing, Err(VerifyError::ClaimMissing(claim)));
    }
}

#[test]
fn a_token_ages_until_it_is_too_old_although_it_has_not_expired() {
    let issuer = issuer();
    let rules = issuer.issuer().max_age(Duration::from_secs(60)).audience(AUDIENCE);
    let verifier = Verifier::builder().issuer(rules).clock(issuer.clock()).build().unwrap();
    let token = issuer.mint().audience(AUDIENCE).sign();
    assert!(verifier.verify_local(&token).is_ok());
    issuer.clock().advance(Duration::from_secs(89));
    assert!(verifier.verify_local(&token).is_ok());
    issuer.clock().advance(Duration::from_secs(1));
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::TooOld));
    let undated = issuer.mint().audience(AUDIENCE).without("iat").sign();
    assert_eq!(verifier.verify_local(&undated), Err(VerifyError::ClaimMissing("iat")));
}

#[test]
fn a_token_made_to_live_too_long_is_refused_from_the_start() {
    let issuer = issuer();
    let rules = || issuer.issuer().max_lifetime(Duration::from_secs(3600));
    let lives = |seconds| issuer.mint().expires_in(Duration::from_secs(seconds));
    assert_eq!(verdict(&issuer, rules(), lives(3600)), Ok(()));
    assert_eq!(verdict(&issuer, rules(), lives(3601)), Err(VerifyError::Lifetime));
    let undated = verdict(&issuer, rules(), lives(60).without("iat"));
    assert_eq!(undated, Err(VerifyError::ClaimMissing("iat")));
}
