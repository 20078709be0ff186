//! Times rivals in turns, so that a busy neighbour hits all of them alike.

use rustix::time::{ClockId, clock_gettime};

/// Rivals and what each does.
#[derive(Default)]
pub(crate) struct Race<'a> {
    names: Vec<&'static str>,
    /// Does the work so many times.
    works: Vec<Box<dyn FnMut(u32) + 'a>>,
}

/// Nanoseconds per call.
pub(crate) struct Times {
    pub(crate) name: &'static str,
    pub(crate) median: f64,
    /// A tenth of the rounds was faster. It tells more than the median on a busy machine.
    pub(crate) p10: f64,
}

impl<'a> Race<'a> {
    pub(crate) fn add(&mut self, name: &'static str, mut work: impl FnMut() + 'a) {
        self.names.push(name);
        self.works.push(Box::new(move |calls| (0..calls).for_each(|_| work())));
    }

    /// Times them, in the order in which they were added.
    pub(crate) fn run(mut self) -> Vec<Times> {
        let calls: Vec<u32> = self.works.iter_mut().map(|work| calls(work)).collect();
        let mut rounds = vec![Vec::with_capacity(ROUNDS); self.works.len()];
        for _ in 0..ROUNDS {
            for ((work, &calls), rounds) in self.works.iter_mut().zip(&calls).zip(&mut rounds) {
                rounds.push(time(work, calls) / f64::from(calls));
            }
        }
        let times = |(name, mut rounds): (&'static str, Vec<f64>)| {
            rounds.sort_by(f64::total_cmp);
            Times { name, median: rounds[ROUNDS / 2], p10: rounds[ROUNDS / 10] }
        };
        self.names.into_iter().zip(rounds).map(times).collect()
    }
}

/// Finds out how many calls fill a turn, and warms up.
fn calls(work: &mut dyn FnMut(u32)) -> u32 {
    let mut calls = 1;
    while time(work, calls) < TURN / 2.0 {
        calls *= 2;
    }
    calls
}

fn time(work: &mut dyn FnMut(u32), calls: u32) -> f64 {
    let started = processor_time();
    work(calls);
    processor_time() - started
}

/// Gives nanoseconds of this thread on a processor: those of a neighbour do not count.
pub(crate) fn processor_time() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

const ROUNDS: usize = 61;
/// Nanoseconds.
const TURN: f64 = 3e6;
