//! Callers of an app that embeds the engine: what the engine knows now is what counts.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use serde_json::json;
use support::*;
use usso_core::{
    Local,
    directory::{
        tenant::{self, Settings, TenantStatus},
        user::{self, Update, UserStatus},
    },
    kernel::id::TenantId,
    session::{self, Tokens},
    store::{Failure, When},
};
use usso_verify::guard::{Guard, Head};

/// What a guard answers to an access token.
async fn answer(local: &Local, tokens: &Tokens) -> &'static str {
    answer_to(local, &tokens.access_token).await
}

async fn answer_to(local: &Local, token: &str) -> &'static str {
    let header = format!("Bearer {token}");
    let head = Head::new("GET", "/", [("authorization", header.as_str())]);
    match Guard::new(local.clone()).authenticate(&head).await {
        Ok(_) => "ok",
        Err(refusal) => refusal.code(),
    }
}

#[tokio::test]
async fn a_session_that_ended_is_seen_at_once() {
    for world in World::on_each_store().await {
        let local = Local::new(&world.usso);
        let (user, tokens) = world.register("alice").await;
        assert_eq!(answer(&local, &tokens).await, "ok");
        session::end_all(&world.deps().await, user.id, user.id).await.unwrap();
        assert_eq!(answer(&local, &tokens).await, "token.revoked");
    }
}

#[tokio::test]
async fn a_user_who_was_suspended_or_deleted_is_seen_at_once() {
    let world = World::new().await;
    let local = Local::new(&world.usso);
    let (user, tokens) = world.register("alice").await;
    let status = Update { status: Some(UserStatus::Suspended), ..Update::default() };
    user::update(&world.deps().await, user.id, status, actor()).await.unwrap();
    assert_eq!(answer(&local, &tokens).await, "token.revoked");
    let (user, tokens) = world.register("bob").await;
    user::delete(&world.deps().await, user.id, actor()).await.unwrap();
    assert_eq!(answer(&local, &tokens).await, "token.revoked");
}

#[tokio::test]
async fn what_was_taken_away_from_a_user_is_seen_at_once() {
    for (taken, kept) in [
        (json!({"roles": ["reader"]}), json!({"roles": ["reader", "writer", "more"]})),
        (json!({"scopes": []}), json!({"scopes": ["read:files", "read:more"]})),
        (json!({"claims": {"more": 1}}), json!({"claims": {"department": "lab", "more": 1}})),
    ] {
        let world = World::new().await;
        let local = Local::new(&world.usso);
        let (caller, _) = world.caller_with("alice", &["reader", "writer"]).await;
        let listed = |change: &serde_json::Value, name: &str| {
            let list = change.get(name)?.as_array()?.iter();
            Some(list.filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<_>>())
        };
        let change = async |to: serde_json::Value| {
            let update = Update {
                roles: listed(&to, "roles"),
                scopes: listed(&to, "scopes"),
                custom_claims: to.get("claims").and_then(|claims| claims.as_object().cloned()),
                ..Update::default()
            };
            user::update(&world.deps().await, caller.user.id, update, actor()).await.unwrap();
        };
        change(json!({"scopes": ["read:files"], "claims": {"department": "lab"}})).await;
        let tokens = world.sign_in("alice").await.unwrap();
        change(kept).await;
        assert_eq!(answer(&local, &tokens).await, "ok");
        change(taken).await;
        assert_eq!(answer(&local, &tokens).await, "token.revoked");
        let next = world.refresh(&tokens).await.unwrap();
        assert_eq!(answer(&local, &next).await, "ok");
    }
}

#[tokio::test]
async fn tokens_of_other_tenants_are_good_only_where_that_was_asked_for() {
    let world = World::new().await;
    let acme = world.tenant("acme", Settings::default()).await;
    let deps = world.deps_of(acme.id).await;
    let (_, of_acme) = register(&deps, "alice", PASSWORD).await.unwrap();
    let (_, of_default) = world.register("alice").await;
    let default = Local::new(&world.usso);
    let one = default.clone().tenant(acme.id);
    let every = default.clone().every_tenant();
    for (local, wanted) in [
        (&default, ["ok", "token.unknown_issuer"]),
        (&one, ["token.unknown_issuer", "ok"]),
        (&every, ["ok", "ok"]),
    ] {
        let answers = [answer(local, &of_default).await, answer(local, &of_acme).await];
        assert_eq!(answers, wanted);
    }
}

#[tokio::test]
async fn a_suspended_tenant_has_no_callers() {
    let world = World::new().await;
    let acme = world.tenant("acme", Settings::default()).await;
    let (_, tokens) = register(&world.deps_of(acme.id).await, "alice", PASSWORD).await.unwrap();
    let local = Local::new(&world.usso).every_tenant();
    let status = tenant::Update { status: Some(TenantStatus::Suspended), ..Default::default() };
    tenant::update(&world.deps().await, acme.id, status, actor()).await.unwrap();
    assert_eq!(answer(&local, &tokens).await, "token.revoked");
    let [header, claims, _] =
        tokens.access_token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let forged = format!("{header}.{claims}.{}", "A".repeat(86));
    assert_eq!(answer_to(&local, &forged).await, "token.signature", "a stranger learns nothing");
}

#[tokio::test]
async fn text_that_claims_a_tenant_is_still_no_token() {
    let world = World::new().await;
    let local = Local::new(&world.usso).every_tenant();
    let (_, tokens) = world.register("alice").await;
    let [header, claims, signature] =
        tokens.access_token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for text in [
        String::from("a.b.c"),
        String::from("x"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}x"),
        format!("{header}.{}.{signature}", claims.to_uppercase()),
        "A".repeat(9000),
    ] {
        assert_ne!(answer_to(&local, &text).await, "ok", "{text}");
    }
    assert_eq!(answer(&local, &tokens).await, "ok");
    assert_eq!(
        answer(&local.tenant(TenantId::from_bytes([5; 16])), &tokens).await,
        "token.unknown_issuer"
    );
}

#[tokio::test]
async fn forged_tokens_of_a_tenant_that_is_not_there_cost_one_read() {
    let world = World::new().await;
    let local = Local::new(&world.usso).tenant(TenantId::from_bytes([5; 16]));
    let before = world.memory.calls();
    for _ in 0..10 {
        assert_eq!(answer_to(&local, "a.b.c").await, "token.unknown_issuer");
    }
    assert_eq!(world.memory.calls() - before, 1);
}

#[tokio::test]
async fn a_store_that_fails_is_not_the_callers_fault() {
    let world = World::new().await;
    let local = Local::new(&world.usso);
    let (_, tokens) = world.register("alice").await;
    world.memory.inject(Some(Failure { call: 0, when: When::Before }));
    assert_eq!(answer(&local, &tokens).await, "access.unavailable");
    world.memory.inject(None);
    assert_eq!(answer(&local, &tokens).await, "ok");
}
