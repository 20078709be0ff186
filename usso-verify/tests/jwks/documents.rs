//! What a new set must be like to replace the old one.

use serde_json::{Value, json};
use usso_verify::json::Error;
use usso_verify::jwks::{Failure, JwksEvent, SkipReason};
use usso_verify::{FetchError, KeyError, Need, Response};

use crate::support::{NOW, World, jwk, only, set, status, with};

/// Holds a set, is sent another answer a minute later, and keeps the set.
fn refused(answer: Response) -> Failure {
    let world = World::holding(only("a")).after(60);
    let failure = world.ask(Need::Kid("b"), Ok(answer)).unwrap().unwrap_err();
    assert!(world.knows("a") && !world.knows("b"));
    assert_eq!(world.generation(), Some(1));
    let status = world.engine.status(world.now);
    assert_eq!((status.last_failure, status.failures), (Some((failure, NOW + 60)), 1));
    failure
}

fn body(text: &str) -> Response {
    Response::new(200, text.as_bytes().to_vec())
}

#[test]
fn an_empty_set_keeps_the_old_one() {
    assert_eq!(refused(set(&[])), Failure::NoUsableKey);
}

#[test]
fn a_set_without_a_usable_key_keeps_the_old_one() {
    assert_eq!(refused(set(&[json!({"kty": "oct", "k": "AA"})])), Failure::NoUsableKey);
    assert_eq!(refused(set(&[jwk("b", 2), jwk("b", 3)])), Failure::NoUsableKey);
}

#[test]
fn a_set_without_a_usable_key_ends_the_old_one_when_it_could_no_longer_be_fresh() {
    for empty in [set(&[]), set(&[json!({"kty": "oct", "k": "AA"})])] {
        let mut world = World::holding(only("a")).after(3599);
        assert!(world.ask(Need::Stale, Ok(empty.clone())).is_some());
        assert!(world.knows("a") && world.generation().is_some());
        world.now += 1;
        assert!(!world.knows("a") && world.generation().is_none());
        // An outage excuses nothing any more, and another empty set lengthens nothing.
        for reply in [Ok(status(500)), Ok(empty), Err(FetchError::Failed)] {
            world.now += 400;
            assert!(world.ask(Need::Keys, reply).is_some());
            assert!(!world.knows("a"));
        }
        world.now += 400;
        assert_eq!(world.ask(Need::Keys, Ok(only("a"))), Some(Ok(())));
        assert!(world.after(80_000).knows("a"));
    }
}

#[test]
fn an_empty_set_after_idling_ends_the_old_one_at_once() {
    let world = World::holding(only("a")).after(8 * 3600);
    assert!(world.knows("a"));
    assert!(world.ask(Need::Stale, Ok(set(&[]))).is_some());
    assert!(!world.knows("a") && world.generation().is_none());
}

#[test]
fn a_glitch_of_an_empty_set_is_made_good_by_the_next_answer() {
    let world = World::holding(with(only("a"), "etag", "\"1\"")).after(600);
    assert!(world.ask(Need::Stale, Ok(set(&[]))).is_some());
    assert!(world.knows("a") && !world.is_overdue());
    let world = world.after(34);
    assert_eq!(world.ask(Need::Kid("b"), Ok(status(304))), Some(Ok(())));
    assert!(world.after(86_399).knows("a"));
}

#[test]
fn html_with_200_keeps_the_old_set() {
    assert_eq!(refused(body("<html>maintenance</html>")), Failure::Document(Error::Malformed));
}

#[test]
fn json_of_another_shape_keeps_the_old_set() {
    let mismatch = Failure::Document(Error::Mismatch);
    let key = jwk("b", 2);
    assert_eq!(refused(body(&json!([[key]]).to_string())), mismatch);
    assert_eq!(refused(body(&json!([key]).to_string())), mismatch);
    assert_eq!(refused(body("null")), mismatch);
    assert_eq!(refused(body("{}")), Failure::KeysMissing);
    assert_eq!(refused(body(&json!({"keys": {"b": key}}).to_string())), Failure::KeysMissing);
    let twice = format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#);
    assert_eq!(refused(body(&twice)), Failure::Document(Error::DuplicateMember));
    assert_eq!(refused(body(&"[".repeat(9999))), Failure::Document(Error::TooDeep));
}

#[test]
fn a_set_of_ten_megabytes_keeps_the_old_one() {
    let padding = "a".repeat(10 << 20);
    let huge = json!({"keys": [jwk("b", 2)], "padding": padding}).to_string();
    assert_eq!(refused(body(&huge)), Failure::Fetch(FetchError::TooLarge));
}

#[test]
fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    let base = json!({"keys": [jwk("b", 2)]}).to_string();
    let padded = |length: usize| body(&format!("{base}{}", " ".repeat(length - base.len())));
    assert_eq!(World::new().ask(Need::Keys, Ok(padded(1 << 16))), Some(Ok(())));
    assert_eq!(refused(padded((1 << 16) + 1)), Failure::Fetch(FetchError::TooLarge));
}

#[test]
fn a_hundred_keys_are_read_and_one_more_is_not() {
    let keys: Vec<Value> = (0..101).map(|n| jwk(&n.to_string(), n)).collect();
    let world = World::holding(set(&keys[..100]));
    assert_eq!(world.engine.status(NOW).keys, 100);
    assert_eq!(refused(set(&keys)), Failure::TooManyKeys);
}

#[test]
fn only_status_200_brings_a_set() {
    for code in [201, 203, 204, 206, 301, 302, 307, 304, 400, 401, 404, 429, 500, 503] {
        let mut answer = set(&[jwk("b", 2)]);
        answer.status = code;
        let answer = with(answer, "location", "https://evil.example/jwks");
        assert_eq!(refused(answer), Failure::Status(code));
    }
}

#[test]
fn one_bad_key_of_five_is_skipped_and_told() {
    let bad = json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "q"});
    let world = World::holding(set(&[jwk("a", 1), jwk("b", 2), bad, jwk("c", 3), jwk("d", 4)]));
    for kid in ["a", "b", "c", "d"] {
        assert!(world.knows(kid));
    }
    let skipped = world.engine.status(NOW).skipped;
    let reason = SkipReason::Key(KeyError::KeyType);
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].kid.as_deref(), skipped[0].reason), (Some("q"), reason));
    assert!(world.events().contains(&JwksEvent::KeySkipped(reason)));
}

#[test]
fn entries_that_are_no_keys_are_skipped() {
    let array = json!(["OKP", "Ed25519"]);
    let world = World::holding(set(&[json!(5), Value::Null, array, json!({}), jwk("a", 1)]));
    assert!(world.knows("a"));
    assert_eq!(world.engine.status(NOW).skipped.len(), 4);
}

#[test]
fn two_keys_of_one_name_are_both_skipped() {
    let world = World::holding(set(&[jwk("a", 1), jwk("b", 2), jwk("b", 3)]));
    assert!(world.knows("a") && !world.knows("b"));
    let skipped = world.engine.status(NOW).skipped;
    assert_eq!(skipped.len(), 2);
    assert!(skipped.iter().all(|key| key.reason == SkipReason::DuplicateKid));
}

#[test]
fn the_same_keys_keep_their_generation() {
    let world = World::holding(set(&[jwk("a", 1), jwk("b", 2)])).after(60);
    world.events();
    let reordered = set(&[jwk("b", 2), jwk("a", 1)]);
    assert_eq!(world.ask(Need::Kid("c"), Ok(reordered)), Some(Ok(())));
    assert_eq!(world.generation(), Some(1));
    assert_eq!(world.events(), [JwksEvent::FetchStarted, JwksEvent::FetchSucceeded]);
}

#[test]
fn every_difference_is_another_generation() {
    let mut world = World::holding(set(&[jwk("a", 1), jwk("b", 2)]));
    let mut stricter = jwk("a", 1);
    stricter["alg"] = json!("EdDSA");
    let changes = [
        (vec![jwk("a", 1)], 2),
        (vec![jwk("a", 1), jwk("b", 2)], 3),
        (vec![jwk("a", 1), jwk("b", 3)], 4),
        (vec![jwk("a", 1), jwk("c", 3)], 5),
        // What an Ed25519 key is for goes without saying.
        (vec![stricter, jwk("c", 3)], 5),
    ];
    for (keys, generation) in changes {
        world.now += 60;
        assert_eq!(world.reload(Ok(set(&keys))), Some(Ok(())));
        assert_eq!(world.generation(), Some(generation));
    }
}

#[test]
fn an_etag_is_sent_and_304_makes_the_set_fresh_again() {
    let world = World::holding(with(only("a"), "etag", "\"v1\"")).after(590);
    let request = match world.engine.begin(Need::Kid("b"), world.now) {
        usso_verify::jwks::Decision::Fetch(attempt) => {
            let request = attempt.request().clone();
            _ = world.engine.conclude(attempt, Ok(status(304)), world.now);
            request
        }
        other => panic!("{other:?}"),
    };
    assert!(request.headers.contains(&("if-none-match", "\"v1\"".to_owned())));
    let report = world.engine.status(world.now);
    assert_eq!((report.fetched_at, report.generation), (Some(world.now), Some(1)));
    assert!(world.knows("a") && report.fresh_until == Some(world.now + 600));
    assert!(world.events().contains(&JwksEvent::NotModified));
}

#[test]
fn without_a_set_nothing_is_conditional_and_304_is_a_failure() {
    let world = World::new();
    let request = world.request(Need::Keys);
    assert!(request.headers.iter().all(|(name, _)| *name != "if-none-match"));
    assert_eq!(World::new().ask(Need::Keys, Ok(status(304))), Some(Err(Failure::Status(304))));
}

#[test]
fn an_etag_that_cannot_be_a_header_is_forgotten() {
    for etag in ["\"a\r\nx: y\"", "", "\"", &"e".repeat(257), "\"é\"", "\"a b\""] {
        let world = World::holding(with(only("a"), "etag", etag)).after(60);
        let request = world.request(Need::Kid("b"));
        assert!(request.headers.iter().all(|(name, _)| *name != "if-none-match"), "{etag}");
    }
}

#[test]
fn the_window_is_what_the_issuer_says_within_bounds() {
    for (value, window) in
        [("max-age=604800", 3600), ("max-age=0", 60), ("max-age=900", 900), ("max-age=x", 60)]
    {
        let world = World::holding(with(only("a"), "cache-control", value));
        let report = world.engine.status(NOW);
        assert_eq!(report.fresh_until, Some(NOW + window), "{value}");
        let ahead = report.next_refresh - NOW;
        assert!((window * 3 / 4..=window * 9 / 10).contains(&ahead), "{value}: {ahead}");
    }
    let aged = with(with(only("a"), "cache-control", "max-age=900"), "age", "600");
    assert_eq!(World::holding(aged).engine.status(NOW).fresh_until, Some(NOW + 300));
}
