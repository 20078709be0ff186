//! The verifier against two independent ones on mutated tokens.
//!
//! Every difference must be explained by one of the [`rules`], and every rule must be needed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod keys;
mod mutate;
mod peers;
mod rules;
mod view;

use std::collections::BTreeMap;
use std::thread;

use crate::mutate::Mutator;
use crate::peers::{Judges, Peer};
use crate::rules::RULES;
use crate::view::View;

const TOKENS: u32 = 20_000;
const MANY_TOKENS: u32 = 1_000_000;

/// How a run went.
#[derive(Default)]
struct Tally {
    accepted: u32,
    compared: BTreeMap<Peer, u32>,
    hits: BTreeMap<&'static str, u32>,
    unexplained: Vec<String>,
}

impl Tally {
    fn and(mut self, other: Self) -> Self {
        self.accepted += other.accepted;
        other
            .compared
            .into_iter()
            .for_each(|(peer, count)| *self.compared.entry(peer).or_default() += count);
        other
            .hits
            .into_iter()
            .for_each(|(rule, count)| *self.hits.entry(rule).or_default() += count);
        self.unexplained.extend(other.unexplained);
        self
    }
}

fn run(seed: u64, tokens: u32) -> Tally {
    let judges = Judges::new();
    let mut mutator = Mutator::new(seed);
    let mut tally = Tally::default();
    for number in 0..tokens {
        let mutant = mutator.next();
        let ours = judges.ours(&mutant);
        tally.accepted += u32::from(ours.is_ok());
        for peer in Peer::ALL {
            // The arithmetic of the slow peer is in plain Rust.
            if peer == Peer::JwtSimple && mutant.slow() && number % 8 != 0 {
                continue;
            }
            *tally.compared.entry(peer).or_default() += 1;
            let theirs = judges.theirs(peer, &mutant);
            if theirs != ours.is_ok() {
                explain(&mut tally, peer, ours, &mutant.token);
            }
        }
    }
    tally
}

/// Finds the first rule for a difference.
fn explain(tally: &mut Tally, peer: Peer, ours: Result<(), &'static str>, token: &str) {
    let view = View::of(token, ours.err());
    match RULES.iter().find(|rule| rule.explains(peer, &view)) {
        Some(rule) => *tally.hits.entry(rule.name).or_default() += 1,
        None => tally.unexplained.push(format!("{peer:?} {ours:?} {view}")),
    }
}

fn judge(tally: &Tally, tokens: u32) {
    let sample = tally.unexplained.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(sample.is_empty(), "{} differences, among them\n{sample}", tally.unexplained.len());
    let stale: Vec<_> =
        RULES.iter().map(|rule| rule.name).filter(|name| !tally.hits.contains_key(name)).collect();
    assert!(stale.is_empty(), "rules that nothing needs: {stale:?}");
    assert!((tokens / 20..tokens / 2).contains(&tally.accepted), "{} accepted", tally.accepted);
    assert!(tally.compared.values().all(|&count| count > tokens / 2), "{:?}", tally.compared);
}

#[test]
fn every_difference_from_the_peers_is_explained() {
    judge(&run(1, TOKENS), TOKENS);
}

#[test]
#[ignore = "takes minutes"]
fn every_difference_from_the_peers_is_explained_in_a_million_tokens() {
    let tally = thread::scope(|scope| {
        let half = scope.spawn(|| run(2, MANY_TOKENS / 2));
        run(3, MANY_TOKENS / 2).and(half.join().unwrap())
    });
    for rule in &RULES {
        println!("{:>8} {}: {}", tally.hits.get(rule.name).unwrap_or(&0), rule.name, rule.reason);
    }
    println!("{} accepted, compared {:?}", tally.accepted, tally.compared);
    judge(&tally, MANY_TOKENS);
}

#[test]
fn a_run_is_the_same_each_time() {
    let (mut one, mut two) = (Mutator::new(7), Mutator::new(7));
    for _ in 0..500 {
        let (one, two) = (one.next(), two.next());
        // An ECDSA signature has a random number in it.
        assert!(one.slow() && two.slow() || one.token == two.token);
    }
}

#[test]
fn the_names_of_the_rules_are_all_different() {
    let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
}
