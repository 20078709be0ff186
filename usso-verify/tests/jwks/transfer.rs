//! Sets that move between processes.

use std::time::Duration;

use serde_json::{Value, json};
use usso_verify::Need;
use usso_verify::jwks::{ImportError, Location, Policy};

use crate::support::{NOW, URL, World, jwk, only, set, status, with};

fn exported() -> Value {
    let world = World::holding(with(set(&[jwk("a", 1), jwk("b", 2)]), "etag", "\"1\""));
    serde_json::from_slice(&world.engine.export().unwrap()).unwrap()
}

fn import_at(parcel: &Value, now: u64) -> (World, Result<(), ImportError>) {
    let mut world = World::new();
    world.now = now;
    let outcome = world.engine.import(parcel.to_string().as_bytes(), now);
    (world, outcome)
}

fn changed(name: &str, value: Value) -> Result<(), ImportError> {
    let mut parcel = exported();
    parcel[name] = value;
    import_at(&parcel, NOW + 60).1
}

#[test]
fn a_set_survives_the_move_with_its_age() {
    let (world, outcome) = import_at(&exported(), NOW + 100);
    assert_eq!(outcome, Ok(()));
    assert!(world.knows("a") && world.knows("b") && world.generation().is_some());
    let report = world.engine.status(world.now);
    assert_eq!((report.fetched_at, report.fresh_until), (Some(NOW), Some(NOW + 600)));
    assert_eq!(report.trusted_until, Some(NOW + 86_400));
    let again: Value = serde_json::from_slice(&world.engine.export().unwrap()).unwrap();
    assert_eq!(again, exported());
}

#[test]
fn an_imported_set_is_revalidated_with_its_etag() {
    let (world, _) = import_at(&exported(), NOW + 100);
    let world = world.after(500);
    assert!(world.is_overdue());
    assert_eq!(world.ask(Need::Stale, Ok(status(304))), Some(Ok(())));
    assert!(world.knows("a") && !world.is_overdue());
}

#[test]
fn nothing_is_exported_before_there_are_keys() {
    assert!(World::new().engine.export().is_none());
}

#[test]
fn a_set_from_the_future_is_refused() {
    assert_eq!(import_at(&exported(), NOW - 1).1, Err(ImportError::FromFuture));
    assert_eq!(changed("fetched_at", json!(u64::MAX)), Err(ImportError::FromFuture));
    assert_eq!(import_at(&exported(), NOW).1, Ok(()));
}

#[test]
fn a_set_over_the_hard_age_is_refused() {
    assert_eq!(import_at(&exported(), NOW + 86_399).1, Ok(()));
    assert_eq!(import_at(&exported(), NOW + 86_400).1, Err(ImportError::TooOld));
    assert_eq!(changed("fetched_at", json!(0)), Err(ImportError::TooOld));
}

#[test]
fn the_importers_policy_counts_not_the_exporters() {
    let parcel = exported().to_string();
    let strict = Policy::default().hard_age(Duration::ZERO);
    let world = World::with(Location::jwks(URL), strict);
    assert_eq!(world.engine.import(parcel.as_bytes(), NOW + 600), Err(ImportError::TooOld));
    let mut parcel = exported();
    parcel["fresh_until"] = json!(u64::MAX);
    let (world, outcome) = import_at(&parcel, NOW);
    assert_eq!((outcome, world.engine.status(NOW).fresh_until), (Ok(()), Some(NOW + 3600)));
    parcel["fresh_until"] = json!(0);
    assert_eq!(import_at(&parcel, NOW).0.engine.status(NOW).fresh_until, Some(NOW + 60));
}

#[test]
fn a_tampered_set_is_refused() {
    let malformed = Err(ImportError::Malformed);
    assert_eq!(changed("version", json!(2)), malformed);
    assert_eq!(changed("source", json!("https://other.example")), Err(ImportError::OtherSource));
    assert_eq!(changed("surplus", json!(1)), malformed);
    assert_eq!(changed("keys", json!({})), malformed);
    assert_eq!(changed("fetched_at", json!(-1)), malformed);
    assert_eq!(changed("fetched_at", json!(1.5)), malformed);
    assert_eq!(changed("keys", json!([])), Err(ImportError::NoUsableKey));
    let secret = json!([{"kty": "oct", "k": "AA", "kid": "a"}]);
    assert_eq!(changed("keys", secret), Err(ImportError::NoUsableKey));
    let many: Vec<Value> = (0..101).map(|n| jwk(&n.to_string(), n)).collect();
    assert_eq!(changed("keys", json!(many)), Err(ImportError::NoUsableKey));
    let text = exported().to_string();
    let import = |text: &str| World::new().engine.import(text.as_bytes(), NOW);
    for text in ["", "null", "[]", &text[1..], &text.replacen('{', r#"{"version":1,"#, 1)] {
        assert_eq!(import(text), malformed, "{text}");
    }
    assert_eq!(import(&format!("{text}{}", " ".repeat(128 << 10))), malformed);
}

#[test]
fn an_older_set_does_not_replace_a_newer_one() {
    let parcel = exported().to_string();
    let world = World::holding(only("c"));
    let import = |world: &World| world.engine.import(parcel.as_bytes(), world.now);
    assert_eq!(import(&world), Err(ImportError::NotNewer));
    assert!(world.knows("c") && !world.knows("a"));
}

#[test]
fn an_imported_etag_cannot_smuggle_a_header() {
    let mut parcel = exported();
    parcel["etag"] = json!("\"1\"\r\nhost: evil.example");
    let (world, outcome) = import_at(&parcel, NOW);
    assert_eq!(outcome, Ok(()));
    let request = world.after(700).request(Need::Stale);
    assert!(request.headers.iter().all(|(name, _)| *name != "if-none-match"));
}
