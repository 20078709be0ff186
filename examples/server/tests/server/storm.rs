//! Many sign-ins at once, with hashes that cost what they cost in earnest.
#![cfg(target_os = "linux")]

use std::{
    sync::{Arc, Barrier},
    thread,
};

use crate::process::Place;

const AT_ONCE: usize = 200;
/// Two hashes of 19 MiB.
const BUDGET_MIB: u64 = 38;
/// What 200 connections and the rest may take beside the hashes.
const SLACK_MIB: u64 = 32;

#[test]
fn a_storm_of_sign_ins_stays_within_the_memory_of_the_hashing_budget() {
    let mut place = Place::new();
    for name in ["USSO_HASHING_MEMORY_KIB", "USSO_HASHING_ITERATIONS", "USSO_HASHING_WAITING"] {
        place.unset(name);
    }
    place.set("USSO_HASHING_CONCURRENT", "2");
    let server = Arc::new(place.start());
    let before = server.peak_memory();
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let storm: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let (server, barrier) = (Arc::clone(&server), Arc::clone(&barrier));
            thread::spawn(move || {
                let mut client = server.client();
                barrier.wait();
                let answer =
                    client.sign_in(&format!("nobody{number}@example.com"), "not the password");
                (answer.status, answer.error_code().to_owned(), client.retry_after)
            })
        })
        .collect();
    let answers: Vec<_> = storm.into_iter().map(|client| client.join().unwrap()).collect();
    let (refused, hashed): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.0 == 429);
    assert!(
        !refused.is_empty() && !hashed.is_empty(),
        "{} refused, {} hashed",
        refused.len(),
        hashed.len()
    );
    assert!(
        refused.iter().all(|answer| answer.1 == "password.busy" && answer.2 == Some(1)),
        "{refused:?}"
    );
    assert!(hashed.iter().all(|answer| answer.0 == 401), "{hashed:?}");
    let grown = server.peak_memory() - before;
    assert!(grown <= BUDGET_MIB + SLACK_MIB, "{grown} MiB more than before the storm");
    assert_eq!(server.client().get("/ready", "").status, 200);
}
