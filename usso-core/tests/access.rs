//! Who may administer what, and what can be done to a user.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use serde_json::{Value as Json, json};
use support::*;
use usso_core::{
    Deps,
    access::{self, ADMIN, SUPERADMIN},
    directory::{
        tenant::Settings,
        user::{self, NewUser, Update, UserStatus},
    },
    flow::{password, user_admin},
    kernel::text::Identifier,
    session::{Tokens, token::Caller},
};

/// What an administrator's check answers to a caller: in its own tenant, in another one, and for the
/// installation.
async fn powers(world: &World, home: &Deps, away: &Deps, tokens: &Tokens) -> [&'static str; 3] {
    let default = || async { Arc::clone(&world.deps().await.tenant) };
    let token = &tokens.access_token;
    [
        code(&access::require_admin(home, default().await, token).await),
        code(&access::require_admin(away, default().await, token).await),
        code(&access::require_superadmin(home, token).await),
    ]
}

const NO: &str = "access.forbidden";

#[tokio::test]
async fn roles_reach_as_far_as_they_say() {
    let world = World::new().await;
    let other = world.tenant("other", Settings::default()).await;
    let default = world.deps().await;
    let other = world.deps_of(other.id).await;
    for (roles, in_default, in_other) in [
        (&[][..], [NO, NO, NO], [NO, "token.unknown_issuer", NO]),
        (&["Admin", "admins"], [NO, NO, NO], [NO, "token.unknown_issuer", NO]),
        (&[ADMIN], ["ok", NO, NO], ["ok", "token.unknown_issuer", NO]),
        (&[SUPERADMIN], ["ok", "ok", "ok"], [NO, "token.unknown_issuer", NO]),
    ] {
        let name = format!("user-{}", roles.join("-"));
        let (_, tokens) = caller_in(&default, &name, roles).await;
        assert_eq!(powers(&world, &default, &other, &tokens).await, in_default);
        let (_, tokens) = caller_in(&other, &name, roles).await;
        assert_eq!(powers(&world, &other, &default, &tokens).await, in_other);
    }
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_at_once() {
    let world = World::new().await;
    let (caller, tokens) = world.caller_with("root", &[SUPERADMIN]).await;
    let deps = world.deps().await;
    let update = Update { roles: Some(Vec::new()), ..Update::default() };
    user::update(&deps, caller.user.id, update, actor()).await.unwrap();
    let required = access::require_superadmin(&deps, &tokens.access_token).await;
    assert_eq!(code(&required), "access.forbidden");
}

fn roles(roles: &[&str]) -> Update {
    Update {
        roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        ..Update::default()
    }
}

#[tokio::test]
async fn an_admin_does_nothing_to_a_superadmin() {
    let world = World::new().await;
    let (admin, _) = world.caller_with("admin", &[ADMIN]).await;
    let (root, tokens) = world.caller_with("root", &[SUPERADMIN]).await;
    let (deps, id) = (world.deps().await, root.user.id);
    let updated = user_admin::update(&deps, &admin, id, Update::default()).await;
    assert_eq!(code(&updated), NO);
    assert_eq!(code(&user_admin::delete(&deps, &admin, id).await), NO);
    assert_eq!(code(&user_admin::end_sessions(&deps, &admin, id).await), NO);
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

#[tokio::test]
async fn an_admin_makes_nobody_a_superadmin() {
    let world = World::new().await;
    let (admin, _) = world.caller_with("admin", &[ADMIN]).await;
    let (user, _) = world.register("alice").await;
    let deps = world.deps().await;
    for id in [user.id, admin.user.id] {
        let given = user_admin::update(&deps, &admin, id, roles(&[ADMIN, SUPERADMIN])).await;
        assert_eq!(code(&given), NO);
    }
    let given = user_admin::update(&deps, &admin, user.id, roles(&[ADMIN])).await;
    assert_eq!(code(&given), "ok");
    assert!(user_admin::check_grant(&admin, &[SUPERADMIN.to_owned()]).is_err());
}

#[tokio::test]
async fn a_superadmin_of_another_tenant_is_none() {
    let world = World::new().await;
    let other = world.tenant("other", Settings::default()).await;
    let deps = world.deps_of(other.id).await;
    let (caller, _) = caller_in(&deps, "root", &[SUPERADMIN]).await;
    assert!(!access::is_superadmin(&caller));
    assert!(!access::may_grant(&caller, SUPERADMIN));
}

#[tokio::test]
async fn a_superadmin_administers_users_of_every_tenant() {
    let world = World::new().await;
    let (root, _) = world.caller_with("root", &[SUPERADMIN]).await;
    let (second, _) = world.caller_with("second", &[SUPERADMIN]).await;
    let other = world.tenant("other", Settings::default()).await;
    let deps = world.deps_of(other.id).await;
    let (user, _) = register(&deps, "alice", PASSWORD).await.unwrap();
    assert_eq!(code(&user_admin::end_sessions(&deps, &root, user.id).await), "ok");
    let here = world.deps().await;
    let deleted = user_admin::delete(&here, &root, second.user.id).await;
    assert_eq!(code(&deleted), "ok");
}

async fn own_account(deps: &Deps, caller: &Caller, update: Update) -> &'static str {
    code(&user_admin::update(deps, caller, caller.user.id, update).await)
}

#[tokio::test]
async fn nobody_takes_its_own_access_away() {
    let world = World::new().await;
    let (root, tokens) = world.caller_with("root", &[SUPERADMIN, "editor"]).await;
    let deps = world.deps().await;
    let suspended = Update { status: Some(UserStatus::Suspended), ..Update::default() };
    for update in [suspended, roles(&[]), roles(&["editor"]), roles(&[SUPERADMIN])] {
        assert_eq!(own_account(&deps, &root, update).await, "user.own_account");
    }
    let deleted = user_admin::delete(&deps, &root, root.user.id).await;
    assert_eq!(code(&deleted), "user.own_account");
    let more = roles(&[SUPERADMIN, "editor", "author"]);
    assert_eq!(own_account(&deps, &root, more).await, "ok");
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

#[tokio::test]
async fn a_user_is_deleted_by_a_deletion_only() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    for status in [UserStatus::Deleted, UserStatus::Pending] {
        let update = Update { status: Some(status), ..Update::default() };
        let updated = user::update(&deps, user.id, update, actor()).await;
        assert_eq!(code(&updated), "user.invalid", "{status:?}");
    }
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

fn from_json(fields: &Json) -> Update {
    let texts = |name: &str| serde_json::from_value(fields[name].clone()).unwrap();
    Update {
        name: fields["name"].as_str().map(str::to_owned),
        roles: texts("roles"),
        scopes: texts("scopes"),
        custom_claims: fields["custom_claims"].as_object().cloned(),
        status: None,
    }
}

#[tokio::test]
async fn fields_of_a_user_are_bounded() {
    let world = World::new().await;
    let deps = world.deps().await;
    let (user, _) = world.register("alice").await;
    let long = "a".repeat(201);
    for fields in [
        json!({"name": long}),
        json!({"name": "a\nb"}),
        json!({"roles": vec!["r"; 101]}),
        json!({"scopes": vec!["s"; 101]}),
        json!({"roles": [""]}),
        json!({"roles": ["two words"]}),
        json!({"roles": [long]}),
        json!({"custom_claims": {"a": "x".repeat(4096)}}),
    ] {
        let updated = user::update(&deps, user.id, from_json(&fields), actor()).await;
        assert_eq!(code(&updated), "user.invalid", "{fields}");
    }
}

#[tokio::test]
async fn users_are_listed_in_pages_without_the_deleted() {
    let world = World::new().await;
    let deps = world.deps().await;
    let mut expected = Vec::new();
    for name in ["one", "two", "three"] {
        world.advance(MOMENT);
        expected.push(world.register(name).await.0.id);
    }
    user::delete(&deps, expected.remove(1), actor()).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = user::list(&deps, cursor, 1).await.unwrap();
        seen.extend(page.items.iter().map(|user| user.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_user_with_many_names_is_found_by_each() {
    let world = World::new().await;
    let deps = world.deps().await;
    let names = ["alice", "alice@example.com", "+4915112345678"];
    let new = NewUser {
        identifiers: names.map(|name| Identifier::parse(name).unwrap()).to_vec(),
        ..NewUser::default()
    };
    password::create(&deps, new, Some(secret(PASSWORD)), actor()).await.unwrap();
    for name in names {
        assert_eq!(code(&world.sign_in(name).await), "ok", "{name}");
    }
    let taken = register(&deps, "+49 151 12345678", PASSWORD).await;
    assert_eq!(code(&taken), "user.identifier_taken");
}
