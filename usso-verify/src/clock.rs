//! The clock port: where a verifier takes the time from.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
///
/// A closure that returns seconds since the epoch is a clock, and so is an `Arc` of one.
pub trait Clock: Send + Sync {
    /// Gives the whole seconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;
}

impl<F: Fn() -> u64 + Send + Sync> Clock for F {
    fn now(&self) -> u64 {
        self()
    }
}

impl Clock for Arc<dyn Clock> {
    fn now(&self) -> u64 {
        self.as_ref().now()
    }
}

/// The clock of the operating system, the default of a verifier.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
        let now = SystemTime::now();
        seconds(now)
    }
}

/// A clock set before 1970 reads as the end of time: every token is expired, none is revived.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{Clock, SystemClock, seconds};
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_closure_and_a_shared_clock_tell_their_time() {
        let shared: Arc<dyn Clock> = Arc::new(|| 7);
        assert_eq!((|| 5_u64).now(), 5);
        assert_eq!(Clock::now(&shared), 7);
    }

    #[test]
    fn the_system_clock_is_past_2025_and_not_broken() {
        assert!((1_735_689_600..u64::MAX).contains(&SystemClock.now()));
    }

    #[test]
    fn a_system_clock_before_1970_expires_everything() {
        let second = Duration::from_secs(1);
        assert_eq!(seconds(UNIX_EPOCH - second), u64::MAX);
        assert_eq!(seconds(UNIX_EPOCH), 0);
        assert_eq!(seconds(UNIX_EPOCH + second), 1);
    }
}
