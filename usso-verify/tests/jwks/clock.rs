//! Clocks that jump.

use usso_verify::Need;
use usso_verify::jwks::Decision;

use crate::support::{NOW, World, jwk, only, set, status};

#[test]
fn a_set_from_the_future_is_overdue() {
    let mut world = World::holding(only("a"));
    world.now = NOW - 3600;
    assert!(world.is_overdue());
    assert_eq!(world.generation(), None);
    assert_eq!(world.ask(Need::Stale, Ok(only("b"))), Some(Ok(())));
    assert!(world.knows("b") && !world.is_overdue());
    assert!(world.generation().is_some());
}

#[test]
fn a_clock_set_back_does_not_lengthen_the_hard_age() {
    let mut world = World::holding(only("a")).after(80_000);
    assert!(world.ask(Need::Stale, Ok(status(500))).is_some());
    world.now -= 70_000;
    assert!(world.knows("a"));
    world.now += 6_399;
    assert!(world.knows("a"));
    world.now += 1;
    assert!(!world.knows("a"));
}

#[test]
fn a_clock_set_back_does_not_lengthen_the_window_or_the_excuse() {
    let mut world = World::holding(only("a")).after(500);
    assert!(world.ask(Need::Kid("b"), Ok(status(500))).is_some());
    world.now -= 400;
    assert!(world.is_overdue() && world.engine.is_due(world.now));
    assert_eq!(world.generation(), None);
    assert_eq!(world.ask(Need::Stale, Ok(only("a"))), None);
    // Noticed, it is excused by nothing once the pause after the failure is over.
    world.now += 34;
    assert_eq!(world.ask(Need::Stale, Ok(only("a"))), Some(Ok(())));
    assert_eq!(world.generation(), Some(1));
}

#[test]
fn a_clock_set_back_does_not_lengthen_the_cooldown() {
    let mut world = World::holding(only("a")).after(60);
    assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_some());
    world.now -= 1_000_000;
    assert!(world.ask(Need::Kid("c"), Ok(only("a"))).is_none());
    world.now += 34;
    assert!(world.ask(Need::Kid("c"), Ok(only("a"))).is_some());
    // Neither does it make the memory of unknown names last longer.
    world.now += 40;
    assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_some());
}

#[test]
fn a_clock_set_forward_makes_the_set_overdue_or_expired() {
    let world = World::holding(only("a")).after(7200);
    assert!(world.is_overdue() && world.knows("a"));
    let world = World::holding(only("a")).after(1 << 40);
    assert!(!world.knows("a"));
    assert!(world.ask(Need::Keys, Ok(only("a"))).is_some());
    assert!(world.knows("a") && !world.is_overdue());
}

#[test]
fn there_and_back_again_costs_one_fetch_and_revives_nothing() {
    let mut world = World::holding(only("a"));
    world.now = u64::MAX;
    assert!(!world.knows("a"));
    assert!(world.ask(Need::Keys, Ok(status(500))).is_some());
    world.now = NOW + 10;
    assert!(!world.knows("a"));
    assert_eq!(world.ask(Need::Keys, Ok(only("b"))), Some(Ok(())));
    assert!(world.knows("b"));
}

#[test]
fn the_time_may_be_anything() {
    let instants = [0, 1, NOW, u64::MAX, NOW + 60, u64::MAX - 1, 5, NOW, 0, u64::MAX / 2];
    let mut world = World::new();
    for (n, now) in instants.into_iter().cycle().take(200).enumerate() {
        world.now = now;
        let reply = if n % 3 == 0 { Ok(status(500)) } else { Ok(set(&[jwk("a", 1)])) };
        let need = [Need::Keys, Need::Stale, Need::Kid("b"), Need::Replacement("a")][n % 4];
        world.ask(need, reply);
        _ = (world.knows("a"), world.generation(), world.is_overdue(), world.state());
    }
}

#[test]
fn threads_that_read_the_clock_out_of_order_move_nothing() {
    let world = World::holding(only("a")).after(60);
    assert!(world.ask(Need::Kid("b"), Ok(only("a"))).is_some());
    let until = world.engine.status(world.now).cooldown_until;
    for n in 0..100 {
        _ = world.engine.begin(Need::Kid("c"), world.now + n % 3);
    }
    assert_eq!(world.engine.status(world.now).cooldown_until, until);
    assert!(!world.is_overdue());
}

#[test]
fn an_attempt_under_way_survives_a_clock_set_back() {
    let mut world = World::holding(only("a")).after(60);
    let Decision::Fetch(attempt) = world.engine.begin(Need::Kid("b"), world.now) else {
        panic!();
    };
    world.now -= 5000;
    assert!(matches!(world.engine.begin(Need::Kid("c"), world.now), Decision::Wait(_)));
    assert_eq!(world.settle(Decision::Fetch(attempt), vec![Ok(only("b"))]), Some(Ok(())));
    let report = world.engine.status(world.now);
    assert_eq!((report.fetched_at, world.is_overdue()), (Some(world.now), false));
}

/// Lets clocks that differ by `apart` ask in turn, 500 times within a second, and counts.
fn attempts(apart: u64, ask: impl Fn(&World) -> Decision) -> u64 {
    let mut world = World::holding(only("a"));
    for at in 0..1000 {
        world.now = if at % 2 == 0 { NOW - apart } else { NOW };
        _ = (world.knows("a"), world.is_overdue(), world.generation());
        let decision = ask(&world);
        world.settle(decision, vec![Ok(only("a"))]);
    }
    world.engine.status(NOW).fetches - 1
}

#[test]
fn a_clock_that_jumps_to_and_fro_multiplies_no_attempts() {
    for apart in [11, 29, 40, 700, 86_400, NOW] {
        for made in [
            attempts(apart, |world| world.engine.begin_ahead(world.now)),
            attempts(apart, |world| world.engine.begin(Need::Kid("b"), world.now)),
            attempts(apart, |world| world.engine.begin(Need::Replacement("a"), world.now)),
            attempts(apart, |world| world.engine.begin(Need::Stale, world.now)),
            attempts(apart, |world| world.engine.begin(Need::Keys, world.now)),
            attempts(apart, |world| world.engine.begin_reload(world.now)),
        ] {
            assert!(made <= 2, "{apart}: {made}");
        }
    }
}

#[test]
fn each_of_a_few_clocks_causes_one_attempt_per_cooldown_of_its_own() {
    let mut world = World::holding(only("a"));
    for second in 0..100 {
        for back in [0, 1000, 2000, 3000] {
            world.now = NOW + second - back;
            let decision = world.engine.begin_ahead(world.now);
            world.settle(decision, vec![Ok(only("a"))]);
        }
    }
    // A hundred seconds hold at most four pauses of 27.
    let made = world.engine.status(world.now).fetches;
    assert!(made <= 4 * 4 + 1, "{made}");
}

#[test]
fn a_fetch_ahead_keeps_to_the_cooldown_when_the_clock_was_set_back() {
    let mut world = World::holding(only("a"));
    world.now -= 3600;
    assert!(!matches!(world.engine.begin_ahead(world.now), Decision::Fetch(_)));
    world.now += 34;
    assert!(matches!(world.engine.begin_ahead(world.now), Decision::Fetch(_)));
}

#[test]
fn without_keys_a_clock_set_back_costs_no_cooldown() {
    let mut world = World::new();
    assert!(world.ask(Need::Keys, Ok(status(500))).is_some());
    world.now -= 15;
    assert!(world.ask(Need::Keys, Ok(only("a"))).is_none());
    world.now += 3;
    assert_eq!(world.ask(Need::Keys, Ok(only("a"))), Some(Ok(())));
}
