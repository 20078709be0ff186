//! When a token is good (attack T18).

use std::time::Duration;

use serde_json::json;
use usso_verify::{Algorithm, VerifyError};

use crate::support::*;

/// Verifies a token with these times at `now`.
fn at(times: serde_json::Value, leeway: u64, now: u64) -> Result<u64, VerifyError> {
    let signer = Signer::new(Algorithm::EdDsa);
    let verifier = builder(issuer(vec![signer.key()]));
    let verifier = verifier.leeway(Duration::from_secs(leeway)).build().unwrap();
    verifier.verify_at(&signer.mint(&claims(times)), now).map(|user| user.exp)
}

fn expiring(exp: impl Into<serde_json::Value>) -> serde_json::Value {
    json!({"exp": exp.into(), "iat": null, "nbf": null})
}

#[test]
fn t18_a_token_is_refused_from_its_end_plus_leeway_on() {
    for leeway in [0, 1, 30, 120] {
        let end = NOW + 900 + leeway;
        assert_eq!(at(json!({}), leeway, end - 1), Ok(NOW + 900), "{leeway}");
        assert_eq!(at(json!({}), leeway, end), Err(VerifyError::Expired), "{leeway}");
        assert_eq!(at(json!({}), leeway, end + 1), Err(VerifyError::Expired), "{leeway}");
    }
}

#[test]
fn t18_a_token_is_refused_before_its_start_less_leeway() {
    for leeway in [0, 1, 30, 120] {
        let start = NOW - leeway;
        let times = json!({"iat": null});
        assert!(at(times.clone(), leeway, start).is_ok(), "{leeway}");
        assert_eq!(at(times, leeway, start - 1), Err(VerifyError::NotYetValid), "{leeway}");
    }
}

#[test]
fn t18_a_token_from_the_future_is_refused() {
    for leeway in [0, 1, 30, 120] {
        let start = NOW - leeway;
        let times = json!({"nbf": null});
        assert!(at(times.clone(), leeway, start).is_ok(), "{leeway}");
        assert_eq!(at(times, leeway, start - 1), Err(VerifyError::IssuedInFuture), "{leeway}");
    }
}

#[test]
fn t18_the_default_leeway_is_thirty_seconds() {
    let signer = Signer::new(Algorithm::EdDsa);
    let (verifier, token) = (signer.verifier(), signer.mint(&claims(json!({}))));
    assert!(verifier.verify_at(&token, NOW + 929).is_ok());
    assert_eq!(verifier.verify_at(&token, NOW + 930), Err(VerifyError::Expired));
}

#[test]
fn t18_a_fraction_of_a_second_is_dropped() {
    assert_eq!(at(expiring(1000.9), 0, 999), Ok(1000));
    assert_eq!(at(expiring(1000.9), 0, 1000), Err(VerifyError::Expired));
    assert!(at(json!({"nbf": 1000.9, "iat": 1000.9}), 0, 1000).is_ok());
    assert_eq!(at(expiring(1.75e9), 0, NOW), Err(VerifyError::Expired));
}

#[test]
fn t18_times_before_1970_are_refused() {
    for name in ["exp", "nbf", "iat"] {
        for time in [json!(-1), json!(-0.001), json!(i64::MIN)] {
            let verdict = at(json!({name: time}), 120, 0);
            assert_eq!(verdict, Err(VerifyError::ClaimInvalid(name)), "{time}");
        }
    }
}

#[test]
fn t18_the_ends_of_time_do_not_overflow() {
    assert_eq!(at(expiring(253_402_300_799_u64), 120, u64::MAX), Err(VerifyError::Expired));
    assert_eq!(at(expiring(0), 120, u64::MAX), Err(VerifyError::Expired));
    assert_eq!(at(expiring(0), 0, 0), Err(VerifyError::Expired));
    assert_eq!(at(expiring(1), 0, 0), Ok(1));
}

#[test]
fn t18_the_leap_second_of_2016_is_an_ordinary_second() {
    let leap = 1_483_228_800_u64;
    assert!(at(expiring(leap), 0, leap - 1).is_ok());
    assert_eq!(at(expiring(leap), 0, leap), Err(VerifyError::Expired));
}

#[test]
fn verify_asks_the_clock() {
    let signer = Signer::new(Algorithm::EdDsa);
    let token = signer.mint(&claims(json!({})));
    let at = |now: u64| {
        let verifier = builder(issuer(vec![signer.key()])).clock(move || now).build().unwrap();
        verifier.verify_local(&token).map(|user| user.sub.clone())
    };
    assert_eq!(at(NOW).as_deref(), Ok("user:1"));
    assert_eq!(at(NOW + 930), Err(VerifyError::Expired));
    assert_eq!(at(NOW - 31), Err(VerifyError::NotYetValid));
}

#[test]
fn the_default_clock_is_the_real_one() {
    let signer = Signer::new(Algorithm::EdDsa);
    let verifier = usso_verify::Verifier::builder().issuer(issuer(vec![signer.key()]));
    let verifier = verifier.build().unwrap();
    let past = signer.mint(&claims(expiring(NOW)));
    assert_eq!(verifier.verify_local(&past), Err(VerifyError::Expired));
    let long = signer.mint(&claims(expiring(253_402_300_799_u64)));
    assert!(verifier.verify_local(&long).is_ok());
}
