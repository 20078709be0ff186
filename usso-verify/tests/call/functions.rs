//! Functions in JSON.

use serde_json::{Value, json};
use usso_verify::call::call;

use crate::{issuer, token};

#[expect(clippy::needless_pass_by_value, reason = "calls read better without references")]
fn answer(request: Value) -> Value {
    let answer: Value = serde_json::from_str(&call(&request.to_string())).unwrap();
    answer.get("answer").cloned().unwrap_or_else(|| json!(answer["refused"]["code"]))
}

#[test]
fn access_is_checked_and_explained() {
    let granted = json!(["manage:media/files", "read:invoices?user_id=alice"]);
    for (path, action, filters, expected) in [
        ("media/files", "write", json!([]), true),
        ("media/files", "publish", json!([]), false),
        ("invoices", "read", json!([]), false),
        ("invoices", "read", json!([{"user_id": "alice"}]), true),
        ("invoices", "read", json!([{"user_id": "bob"}]), false),
    ] {
        let request = json!({"call": "check_access", "granted": granted, "path": path,
            "action": action, "filters": filters});
        assert_eq!(answer(request), json!(expected), "{path} {action}");
    }
    let why = answer(json!({"call": "explain", "granted": granted, "path": "x", "action": "read"}));
    assert!(why.as_str().unwrap().starts_with("denied: "), "{why}");
}

#[test]
fn matching_from_the_left_can_be_asked_for() {
    let ask = |matching: &str| {
        answer(json!({"call": "check_access", "granted": ["read:files"], "path": "a/files",
            "action": "read", "matching": matching}))
    };
    assert_eq!((ask("suffix"), ask("anchored")), (json!(true), json!(false)));
    assert_eq!(ask("sideways"), json!("call.invalid"));
}

#[test]
fn filters_tell_no_grant_from_everything() {
    let ask = |scope: &str| {
        answer(json!({"call": "scope_filters", "granted": [scope], "path": "files",
            "action": "read"}))
    };
    assert_eq!(ask("read:other"), json!("denied"));
    assert_eq!(ask("read:files"), json!("unrestricted"));
    assert_eq!(ask("read:files?user_id=a*"), json!([{"user_id": "a*"}]));
}

#[test]
fn scopes_are_parsed_and_compared() {
    let parsed = answer(json!({"call": "parse_scope", "scope": "write:a/b?x=1"}));
    let expected = json!({"action": "update", "level": 30, "path": "a/b", "filters": {"x": "1"}});
    assert!(parsed == expected || parsed["action"] == json!("write"), "{parsed}");
    assert_eq!(answer(json!({"call": "parse_scope", "scope": "?"})), json!("call.invalid"));
    let has = json!({"call": "has_subset", "child": "read:a", "granted": ["x:y", "read:a"]});
    assert_eq!(answer(has), json!(true));
    let has = json!({"call": "has_subset", "child": "delete:files", "granted": ["delete:m/files"]});
    assert_eq!(answer(has), json!(false));
}

#[test]
fn a_token_is_decoded_without_being_believed() {
    let issuer = issuer();
    let decoded = answer(json!({"call": "decode_unverified", "token": token(&issuer)}));
    assert_eq!(decoded["claims"]["sub"], json!("user:1"));
    assert_eq!(decoded["header"]["typ"], json!("at+jwt"));
    for bad in ["", "a.b", "a.b.c", "a.b.c.d", "e30.e30"] {
        let refused = answer(json!({"call": "decode_unverified", "token": bad}));
        assert_eq!(refused, json!("token.malformed"), "{bad}");
    }
}

#[test]
fn a_call_that_makes_no_sense_is_refused() {
    for text in ["", "{}", "[]", "null", r#"{"call":"fly"}"#, r#"{"call":"parse_scope"}"#]
        .into_iter()
        .chain([r#"{"call":"parse_scope","scope":"a","scope":"b"}"#, "{\"call\":1}"])
        .chain([
            r#"{"call":"parse_scope","scope":"read:a","extra":1}"#,
            r#"{"call":"has_subset","child":"a"}"#,
        ])
    {
        let answer: Value = serde_json::from_str(&call(text)).unwrap();
        assert_eq!(answer["refused"]["code"], json!("call.invalid"), "{text}");
    }
}
