//! What routes need.

use std::time::Duration;

use usso_verify::{
    Denied,
    guard::{Head, InvalidRule, Refusal, Rule, require},
    step_up::Requirement,
};

use super::{AUDIENCE, admitted, guard, issuer};

#[tokio::test]
async fn all_of_a_rule_must_hold() {
    let issuer = issuer();
    let rule = require("read:files").unwrap().scope("read:users?user_id={id}").unwrap().role("a");
    let full = || issuer.mint().scope("read:files").scope("read:users?user_id=7").role("a");
    assert!(admitted(&issuer, full(), &rule).await.is_ok());
    for lacking in [
        issuer.mint().scope("read:users?user_id=7").role("a"),
        issuer.mint().scope("read:files").role("a"),
        issuer.mint().scope("read:files").scope("read:users?user_id=8").role("a"),
        issuer.mint().scope("read:files").scope("read:users?user_id=7"),
    ] {
        let refusal = admitted(&issuer, lacking, &rule).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Denied(_)), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_written_value_is_what_the_resource_is_like() {
    let issuer = issuer();
    let rule = require("read:files?kind=public").unwrap();
    let public = issuer.mint().scope("read:files?kind=public");
    assert!(admitted(&issuer, public, &rule).await.is_ok());
    let private = issuer.mint().scope("read:files?kind=private");
    let refusal = admitted(&issuer, private, &rule).await;
    assert_eq!(refusal, Err(Refusal::Denied(Denied::Scope("read:files".into()))));
}

#[tokio::test]
async fn a_part_that_the_path_has_not_opens_nothing() {
    let issuer = issuer();
    for rule in [
        require("read:files?owner={nobody}").unwrap(),
        Rule::new().workspace("{nobody}"),
        Rule::new().tenant("{nobody}"),
    ] {
        let mint = issuer.mint().scope("manage:*").workspace("ws_1").tenant("org_1");
        let refusal = admitted(&issuer, mint, &rule).await.unwrap_err();
        assert_eq!(refusal, Refusal::PathParameter("nobody".into()));
        assert_eq!(refusal.status(), 500);
        assert!(rule.reads_path());
    }
    assert!(!require("read:files?kind=public").unwrap().tenant("org_1").reads_path());
}

#[tokio::test]
async fn an_empty_part_of_the_path_is_none() {
    let issuer = issuer();
    let header = issuer.mint().audience(AUDIENCE).tenant("").authorization();
    let head = Head::new("GET", "//notes", [("authorization", header.as_str())]);
    let rule = Rule::new().tenant("{tenant}");
    let refusal = guard(&issuer).admit(&head, &rule, |_| Some(String::new())).await;
    assert_eq!(refusal, Err(Refusal::PathParameter("tenant".into())));
}

#[tokio::test]
async fn an_authentication_is_as_old_as_the_clock_says() {
    let issuer = issuer();
    let rule = Rule::new().authentication(Requirement::new().max_age(Duration::from_secs(300)));
    let now = 1_750_000_000;
    issuer.clock().set(now);
    // The verifier allows clocks to differ by 30 seconds.
    let fresh = issuer.mint().claim("auth_time", now - 330);
    assert!(admitted(&issuer, fresh, &rule).await.is_ok());
    let old = issuer.mint().claim("auth_time", now - 331);
    assert_eq!(admitted(&issuer, old, &rule).await.unwrap_err().code(), "step_up.too_old");
}

#[test]
fn a_slip_of_the_pen_is_an_error_when_the_rule_is_made() {
    let invalid = |scope: &str| require(scope).unwrap_err();
    for scope in ["raed:files", "read:", "", "read:a//b"] {
        let error = invalid(scope);
        assert!(matches!(error, InvalidRule::Scope(..)), "{scope:?}: {error:?}");
        assert!(error.to_string().contains(&format!("{scope:?}")), "{error}");
    }
    for scope in ["files", "read-files", "media/files?owner={id}"] {
        assert_eq!(invalid(scope), InvalidRule::Action(scope.into()));
    }
    for scope in
        ["read:files/*", "read:{tenant}/files", "read:*", "read:files read:users", "read:a:b"]
    {
        assert_eq!(invalid(scope), InvalidRule::Path(scope.into()));
    }
    for scope in [
        "read:files?owner",
        "read:files?owner=",
        "read:files?=x",
        "read:files?owner={}",
        "read:files?owner={id}x",
        "read:files?owner=a{id}",
        "read:files?owner=*",
        "read:files?owner=%41",
        "read:files?owner=a&owner",
        "read:files?owner={a}&owner={b}",
    ] {
        assert_eq!(invalid(scope), InvalidRule::Value(scope.into()));
    }
}
