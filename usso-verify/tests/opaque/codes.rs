//! Every refusal can be reached, and says nothing of the credential or the answer.

use serde_json::json;
use usso_verify::opaque::*;

use crate::support::*;

/// A refusal for every code, in the alphabetical order of the codes.
fn refused() -> Vec<(&'static str, Error)> {
    let judge = |with| judge(good(with)).unwrap_err();
    let admit = |text: &str| api_keys().credential(text, Origin::Bearer).unwrap_err();
    vec![
        ("opaque.audience", judge(json!({"aud": "hunter2"}))),
        ("opaque.expired", judge(json!({"exp": 1, "sub": "hunter2"}))),
        ("opaque.inactive", judge(json!({"active": false, "sub": "hunter2"}))),
        ("opaque.issued_in_future", judge(json!({"iat": NOW + 31}))),
        ("opaque.issuer", judge(json!({"iss": "hunter2"}))),
        ("opaque.malformed", admit("usso_sk_hunter2")),
        ("opaque.not_yet_valid", judge(json!({"nbf": NOW + 31}))),
        ("opaque.subject", judge(json!({"sub": null, "client_id": "hunter2"}))),
        ("opaque.token_type", judge(json!({"token_type": "hunter2"}))),
        ("opaque.unavailable", judge(json!({"acr": ["hunter2"]}))),
        ("opaque.unrecognised", admit("hunter2")),
    ]
}

#[test]
fn every_code_is_reached() {
    for (code, error) in refused() {
        assert_eq!(error.code(), code);
        assert_eq!(error.is_unavailable(), code == "opaque.unavailable");
    }
}

#[test]
fn a_refusal_is_lower_case_without_a_full_stop_and_repeats_nothing() {
    for (code, error) in refused() {
        let text = error.to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{code}: {text}");
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{code}: {text}");
    }
}
