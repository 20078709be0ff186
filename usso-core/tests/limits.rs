//! What guessing runs into: attempt limits and the budget of hashing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::time::Duration;

use support::*;
use tokio::task::JoinSet;
use usso_core::{
    directory::user::NewUser,
    flow::password::{self, Refused},
    kernel::{limit::Limit, refusal::Stop, text::Identifier},
};

const MINUTE: Duration = Duration::from_secs(60);

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
    let elsewhere = world.deps_from("203.0.113.9").await;
    assert_eq!(code(&sign_in(&elsewhere, "alice", PASSWORD).await), "password.limited");
    world.advance(MOMENT);
    assert_eq!(code(&sign_in(&elsewhere, "alice", PASSWORD).await), "ok");
}

#[tokio::test]
async fn a_source_that_is_held_up_does_not_use_the_account_up() {
    let world = World::new().await;
    world.register("alice").await;
    guess(&world.deps_from("198.51.100.1").await, "alice", 200).await;
    let elsewhere = world.deps_from("203.0.113.9").await;
    assert_eq!(code(&sign_in(&elsewhere, "alice", PASSWORD).await), "ok");
}

#[tokio::test]
async fn the_names_of_an_account_share_its_limit() {
    let world = World::new().await;
    let names = ["alice", "alice@example.com"];
    let new = NewUser {
        identifiers: names.map(|name| Identifier::parse(name).unwrap()).to_vec(),
        ..NewUser::default()
    };
    let deps = world.deps().await;
    let password = Some(secret(PASSWORD));
    password::create(&deps, new, password, actor()).await.unwrap();
    for name in names {
        for source in 0..50 {
            let deps = world.deps_from(&format!("198.51.100.{source}")).await;
            guess(&deps, name, 1).await;
        }
    }
    assert_eq!(code(&world.sign_in("alice").await), "password.limited");
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
    let elsewhere = world.deps_from("203.0.113.9").await;
    assert_eq!(code(&register(&elsewhere, "alice", PASSWORD).await), "ok");
    world.register("mallory").await;
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
    for (at_its_end, seen) in [(false, "ok"), (true, "password.limited")] {
        let world = World::new().await;
        world.register("alice").await;
        let whole = world.usso.config().limits.familiar_for;
        world.advance(if at_its_end { whole } else { almost(whole) });
        use_up(&world, "alice").await;
        assert_eq!(code(&world.sign_in("alice").await), seen);
    }
}

#[tokio::test]
async fn a_source_that_is_used_stays_familiar() {
    let world = World::new().await;
    world.register("alice").await;
    for _ in 0..3 {
        world.advance(world.usso.config().limits.familiar_for * 2 / 3);
        world.sign_in("alice").await.unwrap();
    }
    use_up(&world, "alice").await;
    assert_eq!(code(&world.sign_in("alice").await), "ok");
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
async fn an_attempt_over_the_limit_does_not_even_read_a_hash() {
    let (world, gate) = World::gated().await;
    world.register("alice").await;
    let deps = world.deps().await;
    let guesses = all_at_once(200, |_| {
        let deps = deps.clone();
        async move { sign_in(&deps, "alice", WRONG).await }
    });
    guesses.await;
    assert_eq!(gate.reads_of("credential"), 10);
}

#[tokio::test]
async fn of_a_storm_only_as_many_get_in_as_there_are_places() {
    let (world, gate) = World::gated().await;
    world.register("alice").await;
    let small = world.again(|config| {
        config.hashing.concurrent = 1;
        config.hashing.waiting = 2;
    });
    let small = small.await;
    let deps = small.deps().await;
    gate.hold(Verb::Bump, 50);
    let mut storm: JoinSet<_> = (0..50)
        .map(|_| {
            let deps = deps.clone();
            async move { code(&sign_in(&deps, "alice", PASSWORD).await) }
        })
        .collect();
    for _ in 3..50 {
        let answer = storm.join_next().await.unwrap().unwrap();
        assert_eq!(answer, "password.busy");
    }
    gate.open();
    assert_eq!(storm.join_all().await, ["ok"; 3]);
    assert_eq!(code(&small.sign_in("alice").await), "ok", "places are free");
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
    assert_eq!(world.memory.calls(), 0);
    let Err(Stop::Refused(refused)) = register(&deps, "alice", PASSWORD).await else {
        panic!("there is no place");
    };
    assert_eq!(refused, Refused::Busy);
}

#[tokio::test]
async fn a_source_over_its_limit_costs_the_store_nothing() {
    let world = World::with(|config| config.limits.source = Limit::new(1, MINUTE)).await;
    let deps = world.deps().await;
    guess(&deps, "a", 2).await;
    world.memory.inject(None);
    assert_eq!(guess(&deps, "b", 3).await, ["password.limited"; 3]);
    assert_eq!(world.memory.calls(), 0);
    world.advance(MINUTE);
    assert_eq!(guess(&deps, "b", 1).await, ["password.not_valid"]);
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
