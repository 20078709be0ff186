//! The issuer is down, or nobody asked it for long.

use std::time::Duration;

use usso_verify::jwks::{Decision, Failure, JwksEvent, Location, Policy, State};
use usso_verify::{FetchError, KeySource, Need};

use crate::support::{
    Found, Hand, NOW, Peer, URL, World, builder, jwk, look, only, peek, set, source, status,
};

const DAY: u64 = 86_400;

#[tokio::test(start_paused = true)]
async fn an_outage_at_expiry_fails_no_known_kid_and_makes_none_wait() {
    let (peer, hand) = (Peer::new([Ok(only("a")), Err(FetchError::TimedOut)]), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    source.preload().await.unwrap();
    let fetches = peer.asked();
    for _ in 0..4000 {
        hand.pass(1).await;
        let now = hand.now();
        assert!(!source.is_overdue(now), "waits at {}", now - NOW);
        assert_eq!(peek(&source, "a", now), Found::Key);
        assert_eq!(source.generation(now), Some(1));
    }
    assert_eq!(source.status().state, State::Stale);
    assert!(source.status().stale_served > 0);
    // 30, 60, 120, 240, then 300 seconds apart, give or take a tenth.
    let retries = peer.asked() - fetches;
    assert!((12..=20).contains(&retries), "{retries}");
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_task_recovers_by_itself() {
    let script = [Ok(only("a")), Ok(status(500)), Ok(status(503)), Err(FetchError::Failed)];
    let (peer, hand) = (Peer::new(script.into_iter().chain([Ok(only("b"))])), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    source.preload().await.unwrap();
    hand.pass(1200).await;
    assert_eq!(peek(&source, "b", hand.now()), Found::Key);
    let status = source.status();
    assert_eq!((status.failures, status.state), (0, State::Fresh));
}

#[test]
fn failures_back_off_exponentially_up_to_five_minutes() {
    let mut world = World::holding(only("a")).after(600);
    for pause in [30, 60, 120, 240, 300, 300, 300] {
        assert!(world.ask(Need::Stale, Ok(status(500))).is_some());
        let until = world.engine.status(world.now).cooldown_until - world.now;
        assert!((pause * 9 / 10..=pause * 11 / 10).contains(&until), "{pause}: {until}");
        world.now += pause * 9 / 10 - 1;
        assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_none());
        world.now = world.now + pause / 5 + 32;
    }
    assert!(world.ask(Need::Stale, Ok(only("a"))).is_some());
    assert_eq!(world.engine.status(world.now).failures, 0);
}

#[test]
fn without_any_keys_the_first_pauses_are_short() {
    let mut world = World::new();
    for (n, pause) in [1, 2, 4, 8, 16].into_iter().enumerate() {
        assert!(world.ask(Need::Keys, Ok(status(503))).is_some(), "{n}");
        let until = world.engine.status(world.now).cooldown_until - world.now;
        assert!((pause..=pause * 11 / 10).contains(&until) || until + 1 >= pause, "{until}");
        assert!(world.ask(Need::Keys, Ok(only("a"))).is_none());
        world.now += pause * 11 / 10 + 1;
    }
    assert_eq!(world.ask(Need::Keys, Ok(only("a"))), Some(Ok(())));
}

#[test]
fn the_hard_age_ends_everything_at_its_second() {
    let mut world = World::holding(only("a")).after(DAY - 1);
    assert!(world.ask(Need::Stale, Ok(status(500))).is_some());
    assert!(world.knows("a"));
    assert_eq!((world.generation(), world.state()), (Some(1), State::Stale));
    world.now += 1;
    assert!(!world.knows("a"));
    assert_eq!((world.generation(), world.state()), (None, State::Expired));
    assert!(!world.is_overdue());
    world.now += 40;
    assert_eq!(world.ask(Need::Keys, Ok(only("a"))), Some(Ok(())));
    assert_eq!(world.generation(), Some(1));
}

#[test]
fn a_304_counts_for_the_hard_age() {
    let world = World::holding(crate::support::with(only("a"), "etag", "\"1\"")).after(DAY - 1);
    assert_eq!(world.ask(Need::Stale, Ok(status(304))), Some(Ok(())));
    assert!(world.after(DAY - 1).knows("a"));
}

#[test]
fn a_hard_age_of_zero_fails_closed() {
    let policy = Policy::default().hard_age(Duration::ZERO);
    let world = World::with(Location::jwks(URL), policy);
    assert!(world.ask(Need::Keys, Ok(only("a"))).is_some());
    let world = world.after(599);
    assert!(world.knows("a"));
    let world = world.after(1);
    assert!(!world.knows("a") && !world.is_overdue());
    assert_eq!(world.generation(), None);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_idle_does_not_trust_a_key_removed_meanwhile() {
    let (peer, hand) =
        (Peer::new([Ok(set(&[jwk("a", 1), jwk("b", 2)])), Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    source.preload().await.unwrap();
    assert_eq!(source.generation(hand.now()), Some(1));
    hand.set(NOW + 7200);
    // No token that was verified before passes unasked.
    assert_eq!(source.generation(hand.now()), None);
    assert_eq!(look(&source, "b", hand.now()).await, Found::NoKey);
    assert_eq!(look(&source, "a", hand.now()).await, Found::Key);
    assert_eq!(source.generation(hand.now()), Some(2));
    assert_eq!(peer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_requests_after_idling_wait_for_one_fetch() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    peer.gate.add_permits(1);
    source.preload().await.unwrap();
    hand.set(NOW + 7200);
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (source, now) = (source.clone(), hand.now());
            tokio::spawn(async move { look(&source, "a", now).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    peer.gate.add_permits(1);
    for task in waiting {
        assert_eq!(task.await.unwrap(), Found::Key);
    }
    assert_eq!(peer.asked(), 2);
}

#[test]
fn a_failed_attempt_excuses_stale_keys_until_the_next_one_is_due() {
    let world = World::holding(only("a")).after(3600);
    assert!(world.is_overdue() && world.generation().is_none());
    assert!(world.ask(Need::Stale, Err(FetchError::Failed)).is_some());
    assert!(!world.is_overdue());
    assert_eq!(world.generation(), Some(1));
    let world = world.after(56);
    assert!(!world.is_overdue());
    let world = world.after(10);
    assert!(world.is_overdue() && world.generation().is_none());
}

#[test]
fn an_attempt_that_slept_with_the_machine_excuses_nothing() {
    let world = World::holding(only("a")).after(500);
    let Decision::Fetch(attempt) = world.engine.begin_ahead(world.now + 50) else {
        panic!();
    };
    let world = world.after(8 * 3600);
    let outcome = world.settle(Decision::Fetch(attempt), vec![Err(FetchError::Failed)]);
    assert_eq!(outcome, Some(Err(Failure::Abandoned)));
    assert!(world.is_overdue());
}

#[test]
fn an_answer_that_slept_with_the_machine_is_as_old_as_its_question() {
    let world = World::new();
    let Decision::Fetch(attempt) = world.engine.begin(Need::Keys, NOW) else {
        panic!();
    };
    let world = world.after(59);
    assert_eq!(world.settle(Decision::Fetch(attempt), vec![Ok(only("a"))]), Some(Ok(())));
    assert_eq!(world.engine.status(world.now).fresh_until, Some(NOW + 600));
}

#[test]
fn stale_keys_are_told_once_per_attempt_and_counted() {
    let world = World::holding(only("a")).after(700);
    assert!(world.ask(Need::Stale, Err(FetchError::Failed)).is_some());
    world.events();
    for _ in 0..3 {
        assert!(world.knows("a"));
    }
    assert_eq!(world.events(), [JwksEvent::StaleServed { age: 700 }]);
    assert_eq!(world.engine.status(world.now).stale_served, 3);
    let world = world.after(40);
    assert!(world.ask(Need::Kid("b"), Err(FetchError::Failed)).is_some());
    assert!(world.knows("a"));
    assert!(world.events().contains(&JwksEvent::StaleServed { age: 740 }));
}

#[test]
fn a_reload_ignores_the_cooldown_but_not_the_second() {
    let world = World::holding(only("a"));
    assert!(world.reload(Ok(only("b"))).is_none());
    let world = world.after(1);
    assert_eq!(world.reload(Ok(only("b"))), Some(Ok(())));
    assert!(world.knows("b") && !world.knows("a"));
}
