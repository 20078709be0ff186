//! Passwords: registering, signing in, changing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use serde_json::json;
use support::*;
use usso_core::{
    directory::{
        credential::Credential,
        identifier::IdentifierRecord,
        user::{self, NewUser, Update, User, UserStatus},
    },
    flow::password::{self, Ensured, Wanted},
    kernel::{hashing, proof::Method, text::Identifier},
    session::Tokens,
    store::Find,
};

#[tokio::test]
async fn whoever_registered_signs_in_in_any_spelling() {
    for world in World::on_each_store().await {
        let (user, _) = world.register("Alice@Example.com").await;
        for spelling in ["alice@example.com", " ALICE@EXAMPLE.COM ", "ａlice＠example.com"] {
            let tokens = world.sign_in(spelling).await.unwrap();
            assert_eq!(world.caller(&tokens).await.unwrap().user.id, user.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn registrations_of_one_name_at_one_moment_make_one_account() {
    let spellings =
        ["alice@example.com", "ALICE@example.com", "Alice@EXAMPLE.com", "ａｌｉｃｅ＠example.com"];
    for world in World::on_each_store().await {
        let deps = world.deps().await;
        let results = all_at_once(RACERS, |number| {
            let deps = deps.clone();
            async move { register(&deps, spellings[number % spellings.len()], PASSWORD).await }
        });
        let codes: Vec<_> = results.await.iter().map(code).collect();
        assert_eq!(count(&codes, "ok"), 1);
        assert_eq!(count(&codes, "user.identifier_taken"), RACERS - 1);
        let users = user::list(&deps, None, 200).await.unwrap().items;
        let scope = deps.scope();
        let names = world.store.find::<IdentifierRecord>(&scope, Find::all());
        assert_eq!((users.len(), names.await.unwrap().items.len()), (1, 1));
    }
}

#[tokio::test]
async fn a_closed_tenant_registers_nobody() {
    let world = World::new().await;
    world.set(json!({"registration": "closed"})).await;
    let registered = register(&world.deps().await, "alice", PASSWORD).await;
    assert_eq!(code(&registered), "password.registration_closed");
}

/// What a failed sign-in looks like from the inside: its answer, its store calls, its audit entries.
async fn trace(name: &str, password: &str) -> (&'static str, usize, Vec<&'static str>) {
    let world = World::new().await;
    world.register("alice@example.com").await;
    let deps = world.deps().await;
    let before = kinds(&deps).await.len();
    world.advance(MOMENT);
    world.memory.inject(None);
    let answer = code(&sign_in(&deps, name, password).await);
    let calls = world.memory.calls();
    let written = kinds(&deps).await.split_off(before);
    (answer, calls, written)
}

#[tokio::test]
async fn an_unknown_account_looks_like_a_wrong_password() {
    let wrong = trace("alice@example.com", WRONG).await;
    assert_eq!(wrong.0, "password.not_valid");
    assert_eq!(wrong.2, ["password.failed"]);
    for name in [
        "bob@example.com",
        "+4915112345678",
        "bob",
        "",
        "not an identifier",
        "a@b@c",
        "\0",
        "alice@example.com\r\nBcc: eve@example.com",
    ] {
        assert_eq!(trace(name, WRONG).await, wrong, "{name:?}");
    }
    let huge = "a".repeat(10 << 20);
    assert_eq!(trace(&huge, WRONG).await, wrong);
    assert_eq!(trace("alice@example.com", &huge).await, wrong);
}

#[tokio::test]
async fn an_account_without_a_password_looks_like_a_wrong_password() {
    let world = World::new().await;
    let deps = world.deps().await;
    let new =
        NewUser { identifiers: vec![Identifier::parse("alice").unwrap()], ..NewUser::default() };
    password::create(&deps, new, None, actor()).await.unwrap();
    for password in ["", WRONG, PASSWORD] {
        let refused = sign_in(&deps, "alice", password).await;
        assert_eq!(code(&refused), "password.not_valid");
    }
}

async fn stored_hash(world: &World, user: &User) -> String {
    let key = Credential::<serde_json::Value>::key_of(Method::Password, user.id);
    let deps = world.deps().await;
    let found = world.store.get::<Credential>(&deps.scope(), key).await;
    found.unwrap().unwrap().record.data.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_sign_in_renews_a_hash_of_other_parameters() {
    let world = World::new().await;
    let (user, _) = world.register("alice").await;
    let dearer = world.again(|config| config.hashing.iterations = 2).await;
    assert!(stored_hash(&world, &user).await.contains("t=1"));
    guess(&dearer.deps().await, "alice", 1).await;
    assert!(stored_hash(&world, &user).await.contains("t=1"));
    let before = dearer.sign_in("alice").await.unwrap();
    assert!(stored_hash(&world, &user).await.contains("t=2"));
    assert_eq!(code(&dearer.sign_in("alice").await), "ok");
    assert_eq!(dearer.probe(&before).await, ALIVE, "no session ends by it");
}

#[tokio::test]
async fn after_a_change_the_new_password_works_and_the_old_one_does_not() {
    for world in World::on_each_store().await {
        let (_, tokens) = world.register("alice").await;
        change(&world, &tokens, PASSWORD, OTHER).await.unwrap();
        assert_eq!(code(&world.sign_in("alice").await), "password.not_valid");
        let deps = world.deps().await;
        assert_eq!(code(&sign_in(&deps, "alice", OTHER).await), "ok");
    }
}

#[tokio::test]
async fn a_change_needs_the_current_password() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let refused = change(&world, &tokens, WRONG, OTHER).await;
    assert_eq!(code(&refused), "password.not_valid");
    assert_eq!(code(&world.sign_in("alice").await), "ok");
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

#[tokio::test]
async fn a_change_to_a_bad_password_changes_nothing() {
    let world = World::new().await;
    let (_, tokens) = world.register("wonderland").await;
    for (bad, expected) in [
        ("short", "password.too_short"),
        ("iloveyou", "password.common"),
        ("Wonderland1", "password.personal"),
    ] {
        assert_eq!(code(&change(&world, &tokens, PASSWORD, bad).await), expected);
    }
    assert_eq!(world.probe(&tokens).await, ALIVE);
    assert_eq!(code(&world.sign_in("wonderland").await), "ok");
}

#[tokio::test]
async fn a_sign_in_that_began_before_a_change_leads_to_a_dead_session() {
    let (world, gate) = World::gated().await;
    let (_, tokens) = world.register("alice").await;
    gate.hold(Verb::Commit, 1);
    let deps = world.deps().await;
    let late = tokio::spawn(async move { sign_in(&deps, "alice", PASSWORD).await });
    gate.holds(1).await;
    let changed = change(&world, &tokens, PASSWORD, OTHER).await.unwrap();
    gate.open();
    let late = late.await.unwrap().unwrap();
    assert_eq!(world.probe(&late).await, DEAD);
    assert_eq!(world.probe(&changed).await, ALIVE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_changes_at_one_moment_one_wins() {
    for world in World::on_each_store().await {
        let (_, tokens) = world.register("alice").await;
        let caller = world.caller(&tokens).await.unwrap();
        let deps = world.deps().await;
        let results = all_at_once(8, |_| {
            let (deps, caller) = (deps.clone(), caller.clone());
            async move { password::change(&deps, &caller, secret(PASSWORD), secret(OTHER)).await }
        });
        let won: Vec<Tokens> = results.await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(world.probe(&won[0]).await, ALIVE);
    }
}

async fn suspend(world: &World, user: &User) {
    let update = Update { status: Some(UserStatus::Suspended), ..Update::default() };
    user::update(&world.deps().await, user.id, update, actor()).await.unwrap();
}

#[tokio::test]
async fn a_suspended_user_is_told_so_only_with_the_right_password() {
    let world = World::new().await;
    let (user, _) = world.register("alice").await;
    suspend(&world, &user).await;
    assert_eq!(code(&world.sign_in("alice").await), "user.not_active");
    assert_eq!(guess(&world.deps().await, "alice", 1).await, ["password.not_valid"]);
}

#[tokio::test]
async fn a_user_suspended_during_a_change_gets_no_session() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let caller = world.caller(&tokens).await.unwrap();
    suspend(&world, &user).await;
    let deps = world.deps().await;
    let changed = password::change(&deps, &caller, secret(PASSWORD), secret(OTHER)).await;
    assert_eq!(code(&changed), "user.not_active");
}

#[tokio::test]
async fn a_deleted_user_is_unknown_and_its_name_is_free() {
    let world = World::new().await;
    let (user, _) = world.register("alice").await;
    user::delete(&world.deps().await, user.id, actor()).await.unwrap();
    assert_eq!(code(&world.sign_in("alice").await), "password.not_valid");
    let (another, _) = register(&world.deps().await, "alice", OTHER).await.unwrap();
    assert_ne!(another.id, user.id);
    assert_eq!(code(&world.sign_in("alice").await), "password.not_valid");
}

#[tokio::test]
async fn hostile_names_are_not_registered() {
    let world = World::new().await;
    let deps = world.deps().await;
    let huge = "a".repeat(10 << 20);
    for name in [
        "",
        " ",
        "a@b@example.com",
        "alice@example.com\r\nBcc: eve@example.com",
        "alice\0@example.com",
        "аlice@example.com",
        "ali\u{200b}ce",
        "{\"$ne\":null}",
        "' OR 1=1 --",
        "../../etc/passwd",
        &huge,
    ] {
        let registered = register(&deps, name, PASSWORD).await;
        assert_eq!(code(&registered), "identifier.invalid");
    }
}

#[tokio::test]
async fn the_policy_answers_with_its_codes() {
    let world = World::new().await;
    let deps = world.deps().await;
    let huge = "x y ".repeat(3 << 20);
    for (password, expected) in [
        ("", "password.too_short"),
        ("7 chars", "password.too_short"),
        ("日本語", "password.too_short"),
        (&"x y ".repeat(65), "password.too_long"),
        (&huge, "password.too_long"),
        ("password", "password.common"),
        ("aaaaaaaaaa", "password.weak"),
        ("wonderland1", "password.personal"),
    ] {
        let registered = register(&deps, "wonderland", password).await;
        assert_eq!(code(&registered), expected);
    }
}

#[tokio::test]
async fn a_tenant_asks_for_longer_and_stronger_passwords() {
    let world = World::new().await;
    world.set(json!({"password_min_length": 30, "password_min_strength": 4})).await;
    let deps = world.deps().await;
    let registered = register(&deps, "alice", PASSWORD).await;
    assert_eq!(code(&registered), "password.too_short");
    let registered = register(&deps, "alice", &"abc".repeat(10)).await;
    assert_eq!(code(&registered), "password.weak");
}

#[tokio::test]
async fn a_name_that_is_not_valid_is_refused_with_the_users_code() {
    let world = World::new().await;
    let deps = world.deps().await;
    let registered = password::register(&deps, "alice", secret(PASSWORD), "a".repeat(201)).await;
    assert_eq!(code(&registered), "user.invalid");
    assert_eq!(code(&register(&deps, "alice", PASSWORD).await), "ok");
}

async fn ensure(world: &World, wanted: Wanted) -> Ensured {
    let deps = world.deps().await;
    password::ensure(&deps, "root", wanted, &["superadmin"]).await.unwrap()
}

fn always(password: &str) -> Wanted {
    Wanted::Always(secret(password))
}

fn if_new(password: &str) -> Wanted {
    Wanted::IfNew(secret(password))
}

#[tokio::test]
async fn ensuring_an_account_creates_it_once() {
    let world = World::new().await;
    assert_eq!(ensure(&world, if_new(PASSWORD)).await, Ensured::Created);
    let tokens = world.sign_in("root").await.unwrap();
    let before = events(&world.deps().await).await.len();
    assert_eq!(ensure(&world, always(PASSWORD)).await, Ensured::Unchanged);
    assert_eq!(ensure(&world, if_new(OTHER)).await, Ensured::Unchanged);
    assert_eq!(events(&world.deps().await).await.len(), before);
    let caller = world.caller(&tokens).await.unwrap();
    assert_eq!(caller.user.roles, ["superadmin"]);
}

#[tokio::test]
async fn ensuring_another_password_replaces_it_and_ends_all_sessions() {
    let world = World::new().await;
    ensure(&world, always(PASSWORD)).await;
    let tokens = world.sign_in("root").await.unwrap();
    assert_eq!(ensure(&world, always(OTHER)).await, Ensured::Updated);
    assert_eq!(world.probe(&tokens).await, DEAD);
    assert_eq!(code(&world.sign_in("root").await), "password.not_valid");
    let deps = world.deps().await;
    assert_eq!(code(&sign_in(&deps, "root", OTHER).await), "ok");
}

#[tokio::test]
async fn an_account_that_somebody_else_registered_becomes_mighty_only_with_a_known_password() {
    let world = World::new().await;
    let stranger = world.register("root").await;
    assert_eq!(ensure(&world, if_new(OTHER)).await, Ensured::Unchanged);
    assert_eq!(world.caller(&stranger.1).await.unwrap().user.roles, [""; 0]);
    assert_eq!(ensure(&world, always(OTHER)).await, Ensured::Updated);
    assert_eq!(world.probe(&stranger.1).await, DEAD);
    let deps = world.deps().await;
    let tokens = sign_in(&deps, "root", OTHER).await.unwrap();
    assert_eq!(world.caller(&tokens).await.unwrap().user.roles, ["superadmin"]);
}

#[tokio::test]
async fn an_account_without_a_password_gets_the_operators() {
    let world = World::new().await;
    let deps = world.deps().await;
    let identifiers = vec![Identifier::parse("root").unwrap()];
    let new = NewUser { identifiers, ..NewUser::default() };
    password::create(&deps, new, None, actor()).await.unwrap();
    assert_eq!(ensure(&world, always(OTHER)).await, Ensured::Updated);
    assert_eq!(code(&sign_in(&deps, "root", OTHER).await), "ok");
}

#[tokio::test]
async fn an_administrator_that_was_suspended_is_active_again_after_the_operators_reset() {
    let world = World::new().await;
    ensure(&world, always(PASSWORD)).await;
    let deps = world.deps().await;
    let id = world.caller(&world.sign_in("root").await.unwrap()).await.unwrap().user.id;
    let update = Update { status: Some(UserStatus::Suspended), ..Update::default() };
    user::update(&deps, id, update, actor()).await.unwrap();
    assert_eq!(code(&world.sign_in("root").await), "user.not_active");
    assert_eq!(ensure(&world, always(PASSWORD)).await, Ensured::Updated);
    assert_eq!(code(&world.sign_in("root").await), "ok");
}

#[tokio::test]
async fn engines_that_ensure_one_account_at_one_moment_make_one() {
    for world in World::on_each_store().await {
        let deps = world.deps().await;
        let results = all_at_once(RACERS, |_| {
            let deps = deps.clone();
            async move { password::ensure(&deps, "root", always(PASSWORD), &[]).await }
        })
        .await;
        let created = |result: &Result<Ensured, _>| matches!(result, Ok(Ensured::Created));
        assert_eq!(results.iter().filter(|result| created(result)).count(), 1);
        let users = user::list(&deps, None, 200).await.unwrap().items;
        assert_eq!(users.len(), 1);
    }
}

#[tokio::test]
async fn settings_of_hashing_out_of_range_do_not_start() {
    let world = World::new().await;
    let mut config = config();
    config.hashing = hashing::Config::default();
    config.hashing.memory_kib = 1 << 30;
    let started = usso_core::Usso::start(config, ports(&world.store, &world.clock)).await;
    assert!(started.unwrap_err().to_string().contains("hashing.memory_kib"));
}

#[tokio::test]
async fn one_password_of_two_users_has_two_hashes() {
    let world = World::new().await;
    let (user, _) = world.register("alice").await;
    let (another, _) = world.register("bob").await;
    assert_ne!(stored_hash(&world, &user).await, stored_hash(&world, &another).await);
}
