//! A double for every port: a clock that is set by hand and bytes that come from a seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest;

use super::{
    entropy::Entropy,
    refusal::{Fault, FaultKind},
    time::{Clock, UnixTime},
};

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Clone, Debug)]
pub struct HandClock(Arc<AtomicU64>);

impl HandClock {
    /// Starts at `now`.
    #[must_use]
    pub fn at(now: UnixTime) -> Self {
        Self(Arc::new(AtomicU64::new(now.millis())))
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        let now = self.now().plus(by);
        self.0.store(now.millis(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes that follow from a seed: the same run gives the same ids and secrets.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededEntropy {
    /// Starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        for chunk in bytes.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
            let input = [self.seed.to_be_bytes(), drawn.to_be_bytes()].concat();
            let block = digest::digest(&digest::SHA256, &input);
            let fresh = block.as_ref().get(..chunk.len()).unwrap_or_default();
            chunk.copy_from_slice(fresh);
        }
        Ok(())
    }
}

/// A source that always fails.
#[derive(Clone, Copy, Debug)]
pub struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::new(FaultKind::Entropy, "no randomness in this test"))
    }
}
