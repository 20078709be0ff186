//! A store that fails at every call in turn: the old state or the new one, never half of either.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::*;
use usso_core::{
    Deps, Usso,
    directory::{
        tenant::{self, NewTenant},
        user::{self, Update, User, UserStatus},
    },
    flow::password::{self, Ensured},
    kernel::event::EventType,
    session::{self, Tokens, keys},
    store::{Failure, Memory, Store, When},
};

/// What an injected failure is answered with.
const FAULT: &str = "store.unavailable";

/// Runs `act` on a new world for every call of the store that can fail, before and after its effect,
/// then `check` with what `act` was answered.
///
/// `act` gets fresh deps, so that its calls are the only ones that count.
async fn at_every_call<S>(
    prepare: impl AsyncFn(&World) -> S,
    act: impl AsyncFn(&Deps, &S) -> &'static str,
    check: impl AsyncFn(&World, &S, &'static str),
) {
    for when in [When::Before, When::After] {
        let mut faults = 0;
        for call in 0.. {
            let world = World::new().await;
            let stage = prepare(&world).await;
            let deps = world.deps().await;
            world.memory.inject(Some(Failure { call, when }));
            let answer = act(&deps, &stage).await;
            let struck = world.memory.calls() > call;
            world.memory.inject(None);
            faults += usize::from(answer == FAULT);
            assert!(answer == "ok" || struck, "{answer} without a failure");
            assert_whole(&world.store, &deps.scope()).await;
            world.advance(MOMENT);
            check(&world, &stage, answer).await;
            if !struck {
                break;
            }
        }
        assert!(faults > 0, "no call of the operation can fail it");
    }
}

async fn nothing(_: &World) {}

async fn alice(world: &World) -> (User, Tokens) {
    world.register("alice").await
}

#[tokio::test]
async fn a_registration_makes_a_whole_account_or_none() {
    at_every_call(
        nothing,
        async |deps, ()| code(&register(deps, "alice", PASSWORD).await),
        async |world, (), answer| {
            let again = register(&world.deps().await, "alice", PASSWORD).await;
            if code(&again) != "ok" {
                assert_eq!(code(&again), "user.identifier_taken");
            }
            assert!(answer == FAULT || again.is_err(), "acknowledged, then lost");
            assert_eq!(code(&world.sign_in("alice").await), "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn a_sign_in_opens_a_whole_session_or_none() {
    at_every_call(
        alice,
        async |deps, _| code(&sign_in(deps, "alice", PASSWORD).await),
        async |world, (_, before), _| {
            let tokens = world.sign_in("alice").await.unwrap();
            assert_eq!(world.probe(&tokens).await, ALIVE);
            assert_eq!(world.probe(before).await, ALIVE);
        },
    )
    .await;
}

#[tokio::test]
async fn a_failed_sign_in_stays_counted_whatever_fails() {
    at_every_call(
        alice,
        async |deps, _| match code(&sign_in(deps, "alice", OTHER).await) {
            "password.not_valid" => "ok",
            other => other,
        },
        async |world, _, answer| {
            let deps = world.deps().await;
            let mut answered = 0;
            while code(&sign_in(&deps, "alice", OTHER).await) == "password.not_valid" {
                answered += 1;
            }
            let expected = if answer == "ok" { 9..=9 } else { 9..=10 };
            assert!(expected.contains(&answered), "{answered} more after {answer}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_client_whose_refresh_failed_repeats_it() {
    at_every_call(
        alice,
        async |deps, (_, first)| code(&refresh_in(deps, first).await),
        async |world, (_, first), _| {
            world.advance(TWINS);
            let tokens = world.refresh(first).await.unwrap();
            assert_eq!(world.probe(&tokens).await, ALIVE);
            world.advance(Duration::from_secs(10));
            assert_eq!(code(&world.refresh(first).await), "session.refresh_reused");
        },
    )
    .await;
}

#[tokio::test]
async fn an_acknowledged_refresh_works_whatever_fails_next() {
    at_every_call(
        async |world| {
            let (_, first) = alice(world).await;
            world.refresh(&first).await.unwrap()
        },
        async |deps, second| code(&refresh_in(deps, second).await),
        async |world, second, _| {
            world.advance(TWINS);
            let third = world.refresh(second).await.unwrap();
            assert_eq!(world.probe(&third).await, ALIVE);
        },
    )
    .await;
}

#[tokio::test]
async fn a_reused_token_ends_its_session_once_the_store_works() {
    at_every_call(
        async |world| {
            let (_, first) = alice(world).await;
            let second = world.refresh(&first).await.unwrap();
            world.advance(Duration::from_secs(10));
            [first, second]
        },
        async |deps, [first, _]| match code(&refresh_in(deps, first).await) {
            "session.refresh_reused" => "ok",
            other => other,
        },
        async |world, [first, second], _| {
            world.refresh(first).await.unwrap_err();
            assert_eq!(world.probe(second).await, DEAD);
        },
    )
    .await;
}

#[tokio::test]
async fn a_change_of_password_happens_as_a_whole_or_not_at_all() {
    at_every_call(
        async |world| {
            let (_, tokens) = alice(world).await;
            (world.caller(&tokens).await.unwrap(), tokens)
        },
        async |deps, (caller, _)| {
            code(&password::change(deps, caller, secret(PASSWORD), secret(OTHER)).await)
        },
        async |world, (_, before), answer| {
            let deps = world.deps().await;
            let works = [PASSWORD, OTHER].map(async |one| sign_in(&deps, "alice", one).await);
            let [old, new] = works;
            let changed = code(&new.await) == "ok";
            assert_eq!(code(&old.await) == "ok", !changed, "one password works");
            assert!(changed || answer == FAULT, "acknowledged, then lost");
            let expected = if changed { DEAD } else { ALIVE };
            assert_eq!(world.probe(before).await, expected);
        },
    )
    .await;
}

#[tokio::test]
async fn a_logout_ends_the_session_once_it_is_repeated() {
    at_every_call(
        alice,
        async |deps, (user, tokens)| {
            code(&session::end(deps, user.id, tokens.session, user.id).await)
        },
        async |world, (user, tokens), answer| {
            let deps = world.deps().await;
            let again = session::end(&deps, user.id, tokens.session, user.id).await;
            assert!(answer == FAULT || code(&again) == "session.unknown");
            assert_eq!(world.probe(tokens).await, DEAD);
        },
    )
    .await;
}

#[tokio::test]
async fn ending_all_sessions_ends_them_once_it_is_repeated() {
    at_every_call(
        alice,
        async |deps, (user, _)| code(&session::end_all(deps, user.id, user.id).await),
        async |world, (user, tokens), answer| {
            if answer == "ok" {
                assert_eq!(world.probe(tokens).await, DEAD);
            }
            let again = session::end_all(&world.deps().await, user.id, user.id).await;
            assert_eq!(code(&again), "ok");
            assert_eq!(world.probe(tokens).await, DEAD);
        },
    )
    .await;
}

#[tokio::test]
async fn a_rotation_leaves_a_ring_that_signs_and_verifies() {
    at_every_call(
        alice,
        async |deps, _| code(&keys::rotate(deps, actor()).await),
        async |world, (_, before), _| {
            let restarted = world.again(|_| {}).await;
            for world in [world, &restarted] {
                assert_eq!(code(&world.caller(before).await), "ok");
                let tokens = world.sign_in("alice").await.unwrap();
                assert_eq!(code(&restarted.caller(&tokens).await), "ok");
            }
            assert_eq!(code(&keys::rotate(&world.deps().await, actor()).await), "ok");
        },
    )
    .await;
}

fn acme() -> NewTenant {
    NewTenant {
        slug: "acme".to_owned(),
        domains: vec!["acme.example".to_owned(), "sso.acme.example".to_owned()],
        ..NewTenant::default()
    }
}

#[tokio::test]
async fn a_tenant_is_made_with_all_its_domains_or_not_at_all() {
    at_every_call(
        nothing,
        async |deps, ()| code(&tenant::create(deps, acme(), actor()).await),
        async |world, (), answer| {
            let again = tenant::create(&world.deps().await, acme(), actor()).await;
            let is_there = code(&again) == "tenant.slug_taken";
            assert!(is_there || code(&again) == "ok");
            assert!(is_there || answer == FAULT, "acknowledged, then lost");
            let events = events(&world.deps().await).await;
            assert_eq!(count_of(&events, EventType::TenantCreated), 1);
        },
    )
    .await;
}

fn new_address() -> tenant::Update {
    let settings = json!({"access_token_seconds": 60});
    tenant::Update {
        domains: Some(vec!["acme.example".to_owned(), "new.example".to_owned()]),
        settings: settings.as_object().unwrap().clone(),
        ..tenant::Update::default()
    }
}

#[tokio::test]
async fn a_tenant_changes_as_a_whole_or_not_at_all() {
    at_every_call(
        async |world| {
            let deps = world.deps().await;
            tenant::create(&deps, acme(), actor()).await.unwrap().id
        },
        async |deps, id| code(&tenant::update(deps, *id, new_address(), actor()).await),
        async |world, id, answer| {
            let deps = world.deps().await;
            let found = tenant::read(&deps, *id).await.unwrap().record;
            let changed = found.settings.access_token_seconds == 60;
            assert_eq!(found.domains.contains(&"new.example".to_owned()), changed);
            assert!(changed || answer == FAULT, "acknowledged, then lost");
            let again = tenant::update(&deps, *id, new_address(), actor()).await;
            assert_eq!(code(&again), "ok");
        },
    )
    .await;
}

fn suspension() -> Update {
    Update {
        name: Some("Eve".to_owned()),
        status: Some(UserStatus::Suspended),
        ..Update::default()
    }
}

#[tokio::test]
async fn a_suspension_happens_as_a_whole_or_not_at_all() {
    at_every_call(
        alice,
        async |deps, (user, _)| code(&user::update(deps, user.id, suspension(), actor()).await),
        async |world, (user, tokens), answer| {
            let deps = world.deps().await;
            let found = user::read(&deps, user.id).await.unwrap().record;
            assert_eq!(found.name == "Eve", !found.is_active());
            assert!(!found.is_active() || answer == FAULT);
            let expected = if found.is_active() { ALIVE } else { DEAD };
            assert_eq!(world.probe(tokens).await, expected);
            let again = user::update(&deps, user.id, suspension(), actor()).await;
            assert_eq!(code(&again), "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn a_deletion_happens_as_a_whole_or_not_at_all() {
    at_every_call(
        alice,
        async |deps, (user, _)| code(&user::delete(deps, user.id, actor()).await),
        async |world, (user, tokens), answer| {
            let again = user::delete(&world.deps().await, user.id, actor()).await;
            let was_gone = code(&again) == "user.unknown";
            assert!(was_gone || code(&again) == "ok");
            assert!(was_gone || answer == FAULT, "acknowledged, then lost");
            assert_eq!(world.probe(tokens).await, DEAD);
            world.register("alice").await;
        },
    )
    .await;
}

#[tokio::test]
async fn ensuring_a_password_happens_as_a_whole_or_not_at_all() {
    let ensure = async |deps: &Deps| {
        password::ensure(deps, "alice", password::Wanted::Always(secret(OTHER)), &[]).await
    };
    at_every_call(
        alice,
        async |deps, _| code(&ensure(deps).await),
        async |world, (_, tokens), answer| {
            let again = ensure(&world.deps().await).await.unwrap();
            assert!(answer == FAULT || again == Ensured::Unchanged);
            assert_eq!(world.probe(tokens).await, DEAD);
            assert_eq!(code(&world.sign_in("alice").await), "password.not_valid");
        },
    )
    .await;
}

#[tokio::test]
async fn an_engine_that_failed_to_start_starts_when_the_store_works() {
    for when in [When::Before, When::After] {
        for call in 0.. {
            let memory = Memory::new();
            let store = Store::new(memory.clone());
            let clock = World::new().await.clock;
            memory.inject(Some(Failure { call, when }));
            let started = Usso::start(config(), ports(&store, &clock)).await;
            let struck = memory.calls() > call;
            memory.inject(None);
            assert_eq!(started.is_err(), struck);
            Usso::start(config(), ports(&store, &clock)).await.unwrap();
            if !struck {
                break;
            }
        }
    }
}
