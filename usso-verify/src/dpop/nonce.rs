//! Nonces: what makes a proof that was signed in advance useless.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base64url;

/// Hands out nonces and recognises them.
///
/// Both calls are on the request path: they must be quick and not perform I/O. Several servers
/// behind one address share nonces by sharing what they are made from.
///
/// # Spec
///
/// RFC 9449 §8–9.
pub trait Nonces: Send + Sync {
    /// Gives the nonce for the header `DPoP-Nonce`; `None` if there is none that would still be
    /// accepted for a useful time.
    fn current(&self, now: u64) -> Option<String>;

    /// Says whether this nonce was handed out and is still good.
    fn accepts(&self, nonce: &str, now: u64) -> bool;
}

impl<T: Nonces + ?Sized> Nonces for Arc<T> {
    fn current(&self, now: u64) -> Option<String> {
        self.as_ref().current(now)
    }

    fn accepts(&self, nonce: &str, now: u64) -> bool {
        self.as_ref().accepts(nonce, now)
    }
}

/// Two random nonces in memory, the current one and the one before it.
///
/// All clients get the same nonce: it proves when a proof was made, not by whom. The random bytes
/// are the caller's, from the operating system's generator:
///
/// ```
/// # use std::time::Duration;
/// # use usso_verify::dpop::{Nonces, RotatingNonces};
/// # fn random() -> [u8; 32] { [7; 32] }
/// # let now = 1_750_000_000;
/// let nonces = RotatingNonces::new(Duration::from_secs(300), random(), now);
/// // On each request, or on a timer:
/// if nonces.is_due(now) {
///     nonces.rotate(random(), now);
/// }
/// assert!(nonces.accepts(&nonces.current(now).unwrap(), now));
/// ```
///
/// # Security
///
/// A nonce is current for one period and accepted for two. If the caller stops rotating, nothing
/// is accepted any more: a nonce never becomes permanent.
pub struct RotatingNonces {
    period: u64,
    pair: Mutex<Pair>,
}

struct Pair {
    current: String,
    previous: Option<String>,
    since: u64,
}

impl RotatingNonces {
    /// Starts with one nonce. `period` is in whole seconds, from one second to one day; a shorter
    /// or longer one counts as that.
    #[must_use]
    pub fn new(period: Duration, random: [u8; 32], now: u64) -> Self {
        let pair = Pair { current: base64url::encode(&random), previous: None, since: now };
        Self { period: period.as_secs().clamp(1, MAX_PERIOD), pair: Mutex::new(pair) }
    }

    /// Says whether the current nonce has been so for a whole period.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        self.read(|pair| age(pair, now) >= self.period)
    }

    /// Makes a new nonce the current one, if it is due; so two callers at once rotate once.
    pub fn rotate(&self, random: [u8; 32], now: u64) {
        self.read(|pair| {
            let age = age(pair, now);
            if age < self.period {
                return;
            }
            let replaced = std::mem::replace(&mut pair.current, base64url::encode(&random));
            pair.previous = (age < 2 * self.period).then_some(replaced);
            pair.since = now;
        });
    }

    fn read<T>(&self, with: impl FnOnce(&mut Pair) -> T) -> T {
        with(&mut self.pair.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Nonces for RotatingNonces {
    fn current(&self, now: u64) -> Option<String> {
        self.read(|pair| (age(pair, now) < 2 * self.period).then(|| pair.current.clone()))
    }

    fn accepts(&self, nonce: &str, now: u64) -> bool {
        self.read(|pair| {
            let age = age(pair, now);
            let current = age < 2 * self.period && nonce == pair.current;
            current || (age < self.period && pair.previous.as_deref() == Some(nonce))
        })
    }
}

fn age(pair: &Pair, now: u64) -> u64 {
    now.saturating_sub(pair.since)
}

/// In seconds. A nonce that lives for days no longer says when a proof was made.
const MAX_PERIOD: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::{Nonces, RotatingNonces};
    use std::time::Duration;

    const START: u64 = 1_000;

    fn nonces() -> RotatingNonces {
        RotatingNonces::new(Duration::from_secs(10), [9; 32], START)
    }

    #[test]
    fn a_nonce_is_accepted_for_two_periods_whether_rotated_or_not() {
        for rotated in [false, true] {
            let nonces = nonces();
            let first = nonces.current(START).unwrap();
            if rotated {
                nonces.rotate([2; 32], START + 10);
            }
            assert!(nonces.accepts(&first, START + 19), "{rotated}");
            assert!(!nonces.accepts(&first, START + 20), "{rotated}");
        }
    }

    #[test]
    fn a_rotation_that_is_not_due_changes_nothing() {
        let nonces = nonces();
        let first = nonces.current(START);
        nonces.rotate([2; 32], START + 9);
        assert_eq!((nonces.is_due(START + 9), nonces.current(START)), (false, first.clone()));
        assert!(nonces.is_due(START + 10));
        nonces.rotate([2; 32], START + 10);
        nonces.rotate([3; 32], START + 10);
        assert!(nonces.accepts(&first.unwrap(), START + 10));
    }

    #[test]
    fn a_late_rotation_does_not_revive_the_old_nonce() {
        let nonces = nonces();
        let first = nonces.current(START).unwrap();
        nonces.rotate([2; 32], START + 20);
        assert!(!nonces.accepts(&first, START + 20));
        assert!(nonces.accepts(&nonces.current(START + 20).unwrap(), START + 20));
    }

    #[test]
    fn without_rotation_no_nonce_is_handed_out_that_would_be_refused() {
        let nonces = nonces();
        assert!(nonces.current(START + 19).is_some());
        assert_eq!(nonces.current(START + 20), None);
    }

    #[test]
    fn a_period_is_at_least_a_second_and_at_most_a_day() {
        for (period, life) in [(Duration::ZERO, 2), (Duration::MAX, 2 * 86_400)] {
            let nonces = RotatingNonces::new(period, [9; 32], START);
            let first = nonces.current(START + life - 1).unwrap();
            assert!(!nonces.accepts(&first, START + life), "{period:?}");
        }
    }

    #[test]
    fn other_texts_are_not_nonces() {
        let nonces = nonces();
        let first = nonces.current(START).unwrap();
        for text in ["", "x", &first[1..], &format!("{first}A"), &first.to_uppercase()] {
            assert!(!nonces.accepts(text, START), "{text}");
        }
    }
}
