//! RFC 7662: the question and every rule for the answer.

use std::time::Duration;

use serde_json::json;
use usso_verify::opaque::*;
use usso_verify::{FetchError, Request};

use crate::support::*;

fn asked(client: ClientAuth, token: &str) -> Request {
    let upstream =
        Introspection::new("https://sso.example/i", ISSUER, Audiences::Any, client).unwrap();
    upstream.request(&upstream.credential(token, Origin::Bearer).unwrap())
}

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

#[test]
fn the_token_goes_into_a_form() {
    let request = asked(client(), "a+b/c=");
    assert_eq!(request.url, "https://sso.example/i");
    assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(header(&request, "accept"), Some("application/json"));
    let body = String::from_utf8(request.body.unwrap()).unwrap();
    assert_eq!(body, "token=a%2Bb%2Fc%3D&token_type_hint=access_token");
}

#[test]
fn both_parts_of_a_basic_client_are_form_encoded_first() {
    let request = asked(ClientAuth::basic("a:b c", "p%é").unwrap(), TOKEN);
    let pair = base64_simd::STANDARD.encode_to_string("a%3Ab+c:p%25%C3%A9");
    assert_eq!(header(&request, "authorization"), Some(format!("Basic {pair}").as_str()));
}

#[test]
fn a_post_client_is_in_the_form_and_not_in_the_header() {
    let request = asked(ClientAuth::post("a&b", "p=q&token=x").unwrap(), TOKEN);
    assert_eq!(header(&request, "authorization"), None);
    let body = String::from_utf8(request.body.unwrap()).unwrap();
    assert!(body.ends_with("&client_id=a%26b&client_secret=p%3Dq%26token%3Dx"), "{body}");
}

#[test]
fn a_bearer_client_is_in_the_header() {
    let request = asked(ClientAuth::bearer("t0ken").unwrap(), TOKEN);
    assert_eq!(header(&request, "authorization"), Some("Bearer t0ken"));
}

#[test]
fn an_active_token_is_a_principal() {
    let user = judge(good(json!({"cnf": {"jkt": "x"}, "username": "u"}))).unwrap();
    assert_eq!((user.iss.as_str(), user.sub.as_str(), user.exp), (ISSUER, "user:1", NOW + 900));
    assert_eq!(user.scopes, ["read:files", "write:files"]);
    assert_eq!(user.aud, ["api"]);
    assert_eq!(user.token_type.as_deref(), Some("Bearer"));
    let whole = serde_json::to_value(&user).unwrap();
    assert_eq!((&whole["cnf"], &whole["username"]), (&json!({"jkt": "x"}), &json!("u")));
    assert!(whole.get("active").is_none());
}

#[test]
fn an_inactive_token_is_refused() {
    assert_eq!(judge(json!({"active": false})), Err(Error::Inactive));
    assert_eq!(judge(good(json!({"active": false}))), Err(Error::Inactive));
}

#[test]
fn only_a_boolean_says_whether_a_token_is_active() {
    for active in [json!("true"), json!(1), json!([true]), json!({}), json!("false"), json!(0)] {
        assert_eq!(judge(good(json!({"active": active}))), Err(ODD), "{active}");
    }
    assert_eq!(judge(good(json!({"active": null}))), Err(ODD));
    assert_eq!(judge(r#"{"active":null,"sub":"user:1"}"#), Err(ODD));
}

#[test]
fn a_member_of_the_wrong_type_is_no_answer() {
    for name in ["iss", "sub", "client_id", "token_type", "scope", "jti", "cnf", "exp", "aud"] {
        for odd in [json!(true), json!(-1), json!([1]), json!([[]])] {
            assert_eq!(judge(good(json!({name: odd}))), Err(ODD), "{name}: {odd}");
        }
        let null =
            good(json!({name: null})).to_string().replacen('{', &format!("{{\"{name}\":null,"), 1);
        assert_eq!(judge(null), Err(ODD), "{name}");
    }
    for name in ["exp", "iat", "nbf"] {
        for odd in [json!("1"), json!(1e300), json!(-1), json!([1])] {
            assert_eq!(judge(good(json!({name: odd}))), Err(ODD), "{name}: {odd}");
        }
    }
    assert_eq!(judge(good(json!({"cnf": "jkt"}))), Err(ODD));
}

#[test]
fn hostile_bodies_are_no_answer() {
    for body in hostile_bodies() {
        assert_eq!(judge(&body), Err(ODD), "{}", body.get(..60).unwrap_or(&body));
    }
    let upstream = introspection();
    let raw = usso_verify::Response::new(200, b"{\"active\":true,\"sub\":\"\xff\"}".to_vec());
    assert_eq!(upstream.judge(&raw, NOW), Err(ODD));
}

#[test]
fn every_other_status_is_no_verdict() {
    let judge = |status| introspection().judge(&answer(status, good(json!({}))), NOW);
    for status in [401, 403] {
        assert_eq!(judge(status), Err(Error::Unavailable(Reason::Client)));
    }
    for status in [0, 100, 201, 204, 301, 302, 400, 404, 422, 429, 500, 503] {
        assert_eq!(judge(status), Err(Error::Unavailable(Reason::Status(status))));
    }
}

#[test]
fn a_life_ends_at_exp_without_leeway() {
    let judge = |exp: u64| judge(good(json!({"exp": exp}))).map(|user| user.exp);
    assert_eq!(judge(NOW + 1), Ok(NOW + 1));
    assert_eq!(judge(NOW), Err(Error::Expired));
    assert_eq!(judge(NOW - 1), Err(Error::Expired));
}

#[test]
fn a_token_without_exp_lives_for_a_minute() {
    assert_eq!(user(json!({"exp": null})).exp, NOW + 60);
}

#[test]
fn nbf_and_iat_may_lie_ahead_by_the_leeway() {
    let strict = introspection().leeway(Duration::ZERO).unwrap();
    for (claim, refusal) in [("nbf", Error::NotYetValid), ("iat", Error::IssuedInFuture)] {
        assert!(judge(good(json!({claim: NOW + 30}))).is_ok());
        assert_eq!(judge(good(json!({claim: NOW + 31}))), Err(refusal));
        let ahead = answer(200, good(json!({claim: NOW + 1})));
        assert_eq!(strict.judge(&ahead, NOW), Err(refusal));
    }
}

#[test]
fn a_token_for_another_audience_or_none_is_refused() {
    for aud in [json!(null), json!("other"), json!([]), json!(["other"]), json!("API"), json!("")] {
        assert_eq!(judge(good(json!({"aud": aud}))), Err(Error::Audience), "{aud}");
    }
    assert!(judge(good(json!({"aud": ["other", "api"]}))).is_ok());
    let any = Introspection::new("https://sso.example", ISSUER, Audiences::Any, client()).unwrap();
    assert!(any.judge(&answer(200, good(json!({"aud": null}))), NOW).is_ok());
}

#[test]
fn the_issuer_is_the_configured_one_or_filled_in() {
    assert_eq!(user(json!({"iss": null})).iss, ISSUER);
    for iss in ["https://evil.example", "https://sso.example/", ""] {
        assert_eq!(judge(good(json!({"iss": iss}))), Err(Error::Issuer), "{iss}");
    }
}

#[test]
fn a_token_that_names_no_subject_is_refused() {
    assert_eq!(judge(good(json!({"sub": null}))), Err(Error::Subject));
    assert_eq!(judge(good(json!({"sub": ""}))), Err(Error::Subject));
}

#[test]
fn a_client_becomes_a_subject_only_with_a_prefix_and_only_without_one() {
    let upstream = introspection().client_subject_prefix("client:").unwrap();
    let sub = |with| upstream.judge(&answer(200, good(with)), NOW).map(|user| user.sub);
    assert_eq!(sub(json!({"sub": null})), Ok("client:web".to_owned()));
    assert_eq!(sub(json!({})), Ok("user:1".to_owned()));
    for with in [json!({"sub": ""}), json!({"sub": null, "client_id": ""})] {
        assert_eq!(sub(with), Err(Error::Subject));
    }
    assert_eq!(sub(json!({"sub": null, "client_id": null})), Err(Error::Subject));
    assert_eq!(sub(json!({"sub": null, "client_id": 7})), Err(ODD));
}

#[test]
fn a_refresh_token_is_no_access_token() {
    for kind in ["refresh", "refresh_token", "N_A", "id_token", "one_time", ""] {
        assert_eq!(judge(good(json!({"token_type": kind}))), Err(Error::TokenType), "{kind}");
    }
    for kind in [json!("bearer"), json!("access"), json!(null)] {
        assert!(judge(good(json!({"token_type": kind}))).is_ok(), "{kind}");
    }
    let own = introspection().token_types(&["mine"]).unwrap();
    assert!(own.judge(&answer(200, good(json!({"token_type": "Mine"}))), NOW).is_ok());
    let bearer = answer(200, good(json!({"token_type": "bearer"})));
    assert_eq!(own.judge(&bearer, NOW), Err(Error::TokenType));
}

#[test]
fn a_token_for_dpop_that_names_no_key_is_refused() {
    for kind in ["DPoP", "dpop"] {
        for cnf in [json!(null), json!({}), json!({"x5t#S256": "x"})] {
            let verdict = judge(good(json!({"token_type": kind, "cnf": cnf})));
            assert_eq!(verdict, Err(Error::TokenType), "{kind} {cnf}");
        }
        assert!(judge(good(json!({"token_type": kind, "cnf": {"jkt": "x"}}))).is_ok());
    }
    assert_eq!(judge(good(json!({"token_type": "DPoP", "cnf": {"jkt": null}}))), Err(ODD));
}

#[test]
fn an_answer_has_at_most_16_kib() {
    let request = asked(client(), TOKEN);
    assert_eq!(request.max_body_bytes, 1 << 14);
    let filled = |bytes: usize| {
        let empty = good(json!({"x": ""})).to_string().len();
        judge(good(json!({"x": "a".repeat(bytes - empty)})))
    };
    assert!(filled(1 << 14).is_ok());
    assert_eq!(filled((1 << 14) + 1), Err(ODD));
}

#[test]
fn only_a_bearer_of_the_alphabet_and_length_is_sent() {
    let upstream = introspection();
    let admit = |text: &str, origin| upstream.credential(text, origin).err();
    assert_eq!(admit(TOKEN, Origin::Bearer), None);
    assert_eq!(admit(TOKEN, Origin::KeyHeader), Some(Error::Unrecognised));
    assert_eq!(admit(&"a".repeat(8192), Origin::Bearer), None);
    for text in ["", "Basic dXNlcjpwYXNz", "a b", "a\n", "é", "a=b", &"a".repeat(8193)] {
        assert_eq!(admit(text, Origin::Bearer), Some(Error::Malformed), "{text:?}");
    }
}

#[test]
fn a_reason_is_told_to_the_log_only() {
    let error = Error::Unavailable(Reason::Fetch(FetchError::TimedOut));
    assert!(error.is_unavailable() && error.code() == "opaque.unavailable");
    assert!(error.to_string().contains("took too long"));
    assert_ne!(Error::Unavailable(Reason::Client).to_string(), error.to_string());
}
