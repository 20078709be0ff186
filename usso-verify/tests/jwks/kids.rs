//! Unknown and replaced keys: what a token may cause.

use std::sync::atomic::{AtomicU64, Ordering};

use usso_verify::jwks::{Decision, Failure, JwksEvent, Location, Policy};
use usso_verify::{FetchError, Need};

use crate::support::{
    Found, Hand, NOW, Peer, URL, World, jwk, look, only, peek, set, source, status,
};

#[tokio::test(start_paused = true)]
async fn a_storm_of_unknown_kids_costs_one_fetch_per_cooldown_and_known_kids_never_wait() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    source.preload().await.unwrap();
    for _ in 0..120 {
        let storm = (0..200).map(|n| {
            let (source, now) = (source.clone(), hand.now());
            tokio::spawn(async move { look(&source, &format!("random-{now}-{n}"), now).await })
        });
        let storm: Vec<_> = storm.collect();
        assert_eq!(peek(&source, "a", hand.now()), Found::Key);
        assert!(!usso_verify::KeySource::is_overdue(&source, hand.now()));
        for stray in storm {
            assert_eq!(stray.await.unwrap(), Found::NoKey);
        }
        hand.pass(1).await;
    }
    // 120 seconds hold at most four pauses of 27 seconds; the first fetch was the preload's.
    assert!((4..=5).contains(&peer.asked()), "{}", peer.asked());
}

#[tokio::test(start_paused = true)]
async fn while_an_unknown_kid_is_fetched_a_known_one_is_answered() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    peer.gate.add_permits(1);
    source.preload().await.unwrap();
    hand.pass(60).await;
    let stray = tokio::spawn({
        let (source, now) = (source.clone(), hand.now());
        async move { look(&source, "b", now).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(peek(&source, "a", hand.now()), Found::Key);
    assert!(!stray.is_finished());
    peer.gate.add_permits(1);
    assert_eq!(stray.await.unwrap(), Found::NoKey);
    assert_eq!(peer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_adds_uses_and_removes() {
    let old = [jwk("a", 1)];
    let both = [jwk("a", 1), jwk("b", 2)];
    let (peer, hand) =
        (Peer::new([Ok(set(&old)), Ok(set(&both)), Ok(set(&both[1..]))]), Hand::new());
    let source = source(&peer, &hand);
    source.preload().await.unwrap();
    hand.pass(60).await;
    // The first token of the new key is accepted, after one fetch.
    assert_eq!(look(&source, "b", hand.now()).await, Found::Key);
    assert_eq!(look(&source, "a", hand.now()).await, Found::Key);
    assert_eq!(peer.asked(), 2);
    // The old key is gone after the next one.
    hand.pass(600).await;
    assert_eq!(look(&source, "b", hand.now()).await, Found::Key);
    assert_eq!(look(&source, "a", hand.now()).await, Found::NoKey);
    assert_eq!(peer.asked(), 3);
}

#[test]
fn the_cooldown_counts_from_the_attempt_even_if_it_fails() {
    for reply in [Ok(only("a")), Ok(status(500)), Err(FetchError::Failed)] {
        let world = World::holding(only("a")).after(60);
        assert!(world.ask(Need::Kid("b"), reply).is_some());
        let world = world.after(26);
        assert!(world.ask(Need::Kid("c"), Ok(only("a"))).is_none());
        let world = world.after(8);
        assert!(world.ask(Need::Kid("c"), Ok(only("a"))).is_some());
    }
}

#[test]
fn a_kid_the_issuer_does_not_have_is_remembered_for_a_minute() {
    let world = World::holding(only("a")).after(60);
    assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_some());
    let world = world.after(59);
    assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_none());
    assert!(world.ask(Need::Kid("c"), Ok(only("a"))).is_some());
    let world = world.after(34);
    assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_some());
}

#[test]
fn a_kid_is_not_remembered_when_the_fetch_failed() {
    let world = World::holding(only("a")).after(60);
    assert!(world.ask(Need::Kid("b"), Ok(status(503))).is_some());
    let world = world.after(34);
    assert!(world.ask(Need::Kid("b"), Ok(only("b"))).is_some());
    assert!(world.knows("b"));
}

#[test]
fn a_changed_set_forgets_the_unknown_kids() {
    for (reply, asked) in [(only("a"), false), (only("c"), true)] {
        let world = World::holding(only("a")).after(60);
        assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_some());
        let world = world.after(20);
        assert!(world.reload(Ok(reply)).is_some());
        // The cooldown is over, the minute is not.
        let world = world.after(34);
        assert_eq!(world.ask(Need::Kid("b"), Ok(only("b"))).is_some(), asked);
    }
}

#[test]
fn the_memory_is_bounded_over_several_attempts() {
    let policy = Policy::default().unknown_kids(1, std::time::Duration::from_secs(60));
    let world = World::with(Location::jwks(URL), policy);
    assert!(world.ask(Need::Keys, Ok(only("a"))).is_some());
    let world = world.after(60);
    assert!(world.ask(Need::Kid("x"), Ok(only("a"))).is_some());
    let world = world.after(34);
    assert!(world.ask(Need::Kid("y"), Ok(only("a"))).is_some());
    // There was no room for the second name, so it may be asked for again.
    let world = world.after(34);
    assert!(world.ask(Need::Kid("y"), Ok(only("a"))).is_some());
}

#[test]
fn a_kid_first_seen_while_a_fetch_is_under_way_is_not_remembered_as_unknown() {
    let world = World::holding(only("a")).after(60);
    let begun = world.engine.begin(Need::Kid("x"), world.now);
    // The answer may have left the issuer before the key was there.
    assert!(matches!(world.engine.begin(Need::Kid("b"), world.now + 1), Decision::Wait(_)));
    assert_eq!(world.settle(begun, vec![Ok(only("a"))]), Some(Ok(())));
    let world = world.after(34);
    assert!(world.ask(Need::Kid("x"), Ok(only("a"))).is_none());
    assert_eq!(world.ask(Need::Kid("b"), Ok(only("b"))), Some(Ok(())));
    assert!(world.knows("b"));
}

#[test]
fn a_kid_of_more_than_256_bytes_causes_nothing() {
    let world = World::holding(only("a")).after(60);
    world.events();
    assert!(world.ask(Need::Kid(&"k".repeat(257)), Ok(only("a"))).is_none());
    assert_eq!(world.events(), [JwksEvent::UnknownKidSuppressed]);
    assert!(world.ask(Need::Kid(&"k".repeat(256)), Ok(only("a"))).is_some());
}

#[test]
fn a_key_that_arrived_meanwhile_is_looked_for_again() {
    let world = World::holding(only("a"));
    assert!(matches!(world.engine.begin(Need::Kid("a"), NOW), Decision::Again));
    assert!(matches!(world.engine.begin(Need::Keys, NOW), Decision::Again));
    assert!(matches!(world.engine.begin(Need::Stale, NOW), Decision::Again));
}

#[test]
fn another_key_under_the_same_kid_is_noticed_once_per_cooldown() {
    let world = World::holding(set(&[jwk("a", 1)])).after(60);
    let old = world.engine.keys(world.now).unwrap().get("a").unwrap().thumbprint();
    assert_eq!(world.ask(Need::Replacement("a"), Ok(set(&[jwk("a", 2)]))), Some(Ok(())));
    let new = world.engine.keys(world.now).unwrap().get("a").unwrap().thumbprint();
    assert_ne!(old, new);
    assert_eq!(world.generation(), Some(2));
    let world = world.after(26);
    assert!(world.ask(Need::Replacement("a"), Ok(set(&[jwk("a", 3)]))).is_none());
}

#[test]
fn bad_signatures_do_not_change_an_unchanged_set() {
    let world = World::holding(only("a")).after(60);
    assert_eq!(world.ask(Need::Replacement("a"), Ok(only("a"))), Some(Ok(())));
    assert_eq!(world.generation(), Some(1));
}

#[test]
fn an_attempt_that_nobody_concludes_is_given_up_after_a_minute() {
    let world = World::holding(only("a")).after(60);
    let Decision::Fetch(lost) = world.engine.begin(Need::Kid("b"), world.now) else {
        panic!();
    };
    let world = world.after(59);
    assert!(matches!(world.engine.begin(Need::Kid("b"), world.now), Decision::Wait(_)));
    let world = world.after(1);
    assert!(matches!(world.engine.begin(Need::Kid("b"), world.now), Decision::Fetch(_)));
    // Its late answer changes nothing.
    let late = world.settle(Decision::Fetch(lost), vec![Ok(only("b"))]);
    assert_eq!(late, Some(Err(Failure::Abandoned)));
    assert!(!world.knows("b"));
}

#[test]
fn whoever_reads_while_the_set_rotates_finds_keys_not_older_than_their_generation() {
    let world = World::holding(only("1"));
    let now = AtomicU64::new(NOW);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while now.load(Ordering::SeqCst) < NOW + 200 {
                    let time = now.load(Ordering::SeqCst);
                    // A reader that was held up has an old time.
                    let Some(generation) = world.engine.generation(time) else {
                        continue;
                    };
                    let keys = world.engine.keys(NOW + 200).unwrap();
                    let kid: u64 = keys.only().unwrap().kid().parse().unwrap();
                    assert!(kid >= generation, "{kid} {generation}");
                }
            });
        }
        for n in 2..=201 {
            let time = NOW + n - 1;
            let Decision::Fetch(attempt) = world.engine.begin_reload(time) else {
                panic!();
            };
            _ = world.engine.conclude(attempt, Ok(only(&n.to_string())), time);
            now.store(time, Ordering::SeqCst);
        }
    });
    assert_eq!(world.engine.generation(NOW + 200), Some(201));
}
