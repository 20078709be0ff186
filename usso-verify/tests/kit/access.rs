//! What a caller may do, and who watches.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use usso_verify::scope::Matching;
use usso_verify::step_up::Requirement;
use usso_verify::{Clock, Denied, Observer, Principal, Seen, Verifier, VerifyError};

use crate::*;

fn caller(
    with: impl FnOnce(usso_verify::testing::Mint) -> usso_verify::testing::Mint,
) -> Principal {
    let issuer = issuer();
    let token = with(issuer.mint().audience(AUDIENCE)).sign();
    issuer.verifier(AUDIENCE).verify_local(&token).unwrap()
}

#[test]
fn scopes_roles_workspaces_and_kinds_are_required() {
    let caller = caller(|mint| {
        mint.scope("manage:media/files").role("editor").workspace("ws_1").subject("service:1")
    });
    assert_eq!(caller.require("write", "media/files"), Ok(()));
    assert_eq!(caller.require_role("editor"), Ok(()));
    assert_eq!(caller.require_workspace("ws_1"), Ok(()));
    assert_eq!(caller.require_service(), Ok(()));
    let lacking = caller.require("admin", "media/files").unwrap_err();
    assert_eq!((lacking.code(), lacking.status()), ("access.scope", 403));
    let challenge = lacking.challenge().value().unwrap();
    assert!(challenge.contains(r#"scope="admin:media/files""#), "{challenge}");
    let scoped = crate::access::caller(|mint| mint.scope("read:invoices?user_id=alice"));
    let of = |user: &str| [[("user_id".to_owned(), user.to_owned())].into()];
    assert!(!scoped.can("read", "invoices") && scoped.can_with("read", "invoices", &of("alice")));
    assert!(scoped.require_with("read", "invoices", &of("bob")).is_err());
    assert_eq!(caller.require_role("owner"), Err(Denied::Role("owner".into())));
    assert_eq!(caller.require_workspace("ws_2"), Err(Denied::Workspace));
}

#[test]
fn a_user_is_no_service_and_a_token_without_workspace_is_in_none() {
    let caller = caller(|mint| mint);
    assert_eq!(caller.require_service(), Err(Denied::Service));
    assert_eq!(caller.require_workspace(""), Err(Denied::Workspace));
    assert_eq!(caller.require("publish", "x").unwrap_err().code(), "access.scope");
    assert!(caller.decide("read", "x").explain().starts_with("denied"));
}

#[test]
fn a_scope_that_cannot_be_sent_still_denies() {
    let denied = caller(|mint| mint).require("read", "a\"b\r\nc").unwrap_err();
    assert_eq!(denied.status(), 403);
    let challenge = denied.challenge().value().unwrap();
    assert!(challenge.contains("insufficient_scope") && !challenge.contains("scope=\""));
}

#[test]
fn a_stronger_or_fresher_authentication_is_asked_for_in_the_challenge() {
    let now = issuer().clock().now();
    let caller = caller(|mint| mint.claim("acr", "usso:acr:1").claim("auth_time", now - 600));
    let judge =
        |wanted: Requirement| caller.require_authentication(&wanted, now, Duration::from_secs(30));
    assert_eq!(judge(Requirement::new().acr("usso:acr:1")), Ok(()));
    assert_eq!(judge(Requirement::new().max_age(Duration::from_secs(600))), Ok(()));
    let stale = judge(Requirement::new().acr("usso:acr:2").max_age(Duration::from_secs(60)));
    let stale = stale.unwrap_err();
    assert_eq!(stale.status(), 401);
    let challenge = stale.challenge().value().unwrap();
    for part in ["insufficient_user_authentication", r#"acr_values="usso:acr:2""#, "max_age"] {
        assert!(challenge.contains(part), "{challenge}");
    }
}

#[test]
fn the_actor_groups_and_entitlements_are_shown() {
    let caller = caller(|mint| {
        mint.claim("act", json!({"sub": "service:bot"}))
            .claim("groups", json!(["staff"]))
            .claim("entitlements", json!(["print", 1]))
    });
    assert_eq!(caller.actor(), Some("service:bot"));
    assert!(caller.has_group("staff") && !caller.has_group("print"));
    assert!(caller.has_entitlement("print") && !caller.has_entitlement("1"));
}

#[test]
fn every_audience_must_be_there_when_all_are_wanted() {
    let issuer = issuer();
    let rules = issuer.issuer().audiences(["a", "b"]).every_audience();
    let verifier = Verifier::builder().issuer(rules).clock(issuer.clock()).build().unwrap();
    for (aud, good) in [
        (json!(["a", "b"]), true),
        (json!(["b", "c", "a"]), true),
        (json!(["a"]), false),
        (json!("b"), false),
    ] {
        let token = issuer.mint().claim("aud", aud.clone()).sign();
        assert_eq!(verifier.verify_local(&token).is_ok(), good, "{aud}");
    }
}

#[test]
fn paths_are_laid_from_the_left_where_the_verifier_says_so() {
    let issuer = issuer();
    let token = issuer.mint().audience(AUDIENCE).scope("read:files/public").sign();
    let build = |matching| {
        let verifier = Verifier::builder().issuer(issuer.issuer().audience(AUDIENCE));
        verifier.clock(issuer.clock()).scope_matching(matching).build().unwrap()
    };
    let can = |matching, path| build(matching).verify_local(&token).unwrap().can("read", path);
    assert!(can(Matching::Suffix, "payroll/files/public"));
    assert!(!can(Matching::Anchored, "payroll/files/public"));
    assert!(can(Matching::Anchored, "files/public"));
}

#[test]
fn a_principal_prints_who_it_is_and_nothing_personal() {
    let caller = caller(|mint| mint.claim("email", "a@b.example"));
    let text = format!("{caller:?}");
    assert!(text.contains("user:1") && !text.contains("a@b"), "{text}");
}

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn verified(&self, seen: &Seen<'_>) {
        let outcome = seen.outcome.map_or_else(VerifyError::code, |()| "ok");
        let Seen { issuer, algorithm, remembered, nanoseconds, .. } = seen;
        let note = format!("{outcome} {issuer:?} {algorithm:?} {remembered} {nanoseconds:?}");
        self.0.lock().unwrap().push(note);
    }

    fn time(&self) -> Option<u64> {
        Some(7)
    }
}

#[test]
fn an_observer_is_told_what_came_of_each_token() {
    let (issuer, notes) = (issuer(), Notes::default());
    let verifier = Verifier::builder()
        .issuer(issuer.issuer().audience(AUDIENCE))
        .clock(issuer.clock())
        .observer(notes.clone())
        .build()
        .unwrap();
    let token = issuer.mint().audience(AUDIENCE).sign();
    for _ in 0..2 {
        assert!(verifier.verify_local(&token).is_ok());
    }
    assert!(verifier.verify_local("x").is_err());
    let good = r#"Some("https://sso.example") Some(EdDsa)"#;
    let expected = [
        format!("ok {good} false Some(0)"),
        format!("ok {good} true Some(0)"),
        "token.malformed None None false Some(0)".to_owned(),
    ];
    assert_eq!(*notes.0.lock().unwrap(), expected);
}
