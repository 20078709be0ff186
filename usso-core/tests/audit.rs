//! The audit log: complete, bound to the change it records, apart by tenant, purged in time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use support::*;
use usso_core::{
    Deps,
    directory::{
        tenant::{self, NewTenant, Settings},
        user::{self, Update, User},
    },
    flow::{audit, password},
    kernel::{
        event::{Event, EventType, Origin},
        id::{TenantId, UserId},
        time::UnixTime,
    },
    session::{self, Tokens, keys},
    store::{Failure, When},
};

const DAY: Duration = Duration::from_secs(86_400);

/// Does everything once that is written down, in the default tenant.
async fn everything(world: &World) {
    let deps = world.deps().await;
    let (user, first) = world.register("alice").await;
    keys::rotate(&deps, user.id).await.unwrap();
    let second = world.refresh(&first).await.unwrap();
    let caller = world.caller(&second).await.unwrap();
    password::change(&deps, &caller, secret(PASSWORD), secret(OTHER)).await.unwrap();
    let reset = password::ensure(&deps, "alice", password::Wanted::Always(secret(PASSWORD)), &[]);
    reset.await.unwrap();
    while code(&sign_in(&deps, "alice", OTHER).await) != "password.limited" {}
    let elsewhere = world.deps_from("192.0.2.2").await;
    let third = sign_in(&elsewhere, "alice", PASSWORD).await.unwrap();
    session::end(&deps, user.id, third.session, user.id).await.unwrap();
    let fourth = sign_in(&elsewhere, "alice", PASSWORD).await.unwrap();
    let fifth = world.refresh(&fourth).await.unwrap();
    world.refresh(&fifth).await.unwrap();
    world.advance(MOMENT);
    world.refresh(&fourth).await.unwrap_err();
    session::end_all(&deps, user.id, actor()).await.unwrap();
    user::update(&deps, user.id, Update::default(), actor()).await.unwrap();
    user::delete(&deps, user.id, actor()).await.unwrap();
    world.tenant("other", Settings::default()).await;
    world.set(json!({})).await;
}

#[tokio::test]
async fn every_type_of_event_is_written_by_some_operation() {
    for world in World::on_each_store().await {
        everything(&world).await;
        let seen: BTreeSet<_> = kinds(&world.deps().await).await.into_iter().collect();
        let all: BTreeSet<_> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(seen, all);
    }
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_whom_and_from_where() {
    let world = World::new().await;
    let mut deps = world.deps().await;
    deps.origin = Origin {
        address: Some("192.0.2.9".parse().unwrap()),
        request_id: "request-1".to_owned(),
        user_agent: "a browser".to_owned(),
    };
    let (user, tokens) = register(&deps, "alice", PASSWORD).await.unwrap();
    world.advance(MOMENT);
    let now = deps.clock.now();
    session::end(&deps, user.id, tokens.session, actor()).await.unwrap();
    let entry = events(&deps).await.remove(0);
    assert_eq!((entry.kind, entry.at), (EventType::SessionEnded, now));
    assert_eq!((entry.actor, entry.subject), (actor().to_string(), user.id.to_string()));
    assert_eq!((entry.session, entry.origin), (Some(tokens.session), deps.origin));
}

#[tokio::test]
async fn a_guess_at_a_known_account_names_the_account_and_nobody_as_actor() {
    let world = World::new().await;
    let (user, _) = world.register("alice").await;
    world.advance(MOMENT);
    let deps = world.deps().await;
    sign_in(&deps, "alice", OTHER).await.unwrap_err();
    let entry = events(&deps).await.remove(0);
    assert_eq!(entry.kind, EventType::PasswordFailed);
    assert_eq!((&*entry.actor, entry.subject), ("", user.id.to_string()));
}

#[tokio::test]
async fn a_limit_is_written_down_once_in_its_window() {
    let world = World::new().await;
    let deps = world.deps().await;
    for _ in 0..30 {
        sign_in(&deps, "alice", OTHER).await.unwrap_err();
    }
    let limited =
        |kinds: Vec<&str>| kinds.iter().filter(|kind| **kind == "password.limited").count();
    assert_eq!(limited(kinds(&deps).await), 1);
    world.advance(Duration::from_secs(300));
    for _ in 0..30 {
        sign_in(&deps, "alice", OTHER).await.unwrap_err();
    }
    assert_eq!(limited(kinds(&deps).await), 2);
}

#[tokio::test]
async fn a_session_that_makes_room_for_another_is_written_down() {
    let world = World::new().await;
    let (_, oldest) = world.register("alice").await;
    for _ in 0..session::SESSIONS_MAX {
        world.advance(MOMENT);
        world.sign_in("alice").await.unwrap();
    }
    let deps = world.deps().await;
    let entries = events(&deps).await;
    let ended = entries.iter().find(|entry| entry.kind == EventType::SessionEnded).unwrap();
    assert_eq!(ended.session, Some(oldest.session));
    assert_eq!(ended.detail["reason"], "limit");
}

const OPERATIONS: usize = 11;

/// Operations of which each writes an entry.
async fn operate(deps: &Deps, number: usize, (user, tokens): &(User, Tokens)) -> &'static str {
    let new = NewTenant { slug: "other".to_owned(), ..NewTenant::default() };
    let changes = tenant::Update::default();
    match number {
        0 => code(&register(deps, "bob", PASSWORD).await),
        1 => code(&sign_in(deps, "alice", PASSWORD).await),
        2 => code(&sign_in(deps, "alice", OTHER).await),
        3 => code(&refresh_in(deps, tokens).await),
        4 => code(&session::end(deps, user.id, tokens.session, user.id).await),
        5 => code(&session::end_all(deps, user.id, actor()).await),
        6 => code(&keys::rotate(deps, actor()).await),
        7 => code(&user::update(deps, user.id, Update::default(), actor()).await),
        8 => code(&user::delete(deps, user.id, actor()).await),
        9 => code(&tenant::create(deps, new, actor()).await),
        _ => code(&tenant::update(deps, TenantId::DEFAULT, changes, actor()).await),
    }
}

#[tokio::test]
async fn what_did_not_happen_is_not_written_down_and_what_happened_is() {
    for number in 0..OPERATIONS {
        for call in 0.. {
            let world = World::new().await;
            let stage = world.register("alice").await;
            let deps = world.deps().await;
            let before = events(&deps).await.len();
            let when = When::Before;
            world.memory.inject(Some(Failure { call, when }));
            let answer = operate(&deps, number, &stage).await;
            let struck = world.memory.calls() > call;
            world.memory.inject(None);
            let written = events(&deps).await.len() > before;
            let happened = answer != "store.unavailable";
            assert_eq!(written, happened, "operation {number}, call {call}");
            if !struck {
                break;
            }
        }
    }
}

async fn ask(deps: &Deps, query: audit::Query) -> Vec<Event> {
    audit::query(deps, query).await.unwrap().items
}

fn all() -> audit::Query {
    audit::Query { limit: 200, ..audit::Query::default() }
}

async fn count_by(deps: &Deps, actor: Option<UserId>, kind: Option<EventType>) -> usize {
    let query = audit::Query { actor: actor.map(|id| id.to_string()), kind, ..all() };
    ask(deps, query).await.len()
}

#[tokio::test]
async fn entries_are_found_by_actor_and_by_type() {
    for world in World::on_each_store().await {
        let (alice, _) = world.register("alice").await;
        world.register("bob").await;
        world.sign_in("alice").await.unwrap();
        let deps = world.deps().await;
        let (alice, opened) = (Some(alice.id), Some(EventType::SessionOpened));
        assert_eq!(count_by(&deps, None, None).await, 5);
        assert_eq!(count_by(&deps, alice, None).await, 3);
        assert_eq!(count_by(&deps, None, opened).await, 3);
        assert_eq!(count_by(&deps, alice, opened).await, 2);
        assert_eq!(count_by(&deps, Some(actor()), None).await, 0);
    }
}

/// Registers five users, a second apart, and gives the time of the first.
async fn five(world: &World) -> UnixTime {
    let start = world.deps().await.clock.now();
    for number in 0..5 {
        world.register(&format!("user{number}")).await;
        world.advance(Duration::from_secs(1));
    }
    start
}

fn created(entries: &[Event], start: UnixTime) -> Vec<u64> {
    let second = |entry: &Event| entry.at.since(start).as_secs();
    entries.iter().map(second).collect()
}

#[tokio::test]
async fn entries_come_newest_first_in_pages_that_miss_and_repeat_none() {
    for world in World::on_each_store().await {
        let start = five(&world).await;
        let deps = world.deps().await;
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let query =
                audit::Query { kind: Some(EventType::UserCreated), cursor, limit: 2, ..all() };
            let page = audit::query(&deps, query).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(created(&page.items, start));
            world.register(&format!("late{}", seen.len())).await;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [4, 3, 2, 1, 0]);
    }
}

#[tokio::test]
async fn a_stretch_of_time_has_its_start_and_not_its_end() {
    for world in World::on_each_store().await {
        let start = five(&world).await;
        let query = audit::Query {
            kind: Some(EventType::UserCreated),
            from: Some(start.plus(Duration::from_secs(1))),
            until: Some(start.plus(Duration::from_secs(3))),
            ..all()
        };
        let found = ask(&world.deps().await, query).await;
        assert_eq!(created(&found, start), [2, 1]);
    }
}

#[tokio::test]
async fn a_page_is_never_larger_than_its_bound() {
    let world = World::new().await;
    let deps = world.deps().await;
    for number in 0..201 {
        let guess = sign_in(&deps, &format!("user{number}"), PASSWORD).await;
        guess.unwrap_err();
    }
    for (limit, expected) in [(0, 1), (1, 1), (usize::MAX, 200)] {
        let found = ask(&deps, audit::Query { limit, ..all() }).await;
        assert_eq!(found.len(), expected);
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_entries_only() {
    for world in World::on_each_store().await {
        let other = world.tenant("other", Settings::default()).await;
        let deps = world.deps_of(other.id).await;
        world.register("alice").await;
        assert_eq!(events(&deps).await, []);
        let (bob, _) = register(&deps, "bob", PASSWORD).await.unwrap();
        let theirs = events(&deps).await;
        assert_eq!(theirs.len(), 2);
        assert!(theirs.iter().all(|entry| entry.actor == bob.id.to_string()));
    }
}

#[tokio::test]
async fn entries_are_purged_at_the_end_of_their_retention() {
    for world in World::on_each_store().await {
        let world = world.again(|config| config.audit_retention = DAY).await;
        world.register("alice").await;
        world.advance(almost(DAY));
        world.usso.purge().await.unwrap();
        assert_eq!(events(&world.deps().await).await.len(), 2);
        world.advance(MOMENT);
        assert!(world.usso.purge().await.unwrap() >= 2);
        assert_eq!(events(&world.deps().await).await, []);
    }
}

#[tokio::test]
async fn a_retention_of_less_than_a_day_does_not_start() {
    let mut config = config();
    config.audit_retention = almost(DAY);
    let world = World::new().await;
    let started = usso_core::Usso::start(config, ports(&world.store, &world.clock)).await;
    assert!(started.unwrap_err().to_string().contains("audit_retention"));
}
