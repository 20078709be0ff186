//! Every published figure beside its limit or peer, in one run.
//!
//! `cargo xtask bench` runs all; `cargo xtask bench verify`, `login`, `refresh` or `server` runs one.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program that measures and prints, and stops at the first thing that is wrong"
)]

mod http;
mod login;
mod process;
mod refresh;
mod verify;

use std::time::{Duration, Instant};

/// Times `work` in batches and gives the median and the best of them, per call.
fn per_call(mut work: impl FnMut()) -> (Duration, Duration) {
    const BATCHES: usize = 41;
    let started = Instant::now();
    work();
    let once = started.elapsed().max(Duration::from_nanos(20));
    let calls =
        u32::try_from((Duration::from_millis(4).as_nanos() / once.as_nanos()).clamp(1, 100_000))
            .unwrap();
    let mut batches: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let started = Instant::now();
            (0..calls).for_each(|_| work());
            started.elapsed() / calls
        })
        .collect();
    batches.sort();
    (*batches.get(BATCHES / 2).unwrap(), *batches.first().unwrap())
}

/// Prints a line of a table: what, median, best, and the ratio of the best to a limit's best.
fn line(what: &str, (median, best): (Duration, Duration), limit: Duration) {
    let ratio = best.as_secs_f64() / limit.as_secs_f64();
    println!("  {what:<44} {median:>10.2?} {best:>10.2?} {ratio:>8.2} x");
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if runs("verify") {
        verify::run().await;
    }
    if runs("login") {
        login::run().await;
    }
    if runs("refresh") {
        refresh::run().await;
    }
    if runs("server") {
        process::run().await;
    }
}
