//! Verifying a token, beside the raw signature check and what else there is in Rust.
//!
//! | file | what |
//! | --- | --- |
//! | `cold` | one token as the engine mints it, nothing remembered |
//! | `hot` | tokens that were seen before: one, 10,000, on two threads, and what they take |
//! | `scopes` | decisions from scopes that were read once |
//! | `peers` | the rivals, with the same checks around them as the verifier makes |
//! | `tokens` | what is verified |
//! | `race` | how it is timed |

mod cold;
mod hot;
pub(crate) mod peers;
pub(crate) mod race;
mod scopes;
pub(crate) mod tokens;

use std::hint::black_box;

use usso_verify::Algorithm;

use peers::Rival;
use race::{Race, Times};
use tokens::Tokens;

/// Prints the tables.
pub(crate) async fn run() {
    // First, as nothing else has been given back to the allocator yet.
    hot::memory();
    println!("\nnanoseconds (ns) or microseconds (us) of processor time; ratios are of the p10");
    cold::run().await;
    hot::run();
    scopes::run();
}

const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

/// Prints how fast the raw check of a signature and the rivals are, and whether usso-verify is as
/// fast as it should be.
fn table(title: &str, tokens: &Tokens, rivals: Vec<Rival>, judge: impl Fn(&Times, f64) -> String) {
    let mut race = Race::default();
    let raw = peers::raw(tokens);
    let raws = raw.len();
    for (name, check) in &rivals {
        assert!(!check(&tokens.forged()), "{name} takes a forged token");
        // Fills what remembers.
        assert!(tokens.all.iter().all(|token| check(token)), "{name} refuses a token");
    }
    for (name, check) in raw.into_iter().chain(rivals) {
        let mut next = tokens.shuffled(0);
        race.add(name, move || assert!(check(black_box(next()))));
    }
    let times = race.run();
    // A ratio of 1: the fastest raw check.
    let base = times[..raws].iter().map(|times| times.p10).fold(f64::INFINITY, f64::min);
    println!("\n{title:<44} {:>10} {:>10} {:>10}   budget", "median", "p10", "x raw");
    for times in times {
        let judged = if times.name == peers::USSO { judge(&times, base) } else { String::new() };
        let Times { name, median, p10 } = times;
        let places = if p10 < 0.1 * base { 5 } else { 2 };
        let (median, best, ratio) = (time(median), time(p10), p10 / base);
        println!("  {name:<42} {median:>10} {best:>10} {ratio:>10.places$}   {judged}");
    }
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1000.0 {
        return format!("{nanoseconds:.1} ns");
    }
    format!("{:.2} us", nanoseconds / 1000.0)
}

/// Says what the budget is and whether it was met.
pub(crate) fn budget(limit: &str, met: bool) -> String {
    format!("{limit}: {}", if met { "met" } else { "MISSED" })
}
