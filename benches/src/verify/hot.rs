//! Tokens that were seen before.

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use usso_verify::{Algorithm, TokenCache};

use super::{
    ALGORITHMS, budget,
    peers::{self, Check, Rival, USSO},
    table,
    tokens::Tokens,
};

/// How many tokens live at once.
const LIVE: usize = 10_000;

/// Prints the tables.
pub(super) fn run() {
    let minted = ALGORITHMS.map(|algorithm| Tokens::mint(algorithm, LIVE));
    for tokens in &minted {
        let name = tokens.algorithm.as_str();
        let title = format!("hot {name}, one token");
        let rivals = |tokens: &Tokens| [caches(tokens), peers::libraries(tokens)].concat();
        let one = tokens.first();
        table(&title, &one, rivals(&one), |times, _| budget("80 ns", times.p10 <= 80.0));
        let title = format!("hot {name}, 10,000 live tokens at random");
        table(&title, tokens, caches(tokens), |times, _| budget("1 us", times.p10 <= 1000.0));
        let ours = tokens.verifier(TokenCache::new());
        assert!(tokens.all.iter().all(|token| ours.verify_local(token).is_ok()));
        println!("  of which usso-verify by default holds {}", ours.cached_tokens());
    }
    threads(&minted[0]);
}

/// Gives what remembers tokens. The libraries alone do not: hot is cold for them.
///
/// The verifier as it is by default has room for about [`LIVE`] tokens, so some are verified again;
/// the others have room for twice as many.
fn caches(tokens: &Tokens) -> Vec<Rival> {
    let default = TokenCache::new();
    let (_, roomy) = peers::usso(tokens, default.entries(2 * LIVE).bytes(64 << 20));
    let ours = vec![peers::usso(tokens, default), ("usso-verify, room for 20,000", roomy)];
    [ours, peers::recipes(tokens, 2 * LIVE)].concat()
}

/// Prints how much more two threads do than one.
fn threads(tokens: &Tokens) {
    let checks = caches(tokens);
    for (_, check) in &checks {
        assert!(tokens.all.iter().all(|token| check(token)));
    }
    let one = tokens.first();
    for (what, tokens) in [("one shared token", &one), ("10,000 tokens", tokens)] {
        let mut best = vec![[0.0_f64; 2]; checks.len()];
        for round in 0..ROUNDS {
            for ((_, check), best) in checks.iter().zip(&mut best) {
                for (threads, best) in [1, 2].into_iter().zip(best) {
                    *best = best.max(rate(check, tokens, threads, round));
                }
            }
        }
        let title = format!("hot EdDSA, {what}, verifications/s");
        println!("\n{title:<44} {:>10} {:>10} {:>10}   budget", "1 thread", "2 threads", "2 / 1");
        for ((name, _), [alone, both]) in checks.iter().zip(best) {
            let ratio = both / alone;
            let judged = *name == USSO && what == "one shared token";
            let judged = if judged { budget("1.6", ratio >= 1.6) } else { String::new() };
            let [alone, both] = [alone, both].map(|rate| rate / 1e6);
            println!("  {name:<42} {alone:>8.2} M {both:>8.2} M {ratio:>10.2}   {judged}");
        }
    }
}

/// Gives verifications per second of the clock on the wall, of all threads together.
fn rate(check: &Check, tokens: &Tokens, threads: usize, round: usize) -> f64 {
    let start = Barrier::new(threads);
    let one = |thread| {
        let mut next = tokens.shuffled(2 * round + thread);
        start.wait();
        let started = Instant::now();
        let mut done = 0_u32;
        while started.elapsed() < TURN {
            for _ in 0..BATCH {
                assert!(check(black_box(next())));
            }
            done += BATCH;
        }
        f64::from(done) / started.elapsed().as_secs_f64()
    };
    let one = &one;
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|at| scope.spawn(move || one(at))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// Prints what remembering takes.
pub(super) fn memory() {
    let tokens = Tokens::mint(Algorithm::EdDsa, LIVE);
    let bytes = tokens.all[0].len();
    println!("memory of {LIVE} remembered tokens of {bytes} characters, from RssAnon");
    // All are kept to the end, so that none gets what another gave back.
    let rivals = caches(&tokens);
    // What the first verification takes for good is not the cache's.
    assert!(rivals.iter().all(|(_, check)| check(&tokens.all[0])));
    for (name, check) in &rivals {
        let before = resident();
        assert!(tokens.all.iter().all(|token| check(token)));
        let taken = resident() - before;
        let judged =
            if *name == USSO { budget("32 MiB", taken <= 32 << 20) } else { String::new() };
        let (each, all) = (taken / LIVE, taken as f64 / f64::from(1 << 20));
        println!("  {name:<42} {each:>7} each {all:>7.1} MiB   {judged}");
    }
}

/// Gives the bytes of heap and stacks that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kib: usize = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    kib << 10
}

/// Short, so that some turns are undisturbed, and many.
const TURN: Duration = Duration::from_millis(6);
const ROUNDS: usize = 81;
const BATCH: u32 = 256;
