//! The claims, every one with every type (attacks T7, T8, T9, T10).

use serde_json::{Value, json};
use usso_verify::{Algorithm, Audience, UserData, VerifyError};

use crate::support::*;

const TEXTS: [&str; 10] = [
    "iss",
    "sub",
    "jti",
    "client_id",
    "session_id",
    "tenant_id",
    "workspace_id",
    "acr",
    "signing_level",
    "scope",
];
const DATES: [&str; 4] = ["exp", "iat", "nbf", "auth_time"];
const LISTS: [&str; 3] = ["roles", "scopes", "amr"];

fn ed() -> Signer {
    Signer::new(Algorithm::EdDsa)
}

/// Verifies a good token with one claim of any value, `null` included.
fn with_claim(name: &str, value: &Value) -> Result<UserData, VerifyError> {
    let mut set = claims(json!({}));
    set[name] = value.clone();
    ed().verifier().verify_at(&ed().mint(&set), NOW).map(|caller| caller.to_user_data())
}

/// Verifies a good token with one more claim, written as text.
fn with_text(member: &str) -> Result<UserData, VerifyError> {
    let (name, _) = member.trim_start_matches('"').split_once('"').unwrap();
    let set = claims(json!({name: null})).to_string();
    let text = format!("{},{member}}}", set.strip_suffix('}').unwrap());
    let token = ed().mint_text(&ed().header().to_string(), &text);
    ed().verifier().verify_at(&token, NOW).map(|caller| caller.to_user_data())
}

#[test]
fn a_good_token_gives_every_claim() {
    let user = ed().judge(json!({"client_id": "c", "signing_level": "2", "color": null})).unwrap();
    assert_eq!((user.iss.as_str(), user.sub.as_str()), (ISSUER, "user:1"));
    assert_eq!((user.aud.as_slice(), user.exp), ([AUDIENCE.to_owned()].as_slice(), NOW + 900));
    assert_eq!((user.iat, user.nbf, user.auth_time), (Some(NOW), Some(NOW), Some(NOW - 60)));
    assert_eq!((user.jti.as_deref(), user.client_id.as_deref()), (Some("t1"), Some("c")));
    assert_eq!(user.token_type.as_deref(), Some("access"));
    assert_eq!(user.session_id.as_deref(), Some("ses_1"));
    assert_eq!(user.tenant_id.as_deref(), Some("org_1"));
    assert_eq!(user.workspace_id.as_deref(), Some("ws_1"));
    assert_eq!(
        (user.acr.as_deref(), user.signing_level.as_deref()),
        (Some("usso:acr:1"), Some("2"))
    );
    assert_eq!(user.amr, ["password"]);
    assert!(user.has_role("member") && !user.has_role("Member") && !user.has_role("mem"));
    assert!(user.has_scope("read:files") && !user.has_scope("read:*") && !user.has_scope(""));
    assert!(user.claims.is_empty());
}

#[test]
fn t7_a_text_claim_takes_text_only() {
    for name in TEXTS {
        for value in every_json_type().into_iter().filter(|value| !value.is_string()) {
            let verdict = with_claim(name, &value);
            assert_eq!(verdict, Err(VerifyError::ClaimInvalid(name)), "{name} {value}");
        }
    }
}

#[test]
fn t7_a_time_takes_a_number_of_the_years_1970_to_9999_only() {
    let wrong =
        [json!(-0.5), json!(253_402_300_800_u64), json!(1_750_000_900_000_u64), json!(1e12)];
    for name in DATES {
        let wrong = every_json_type().into_iter().chain(wrong.clone());
        for value in wrong.filter(|value| *value != json!(0) && *value != json!(1.5)) {
            let verdict = with_claim(name, &value);
            assert_eq!(verdict, Err(VerifyError::ClaimInvalid(name)), "{name} {value}");
        }
    }
    assert_eq!(with_claim("exp", &json!(253_402_300_799_u64)).unwrap().exp, 253_402_300_799);
    assert_eq!(with_claim("auth_time", &json!(1.5)).unwrap().auth_time, Some(1));
}

#[test]
fn t7_a_list_claim_takes_a_list_of_text_only() {
    for name in LISTS {
        for value in every_json_type() {
            let sound = value == json!([]) || value == json!(["text"]);
            match with_claim(name, &value) {
                Ok(_) => assert!(sound, "{name} {value}"),
                Err(error) => {
                    assert_eq!((sound, error), (false, VerifyError::ClaimInvalid(name)), "{value}");
                }
            }
        }
    }
}

#[test]
fn t7_numbers_json_does_not_have_are_refused() {
    for number in
        ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "0x7fffffff", "01", "+1", "1."]
            .into_iter()
            .chain([".5", "1_000", "1e", "١٧٥٠", "--1", "1e99999999999", "null1", ""])
    {
        for name in DATES {
            let verdict = with_text(&format!(r#""{name}":{number}"#));
            assert_eq!(verdict, Err(VerifyError::Malformed), "{name} {number}");
        }
    }
}

#[test]
fn t7_a_missing_required_claim_is_refused() {
    for name in ["iss", "sub", "exp"] {
        assert_eq!(ed().judge(json!({name: null})), Err(VerifyError::ClaimMissing(name)));
    }
    assert_eq!(ed().judge(json!({"aud": null})), Err(VerifyError::Audience));
    assert_eq!(ed().judge(json!({"token_type": null})), Err(VerifyError::TokenType));
}

#[test]
fn t7_every_other_claim_may_be_missing() {
    for name in TEXTS.into_iter().chain(DATES).chain(LISTS) {
        if !["iss", "sub", "exp"].contains(&name) {
            assert!(ed().judge(json!({name: null})).is_ok(), "{name}");
        }
    }
}

#[test]
fn an_empty_subject_is_refused() {
    assert_eq!(ed().judge(json!({"sub": ""})), Err(VerifyError::ClaimInvalid("sub")));
}

#[test]
fn t7_a_claim_given_twice_is_refused_at_any_level() {
    let good = claims(json!({})).to_string();
    let good = good.strip_suffix('}').unwrap();
    for member in [
        r#""sub":"user:2""#,
        r#""sub":"user:1""#,
        r#""exp":9999999999"#,
        r#""\u0073ub":"user:2""#,
        r#""x":{"y":{"z":1,"z":1}}"#,
        r#""x":[{"y":1,"y":2}]"#,
        r#""x":1,"x":1"#,
    ] {
        let token = ed().mint_text(&ed().header().to_string(), &format!("{good},{member}}}"));
        let verdict = ed().verifier().verify_at(&token, NOW);
        assert_eq!(verdict, Err(VerifyError::DuplicateMember), "{member}");
    }
}

#[test]
fn claims_that_are_not_a_json_object_are_refused() {
    for text in
        ["", "null", "[]", "\"iss\"", "1", "{", "{}{}", "{}\0", "\u{feff}{}", "{,}", "{\"a\"}"]
    {
        let token = ed().mint_text(&ed().header().to_string(), text);
        assert_eq!(ed().verifier().verify_at(&token, NOW), Err(VerifyError::Malformed), "{text}");
    }
}

#[test]
fn t8_an_issuer_that_is_not_exactly_the_configured_one_is_unknown() {
    for iss in [
        "https://sso.example/",
        "https://sso.exampl",
        "https://sso.example.evil.test",
        "https://evil.test/https://sso.example",
        "https://SSO.example",
        "HTTPS://sso.example",
        "http://sso.example",
        "https://sso.example:443",
        " https://sso.example",
        "https://sso.example\0",
        "https://sso.example#",
        "sso.example",
        "",
    ] {
        assert_eq!(ed().judge(json!({"iss": iss})), Err(VerifyError::UnknownIssuer), "{iss}");
    }
}

#[test]
fn t8_an_issuer_in_an_array_is_refused() {
    for iss in [json!([ISSUER]), json!([ISSUER, "https://evil.test"]), json!({ISSUER: 1})] {
        assert_eq!(ed().judge(json!({"iss": iss})), Err(VerifyError::ClaimInvalid("iss")));
    }
}

#[test]
fn t9_a_token_for_another_audience_is_refused() {
    for aud in [json!("other"), json!("API"), json!("api "), json!("ap"), json!("api2"), json!("")]
        .into_iter()
        .chain([json!([]), json!(["other", "another"]), json!(["api/"]), json!(["a", "p", "i"])])
    {
        assert_eq!(ed().judge(json!({"aud": aud})), Err(VerifyError::Audience), "{aud}");
    }
}

#[test]
fn t9_an_audience_of_the_wrong_type_is_refused() {
    for value in every_json_type() {
        let names = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        if !value.is_string() && !names {
            let verdict = with_claim("aud", &value);
            assert_eq!(verdict, Err(VerifyError::ClaimInvalid("aud")), "{value}");
        }
    }
    assert_eq!(ed().judge(json!({"aud": ["api", 1]})), Err(VerifyError::ClaimInvalid("aud")));
}

#[test]
fn t9_one_accepted_audience_among_several_is_enough() {
    let user = ed().judge(json!({"aud": ["other", "api"]})).unwrap();
    assert_eq!(user.aud, ["other", "api"]);
    let several = issuer(vec![ed().key()]).audiences(["a", "b"]);
    let several = builder(several).build().unwrap();
    for aud in ["api", "a", "b"] {
        assert!(several.verify_at(&ed().mint(&claims(json!({"aud": aud}))), NOW).is_ok(), "{aud}");
    }
}

#[test]
fn t10_a_token_of_another_kind_is_refused() {
    for kind in ["refresh", "id", "secure", "one_time", "temporary", "Access", "access ", ""] {
        assert_eq!(ed().judge(json!({"token_type": kind})), Err(VerifyError::TokenType), "{kind}");
    }
    for value in every_json_type().into_iter().filter(|value| !value.is_string()) {
        let verdict = with_claim("token_type", &value);
        assert_eq!(verdict, Err(VerifyError::ClaimInvalid("token_type")), "{value}");
    }
}

#[test]
fn t10_the_kind_of_token_is_the_issuer_s() {
    let agents = issuer(vec![ed().key()]).token_type("agent");
    let agents = builder(agents).build().unwrap();
    let agent = ed().mint(&claims(json!({"token_type": "agent"})));
    assert!(agents.verify_at(&agent, NOW).is_ok());
    let access = ed().mint(&claims(json!({})));
    assert_eq!(agents.verify_at(&access, NOW), Err(VerifyError::TokenType));
}

#[test]
fn the_words_of_scope_join_the_scopes_once() {
    let both =
        json!({"scopes": ["read:a", "read:b"], "scope": " read:b  read:c read:c read:a openid "});
    let user = ed().judge(both).unwrap();
    assert_eq!(user.scopes, ["read:a", "read:b", "read:c", "openid"]);
    assert!(!user.claims.contains_key("scope"));
    let user = ed().judge(json!({"scopes": null, "scope": "openid"})).unwrap();
    assert!(user.has_scope("openid") && !user.has_scope("open"));
}

#[test]
fn other_claims_are_kept_as_they_are() {
    let user = ed().judge(json!({"user_id": "u7", "email": "a@b.c", "deep": {"x": [1, null]}}));
    let user = user.unwrap();
    assert_eq!(user.claims["deep"], json!({"x": [1, null]}));
    assert_eq!((user.user_id(), user.email()), ("u7", Some("a@b.c")));
    assert_eq!((user.user_name(), user.phone()), (None, None));
}

#[test]
fn without_a_user_id_the_subject_is_the_user() {
    assert_eq!(ed().judge(json!({})).unwrap().user_id(), "user:1");
    assert_eq!(ed().judge(json!({"user_id": ""})).unwrap().user_id(), "user:1");
    assert_eq!(with_claim("user_id", &Value::Null).unwrap().user_id(), "user:1");
}

#[test]
fn user_data_survives_the_round_trip_through_json() {
    let user = ed().judge(json!({"aud": ["api", "b"], "scope": "x", "custom": [1, {"a": null}]}));
    let user = user.unwrap();
    let text = serde_json::to_string(&user).unwrap();
    assert_eq!(serde_json::from_str::<UserData>(&text).unwrap(), user);
}

#[test]
fn user_data_from_json_obeys_the_same_rules() {
    for with in [json!({"sub": null}), json!({"sub": ""}), json!({"exp": "1"}), json!({"roles": 1})]
    {
        assert!(serde_json::from_value::<UserData>(claims(with)).is_err());
    }
    assert!(serde_json::from_value::<UserData>(claims(json!({}))).is_ok());
}

#[test]
fn a_single_audience_is_written_as_a_string() {
    let written = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        serde_json::to_value(Audience(names)).unwrap()
    };
    assert_eq!(written(&["a"]), json!("a"));
    assert_eq!(written(&["a", "b"]), json!(["a", "b"]));
    for sound in [json!("a"), json!(["a", "b"]), json!([])] {
        let read: Audience = serde_json::from_value(sound.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), sound);
    }
    for wrong in [json!(null), json!(1), json!([1]), json!({})] {
        assert!(serde_json::from_value::<Audience>(wrong).is_err());
    }
}
