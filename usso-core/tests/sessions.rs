//! Sessions and refresh tokens: what continues a session, what ends it, and what cannot.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use support::*;
use usso_core::{
    Usso,
    directory::{
        tenant::Settings,
        user::{self, Update, User, UserStatus},
    },
    flow::password,
    kernel::{
        custody::{Custody, MasterKey},
        id::TenantId,
        refusal::Fault,
        secret::Secret,
    },
    session::{self, RefreshToken, SESSIONS_MAX, Session, Tokens, keys::KeyRing, refresh},
    store::{Batch, Memory, Record, Scope, Store},
};

/// The default time in which a client that missed the answer may repeat a refresh.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_its_successor() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    world.advance(GRACE);
    let second = world.refresh(&first).await.unwrap();
    assert_eq!(second.session, first.session);
    assert_ne!(second.refresh_token.expose(), first.refresh_token.expose());
    assert_eq!(world.probe(&second).await, ALIVE);
}

#[tokio::test]
async fn a_used_token_that_comes_back_after_the_grace_ends_the_session() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    let second = world.refresh(&first).await.unwrap();
    world.advance(GRACE);
    assert_eq!(code(&world.refresh(&first).await), "session.refresh_reused");
    assert_eq!(world.probe(&second).await, DEAD);
}

#[tokio::test]
async fn a_token_whose_successor_was_used_ends_the_session_inside_the_grace() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    let second = world.refresh(&first).await.unwrap();
    let third = world.refresh(&second).await.unwrap();
    world.advance(MOMENT);
    assert_eq!(code(&world.refresh(&first).await), "session.refresh_reused");
    assert_eq!(world.probe(&third).await, DEAD);
}

#[tokio::test]
async fn a_retry_in_the_last_moment_of_the_grace_gets_a_successor() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    world.refresh(&first).await.unwrap();
    world.advance(almost(GRACE));
    let retried = world.refresh(&first).await.unwrap();
    assert_eq!(world.probe(&retried).await, ALIVE);
}

/// `first`, the successor that its client missed, and the one that a retry got.
async fn retried(world: &World) -> [Tokens; 3] {
    let (_, first) = world.register("alice").await;
    let missed = world.refresh(&first).await.unwrap();
    world.advance(TWINS);
    let retried = world.refresh(&first).await.unwrap();
    [first, missed, retried]
}

#[tokio::test]
async fn a_successor_that_a_retry_voided_is_refused_and_ends_nothing_inside_the_grace() {
    let world = World::new().await;
    let [_, missed, retried] = retried(&world).await;
    assert_eq!(code(&world.refresh(&missed).await), "session.refresh_not_valid");
    assert_eq!(world.probe(&retried).await, ALIVE);
}

#[tokio::test]
async fn a_successor_that_a_retry_voided_ends_the_session_after_the_grace() {
    let world = World::new().await;
    let [_, missed, retried] = retried(&world).await;
    world.advance(GRACE);
    assert_eq!(code(&world.refresh(&missed).await), "session.refresh_reused");
    assert_eq!(world.probe(&retried).await, DEAD);
}

#[tokio::test]
async fn retries_do_not_extend_the_grace() {
    let world = World::new().await;
    let [first, _, _] = retried(&world).await;
    world.advance(almost(GRACE));
    assert_eq!(code(&world.refresh(&first).await), "session.refresh_reused");
}

#[tokio::test]
async fn a_repetition_within_a_second_changes_nothing() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    let second = world.refresh(&first).await.unwrap();
    for _ in 0..20 {
        assert_eq!(code(&world.refresh(&first).await), "session.refresh_raced");
    }
    world.advance(almost(TWINS));
    assert_eq!(code(&world.refresh(&first).await), "session.refresh_raced");
    assert_eq!(world.probe(&second).await, ALIVE);
}

#[tokio::test]
async fn logging_out_with_a_token_that_was_used_long_ago_is_noted_as_reuse() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    let second = world.refresh(&first).await.unwrap();
    let third = world.refresh(&second).await.unwrap();
    let deps = world.deps().await;
    session::end_by_refresh_token(&deps, &copy(&first)).await.unwrap();
    assert_eq!(world.probe(&third).await, DEAD);
    let kinds: Vec<_> = events(&deps).await.into_iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&usso_core::kernel::event::EventType::SessionReuseDetected));
}

#[tokio::test]
async fn without_grace_every_repetition_ends_the_session() {
    let world = World::new().await;
    world.set(json!({"refresh_grace_seconds": 0})).await;
    let (_, first) = world.register("alice").await;
    world.refresh(&first).await.unwrap();
    world.advance(MOMENT);
    assert_eq!(code(&world.refresh(&first).await), "session.refresh_reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refreshes_at_one_moment_one_wins_and_the_session_lives() {
    for world in World::on_each_store().await {
        let (_, first) = world.register("alice").await;
        let deps = world.deps().await;
        let results = all_at_once(RACERS, |_| {
            let (deps, token) = (deps.clone(), copy(&first));
            async move { refresh::refresh(&deps, &token).await }
        })
        .await;
        let mut codes: Vec<_> = results.iter().map(code).collect();
        codes.sort_unstable();
        let mut expected = vec!["session.refresh_raced"; RACERS];
        expected[0] = "ok";
        assert_eq!(codes, expected);
        let winner = results.into_iter().find_map(Result::ok).unwrap().1;
        assert_eq!(world.probe(&winner).await, ALIVE);
    }
}

#[tokio::test]
async fn of_two_refreshes_that_judged_alike_the_commit_lets_one_win() {
    let (world, gate) = World::gated().await;
    let (_, first) = world.register("alice").await;
    let deps = world.deps().await;
    gate.hold(Verb::Commit, 2);
    let tokens = [copy(&first), copy(&first)].map(Arc::new);
    let both = tokio::spawn(all_at_once(2, move |number| {
        let (deps, token) = (deps.clone(), Arc::clone(&tokens[number]));
        async move { refresh::refresh(&deps, &token).await }
    }));
    gate.holds(2).await;
    gate.open();
    let mut codes: Vec<_> = both.await.unwrap().iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["ok", "session.refresh_raced"]);
}

#[tokio::test]
async fn a_request_that_came_in_before_the_exchange_is_its_twin_and_not_a_retry() {
    let world = World::new().await;
    let (_, first) = world.register("alice").await;
    let early = world.deps().await;
    world.advance(MOMENT);
    let second = world.refresh(&first).await.unwrap();
    assert_eq!(code(&refresh_in(&early, &first).await), "session.refresh_raced");
    assert_eq!(world.probe(&second).await, ALIVE);
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let ended = session::end(&world.deps().await, user.id, tokens.session, user.id).await;
    assert_eq!(code(&ended), "ok");
    assert_eq!(world.probe(&tokens).await, DEAD);
}

#[tokio::test]
async fn a_logout_with_the_refresh_token_ends_its_session_only() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let another = world.sign_in("alice").await.unwrap();
    session::end_by_refresh_token(&world.deps().await, &tokens.refresh_token).await.unwrap();
    assert_eq!(world.probe(&tokens).await, DEAD);
    assert_eq!(world.probe(&another).await, ALIVE);
}

#[tokio::test]
async fn a_suspension_ends_all_sessions_and_lifting_it_brings_none_back() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    for status in [UserStatus::Suspended, UserStatus::Active] {
        let update = Update { status: Some(status), ..Update::default() };
        user::update(&deps, user.id, update, actor()).await.unwrap();
        assert_eq!(world.probe(&tokens).await, DEAD, "{status:?}");
    }
}

#[tokio::test]
async fn a_user_that_an_import_suspended_has_no_session() {
    // The epoch stays: the status alone must do.
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    let mut stored = user::read(&deps, user.id).await.unwrap();
    stored.record.status = UserStatus::Suspended;
    let batch = Batch::new().replace(&deps.scope(), &stored.record, stored.version);
    world.store.commit(batch).await.unwrap();
    assert_eq!(world.probe(&tokens).await, DEAD);
}

#[tokio::test]
async fn a_deletion_ends_all_sessions() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    user::delete(&world.deps().await, user.id, actor()).await.unwrap();
    assert_eq!(world.probe(&tokens).await, DEAD);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_but_the_one_it_opens() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let another = world.sign_in("alice").await.unwrap();
    let caller = world.caller(&tokens).await.unwrap();
    let deps = world.deps().await;
    let changed = password::change(&deps, &caller, secret(PASSWORD), secret(OTHER)).await;
    assert_eq!(world.probe(&tokens).await, DEAD);
    assert_eq!(world.probe(&another).await, DEAD);
    assert_eq!(world.probe(&changed.unwrap()).await, ALIVE);
}

#[tokio::test]
async fn ending_all_sessions_ends_each() {
    let world = World::new().await;
    let (user, first) = world.register("alice").await;
    let second = world.sign_in("alice").await.unwrap();
    let (_, bystander) = world.register("bob").await;
    session::end_all(&world.deps().await, user.id, user.id).await.unwrap();
    assert_eq!(world.probe(&first).await, DEAD);
    assert_eq!(world.probe(&second).await, DEAD);
    assert_eq!(world.probe(&bystander).await, ALIVE);
}

#[tokio::test]
async fn a_session_ends_at_the_end_of_its_life_however_often_it_is_used() {
    let world = World::new().await;
    world.set(json!({"session_seconds": 600})).await;
    let (_, mut tokens) = world.register("alice").await;
    for _ in 0..2 {
        world.advance(almost(Duration::from_secs(300)));
        tokens = world.refresh(&tokens).await.unwrap();
    }
    world.advance(MOMENT);
    tokens = world.refresh(&tokens).await.unwrap();
    assert_eq!(tokens.refresh_expires_in, MOMENT, "one moment is left");
    world.advance(MOMENT);
    assert_eq!(code(&world.refresh(&tokens).await), "session.refresh_not_valid");
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let world = World::new().await;
    world.set(json!({"session_seconds": 300})).await;
    let (_, tokens) = world.register("alice").await;
    let claims = world.caller(&tokens).await.unwrap().claims;
    assert_eq!(claims.exp - claims.iat.unwrap(), 300);
}

#[tokio::test]
async fn an_idle_session_works_in_its_last_moment() {
    let world = World::new().await;
    world.set(json!({"session_idle_seconds": 300})).await;
    let (_, tokens) = world.register("alice").await;
    world.advance(almost(Duration::from_secs(300)));
    let refreshed = world.refresh(&tokens).await.unwrap();
    world.advance(almost(Duration::from_secs(300)));
    assert_eq!(code(&world.refresh(&refreshed).await), "ok");
}

#[tokio::test]
async fn an_idle_session_is_over_at_its_end() {
    let world = World::new().await;
    world.set(json!({"session_idle_seconds": 300})).await;
    let (_, tokens) = world.register("alice").await;
    world.advance(Duration::from_secs(300));
    assert_eq!(world.probe(&tokens).await, DEAD);
}

#[tokio::test]
async fn the_tokens_of_one_tenant_are_nothing_to_another() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let other = world.tenant("other", Settings::default()).await;
    let deps = world.deps_of(other.id).await;
    assert_eq!(code(&refresh_in(&deps, &tokens).await), "session.refresh_not_valid");
    session::end_by_refresh_token(&deps, &tokens.refresh_token).await.unwrap();
    let caller = session::token::authenticate(&deps, &tokens.access_token).await;
    assert_eq!(code(&caller), "token.unknown_issuer");
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

/// Custody that does not bind keys to their place, as a careless one over a KMS might be.
#[derive(Debug)]
struct Careless(MasterKey);

impl Custody for Careless {
    fn seal(&self, plain: &[u8], _: &str) -> Result<Vec<u8>, Fault> {
        self.0.seal(plain, "")
    }

    fn open(&self, sealed: &[u8], _: &str) -> Result<Secret<Vec<u8>>, Fault> {
        self.0.open(sealed, "")
    }
}

async fn copy_row<T: Record>(store: &Store, key: impl ToString, to: TenantId) {
    let scope = Scope::Tenant(TenantId::DEFAULT);
    let found = store.get::<T>(&scope, key.to_string()).await.unwrap();
    let batch = Batch::new().insert(&Scope::Tenant(to), &found.unwrap().record);
    store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn a_tenant_copied_row_by_row_does_not_take_the_tokens_of_the_original() {
    let mut world = World::new().await;
    let mut ports = ports(&Store::new(Memory::new()), &world.clock);
    ports.custody = Arc::new(Careless(master_key(7)));
    world.store = ports.store.clone();
    world.usso = Usso::start(config(), ports).await.unwrap();
    let (user, tokens) = world.register("alice").await;
    let copied = world.tenant("copied", Settings::default()).await.id;
    copy_row::<User>(&world.store, user.id, copied).await;
    copy_row::<Session>(&world.store, tokens.session, copied).await;
    copy_row::<KeyRing>(&world.store, "ring", copied).await;
    let deps = world.deps_of(copied).await;
    assert_eq!(code(&refresh_in(&deps, &tokens).await), "session.refresh_not_valid");
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

/// Texts that are close to a refresh token, and far from one.
fn forgeries(token: &str) -> Vec<String> {
    let flipped = (0..token.len()).flat_map(|at| {
        [1, 2, 4, 32].map(|bit| {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] ^= bit;
            String::from_utf8(bytes).unwrap()
        })
    });
    let cut = (0..token.len()).flat_map(|at| [token[..at].to_owned(), token[at..].to_owned()]);
    let rest = [
        format!("{token}A"),
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}{token}"),
        "A".repeat(1 << 20),
        format!("usso_rt_{}", "A".repeat(1 << 20)),
        format!("usso_rt_{}", "A".repeat(token.len() - 8)),
        format!("usso_rt_{}", "é".repeat(token.len() / 2)),
    ];
    let all = flipped.chain(cut).chain(rest);
    all.filter(|text| text != token).collect()
}

#[tokio::test]
async fn an_altered_refresh_token_is_refused_and_ends_nothing() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    for text in forgeries(tokens.refresh_token.expose()) {
        let forged = RefreshToken::new(text);
        let refreshed = refresh::refresh(&deps, &forged).await;
        assert_eq!(code(&refreshed), "session.refresh_not_valid", "{}", forged.expose());
        session::end_by_refresh_token(&deps, &forged).await.unwrap();
    }
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

#[tokio::test]
async fn an_altered_access_token_is_refused() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    for text in forgeries(&tokens.access_token) {
        let caller = session::token::authenticate(&deps, &text).await;
        assert!(code(&caller).starts_with("token."), "{text}");
    }
}

#[tokio::test]
async fn one_session_more_than_the_limit_ends_the_oldest() {
    let world = World::new().await;
    let (user, oldest) = world.register("alice").await;
    let mut others = Vec::new();
    for _ in 0..SESSIONS_MAX {
        world.advance(MOMENT);
        others.push(world.sign_in("alice").await.unwrap());
    }
    assert_eq!(world.probe(&oldest).await, DEAD);
    assert_eq!(world.probe(&others[0]).await, ALIVE);
    let listed = session::list(&world.deps().await, &user, None, 200).await;
    assert_eq!(listed.unwrap().items.len(), SESSIONS_MAX);
}

#[tokio::test]
async fn sign_ins_at_one_moment_do_not_fail_each_other_at_the_limit() {
    let (world, gate) = World::gated().await;
    let (user, _) = world.register("alice").await;
    for _ in 1..SESSIONS_MAX {
        world.advance(MOMENT);
        world.sign_in("alice").await.unwrap();
    }
    gate.hold(Verb::Commit, 2);
    let deps = world.deps().await;
    let both = tokio::spawn(all_at_once(2, move |_| {
        let deps = deps.clone();
        async move { sign_in(&deps, "alice", PASSWORD).await }
    }));
    gate.holds(2).await;
    gate.open();
    let codes: Vec<_> = both.await.unwrap().iter().map(code).collect();
    assert_eq!(codes, ["ok", "ok"]);
    let listed = session::list(&world.deps().await, &user, None, 200).await;
    assert_eq!(listed.unwrap().items.len(), SESSIONS_MAX);
}

#[tokio::test]
async fn the_list_shows_live_sessions_only() {
    let world = World::new().await;
    world.set(json!({"session_idle_seconds": 300})).await;
    let (user, ended) = world.register("alice").await;
    world.sign_in("alice").await.unwrap(); // becomes idle
    world.advance(Duration::from_secs(200));
    let live = world.sign_in("alice").await.unwrap();
    world.advance(Duration::from_secs(100));
    let deps = world.deps().await;
    session::end_by_refresh_token(&deps, &ended.refresh_token).await.unwrap();
    let listed = session::list(&deps, &user, None, 200).await.unwrap().items;
    let ids: Vec<_> = listed.iter().map(|session| session.id).collect();
    assert_eq!(ids, [live.session]);
}

#[tokio::test]
async fn a_user_cannot_end_the_session_of_another() {
    let world = World::new().await;
    let (_, alices) = world.register("alice").await;
    let (bob, _) = world.register("bob").await;
    let ended = session::end(&world.deps().await, bob.id, alices.session, bob.id).await;
    assert_eq!(code(&ended), "session.unknown");
    assert_eq!(world.probe(&alices).await, ALIVE);
}

#[tokio::test]
async fn a_session_that_ended_is_unknown_when_ended_again() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    session::end(&deps, user.id, tokens.session, user.id).await.unwrap();
    let again = session::end(&deps, user.id, tokens.session, user.id).await;
    assert_eq!(code(&again), "session.unknown");
}

#[tokio::test]
async fn roles_given_after_the_sign_in_are_in_the_next_access_token() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let update = Update { roles: Some(vec!["editor".to_owned()]), ..Update::default() };
    user::update(&world.deps().await, user.id, update, actor()).await.unwrap();
    let refreshed = world.refresh(&tokens).await.unwrap();
    let claims = world.caller(&refreshed).await.unwrap().claims;
    assert_eq!(claims.roles, ["editor"]);
}

#[tokio::test]
async fn refreshing_again_and_again_leaves_one_audit_entry_a_minute() {
    let world = World::new().await;
    let (_, mut tokens) = world.register("alice").await;
    for _ in 0..5 {
        tokens = world.refresh(&tokens).await.unwrap();
        world.advance(MOMENT);
    }
    let noted = async || {
        let events = events(&world.deps().await).await;
        let refreshed = usso_core::kernel::event::EventType::SessionRefreshed;
        events.iter().filter(|event| event.kind == refreshed).count()
    };
    assert_eq!(noted().await, 1);
    world.advance(Duration::from_secs(60));
    world.refresh(&tokens).await.unwrap();
    assert_eq!(noted().await, 2);
}
