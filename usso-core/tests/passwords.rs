//! Passwords: registering, signing in, changing, and what guessing runs into.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::*;
use usso_core::{
    Deps,
    directory::{
        credential::Credential,
        identifier::IdentifierRecord,
        tenant::Settings,
        user::{self, NewUser, Update, User, UserStatus},
    },
    flow::password::{self, Ensured, Refused},
    kernel::{hashing, limit::Limit, proof::Method, refusal::Stop, text::Identifier},
    session::Tokens,
    store::Find,
};

const MINUTE: Duration = Duration::from_secs(60);
const WRONG: &str = "not the password of anyone";

fn count(codes: &[&str], wanted: &str) -> usize {
    codes.iter().filter(|code| **code == wanted).count()
}

/// Makes `attempts` with a wrong password and says how each was answered.
async fn guess(deps: &Deps, name: &str, attempts: usize) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for _ in 0..attempts {
        codes.push(code(&sign_in(deps, name, WRONG).await));
    }
    codes
}

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

#[tokio::test]
async fn registrations_from_one_source_are_limited() {
    let world = World::with(|config| {
        config.limits.registration = Limit::new(2, MINUTE);
    })
    .await;
    world.register("alice").await;
    world.register("bob").await;
    let third = register(&world.deps().await, "carol", PASSWORD).await;
    assert_eq!(code(&third), "password.limited");
    let elsewhere = world.deps_from("192.0.2.2").await;
    assert_eq!(code(&register(&elsewhere, "carol", PASSWORD).await), "ok");
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

#[tokio::test]
async fn limits_tell_nothing_of_whether_an_account_exists() {
    let world = World::new().await;
    world.register("alice").await;
    let deps = world.deps().await;
    let (known, unknown) = (guess(&deps, "alice", 12).await, guess(&deps, "bob", 12).await);
    assert_eq!(known, unknown);
}

#[tokio::test]
async fn a_source_may_fail_ten_times_on_an_account() {
    let world = World::new().await;
    world.register("alice").await;
    let deps = world.deps().await;
    let codes = guess(&deps, "alice", 11).await;
    assert_eq!(codes[..10], ["password.not_valid"; 10]);
    assert_eq!(codes[10], "password.limited");
    let right = sign_in(&deps, "alice", PASSWORD).await;
    assert_eq!(code(&right), "password.limited", "the right one as well");
}

#[tokio::test]
async fn spellings_of_a_name_and_of_an_address_share_a_limit() {
    let world = World::new().await;
    let addresses = ["2001:db8::1", "2001:db8:0::ffff", "2001:db8:0:0:1::"];
    let names = ["alice", "ALICE", " Alice ", "ａlice"];
    let mut codes = Vec::new();
    for attempt in 0..12 {
        let deps = world.deps_from(addresses[attempt % addresses.len()]).await;
        codes.extend(guess(&deps, names[attempt % names.len()], 1).await);
    }
    assert_eq!(count(&codes, "password.limited"), 2);
}

#[tokio::test]
async fn a_limit_ends_with_its_window_and_not_before() {
    let world = World::new().await;
    world.register("alice").await;
    guess(&world.deps().await, "alice", 10).await;
    world.advance(almost(MINUTE * 5));
    let Err(Stop::Refused(Refused::Limited(left))) = world.sign_in("alice").await else {
        panic!("the window is not over");
    };
    assert_eq!(left, MOMENT);
    world.advance(MOMENT);
    assert_eq!(code(&world.sign_in("alice").await), "ok");
}

#[tokio::test]
async fn a_sign_in_that_succeeds_does_not_count() {
    let world = World::new().await;
    world.register("alice").await;
    for _ in 0..30 {
        assert_eq!(code(&world.sign_in("alice").await), "ok");
    }
    guess(&world.deps().await, "alice", 9).await;
    assert_eq!(code(&world.sign_in("alice").await), "ok");
    assert_eq!(
        guess(&world.deps().await, "alice", 2).await,
        ["password.not_valid", "password.limited"],
        "a success does not wipe the failures"
    );
}

#[tokio::test]
async fn a_source_may_fail_three_hundred_times_on_all_accounts() {
    let world = World::new().await;
    let deps = world.deps().await;
    let mut codes = Vec::new();
    for number in 0..301 {
        codes.extend(guess(&deps, &format!("user{number}"), 1).await);
    }
    assert_eq!(count(&codes, "password.not_valid"), 300);
    assert_eq!(codes[300], "password.limited");
    let elsewhere = world.deps_from("192.0.2.2").await;
    assert_eq!(guess(&elsewhere, "user0", 1).await, ["password.not_valid"]);
}

/// Fails on an account from many sources until its own limit is reached.
async fn use_up(world: &World, name: &str) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for source in 0..101 {
        let deps = world.deps_from(&format!("198.51.100.{source}")).await;
        codes.extend(guess(&deps, name, 1).await);
    }
    codes
}

#[tokio::test]
async fn an_account_may_fail_a_hundred_times_from_all_sources() {
    let world = World::new().await;
    world.register("alice").await;
    let codes = use_up(&world, "alice").await;
    assert_eq!(count(&codes, "password.not_valid"), 100);
    assert_eq!(codes[100], "password.limited");
    world.advance(almost(MINUTE * 60));
    assert_eq!(code(&world.sign_in("alice").await), "password.limited");
    world.advance(MOMENT);
    assert_eq!(code(&world.sign_in("alice").await), "ok");
}

#[tokio::test]
async fn the_owner_gets_in_from_a_familiar_source_while_others_use_the_account_limit_up() {
    let world = World::new().await;
    world.register("alice").await;
    world.sign_in("alice").await.unwrap();
    use_up(&world, "alice").await;
    assert_eq!(code(&world.sign_in("alice").await), "ok");
    let elsewhere = world.deps_from("203.0.113.9").await;
    let refused = sign_in(&elsewhere, "alice", PASSWORD).await;
    assert_eq!(code(&refused), "password.limited");
}

#[tokio::test]
async fn a_familiar_source_is_familiar_for_that_account_only() {
    let world = World::new().await;
    world.register("alice").await;
    world.register("mallory").await;
    world.sign_in("mallory").await.unwrap();
    use_up(&world, "alice").await;
    assert_eq!(code(&world.sign_in("alice").await), "password.limited");
}

#[tokio::test]
async fn a_familiar_source_has_its_own_limit() {
    let world = World::new().await;
    world.register("alice").await;
    world.sign_in("alice").await.unwrap();
    let codes = guess(&world.deps().await, "alice", 20).await;
    assert_eq!(count(&codes, "password.not_valid"), 10);
}

#[tokio::test]
async fn a_source_becomes_unfamiliar_at_the_end_of_its_time() {
    let world = World::new().await;
    world.register("alice").await;
    world.sign_in("alice").await.unwrap();
    let familiar_for = world.usso.config().limits.familiar_for;
    world.advance(almost(familiar_for));
    use_up(&world, "alice").await;
    assert_eq!(code(&world.sign_in("alice").await), "ok");
    world.advance(MOMENT);
    assert_eq!(code(&world.sign_in("alice").await), "password.limited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_guesses_do_not_outrun_a_limit() {
    for world in World::on_each_store().await {
        world.register("alice").await;
        let deps = world.deps().await;
        let results = all_at_once(200, |_| {
            let deps = deps.clone();
            async move { sign_in(&deps, "alice", WRONG).await }
        });
        // `not_valid` is the answer of the hasher: so many passwords were compared.
        let codes: Vec<_> = results.await.iter().map(code).collect();
        assert_eq!(count(&codes, "password.not_valid"), 10);
        assert_eq!(count(&codes, "password.limited"), 190);
    }
}

#[tokio::test]
async fn an_attempt_is_counted_before_it_is_judged() {
    let (world, gate) = World::gated().await;
    world.register("alice").await;
    let deps = world.deps().await;
    gate.hold(Verb::Commit, 200);
    let guesses = tokio::spawn(all_at_once(50, move |_| {
        let deps = deps.clone();
        async move { sign_in(&deps, "alice", WRONG).await }
    }));
    // Ten wrong passwords and the entry about the limit wait to be written down.
    gate.holds(11).await;
    gate.open();
    let codes: Vec<_> = guesses.await.unwrap().iter().map(code).collect();
    assert_eq!(count(&codes, "password.not_valid"), 10);
}

#[tokio::test]
async fn of_a_storm_only_as_many_get_in_as_there_are_places() {
    let (world, gate) = World::gated().await;
    world.register("alice").await;
    let small = world
        .again(|config| {
            config.hashing.concurrent = 1;
            config.hashing.waiting = 2;
        })
        .await;
    gate.hold(Verb::Bump, 3);
    let deps = small.deps().await;
    let storm = tokio::spawn(all_at_once(50, move |_| {
        let deps = deps.clone();
        async move { sign_in(&deps, "alice", PASSWORD).await }
    }));
    gate.holds(3).await;
    tokio::task::yield_now().await;
    gate.open();
    let codes: Vec<_> = storm.await.unwrap().iter().map(code).collect();
    assert_eq!((count(&codes, "ok"), count(&codes, "password.busy")), (3, 47));
    assert_eq!(code(&small.sign_in("alice").await), "ok", "places are free again");
}

#[tokio::test]
async fn whoever_finds_no_place_costs_the_store_nothing() {
    let world = World::with(|config| {
        config.hashing.concurrent = 1;
        config.hashing.waiting = 0;
    })
    .await;
    let deps = world.deps().await;
    let _place = deps.hasher.place().unwrap();
    world.memory.inject(None);
    let refused = sign_in(&deps, "alice", PASSWORD).await;
    assert_eq!(code(&refused), "password.busy");
    let Err(Stop::Refused(refused)) = register(&deps, "alice", PASSWORD).await else {
        panic!("there is no place");
    };
    assert_eq!(refused, Refused::Busy);
    assert_eq!(world.memory.calls(), 0);
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

async fn change(
    world: &World,
    tokens: &Tokens,
    current: &str,
    new: &str,
) -> Result<Tokens, Stop<Refused>> {
    let caller = world.caller(tokens).await.unwrap();
    let deps = world.deps().await;
    password::change(&deps, &caller, secret(current), secret(new)).await
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
async fn guesses_at_the_current_password_are_limited() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(code(&change(&world, &tokens, WRONG, OTHER).await));
    }
    assert_eq!(count(&codes, "password.not_valid"), 10);
    assert_eq!(count(&codes, "password.limited"), 2);
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

async fn ensure(world: &World, password: Option<&str>) -> Ensured {
    let deps = world.deps().await;
    password::ensure(&deps, "root", password.map(secret), &["superadmin"]).await.unwrap()
}

#[tokio::test]
async fn ensuring_an_account_creates_it_once() {
    let world = World::new().await;
    assert_eq!(ensure(&world, None).await, Ensured::NeedsPassword);
    assert_eq!(ensure(&world, Some(PASSWORD)).await, Ensured::Created);
    let tokens = world.sign_in("root").await.unwrap();
    let before = events(&world.deps().await).await.len();
    assert_eq!(ensure(&world, Some(PASSWORD)).await, Ensured::Unchanged);
    assert_eq!(ensure(&world, None).await, Ensured::Unchanged);
    assert_eq!(events(&world.deps().await).await.len(), before);
    let caller = world.caller(&tokens).await.unwrap();
    assert_eq!(caller.user.roles, ["superadmin"]);
}

#[tokio::test]
async fn ensuring_another_password_replaces_it_and_ends_all_sessions() {
    let world = World::new().await;
    ensure(&world, Some(PASSWORD)).await;
    let tokens = world.sign_in("root").await.unwrap();
    assert_eq!(ensure(&world, Some(OTHER)).await, Ensured::PasswordReset);
    assert_eq!(world.probe(&tokens).await, DEAD);
    assert_eq!(code(&world.sign_in("root").await), "password.not_valid");
    let deps = world.deps().await;
    assert_eq!(code(&sign_in(&deps, "root", OTHER).await), "ok");
}

#[tokio::test]
async fn engines_that_ensure_one_account_at_one_moment_make_one() {
    for world in World::on_each_store().await {
        let deps = world.deps().await;
        let results = all_at_once(RACERS, |_| {
            let deps = deps.clone();
            async move { password::ensure(&deps, "root", Some(secret(PASSWORD)), &[]).await }
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
async fn one_password_of_two_tenants_has_two_hashes() {
    let world = World::new().await;
    let (user, _) = world.register("alice").await;
    let (another, _) = world.register("bob").await;
    world.tenant("other", Settings::default()).await;
    assert_ne!(stored_hash(&world, &user).await, stored_hash(&world, &another).await);
}
