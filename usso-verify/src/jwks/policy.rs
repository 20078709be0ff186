//! How long keys are trusted and how often they are asked for.

use std::time::Duration;

use crate::setup::SetupError;

/// The times and limits of a key source. Fractions of a second are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Policy {
    pub(super) cooldown: Duration,
    pub(super) default_fresh: Duration,
    pub(super) hard_age: Duration,
    pub(super) max_backoff: Duration,
    pub(super) max_fresh: Duration,
    pub(super) min_fresh: Duration,
    pub(super) unknown_kids: usize,
    pub(super) unknown_kid_memory: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            cooldown: Duration::from_secs(30),
            default_fresh: Duration::from_secs(600),
            hard_age: Duration::from_secs(86_400),
            max_backoff: Duration::from_secs(300),
            max_fresh: Duration::from_secs(3600),
            min_fresh: Duration::from_secs(60),
            unknown_kids: 1000,
            unknown_kid_memory: Duration::from_secs(60),
        }
    }
}

impl Policy {
    /// Sets how long after an attempt no token can cause another one. Varied by a tenth. Default
    /// 30 seconds; 1 second to 5 minutes.
    pub const fn cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Sets how long a set is fresh: `default` when the issuer does not say, otherwise what it
    /// says, but at least `min` and at most `max`. Default 1, 10 and 60 minutes; in this order
    /// 10 seconds to 7 days.
    ///
    /// # Security
    ///
    /// A key that the issuer withdraws is accepted until the set is fetched anew: `max` bounds
    /// that, whatever `Cache-Control` says.
    pub const fn fresh(mut self, min: Duration, default: Duration, max: Duration) -> Self {
        (self.min_fresh, self.default_fresh, self.max_fresh) = (min, default, max);
        self
    }

    /// Sets how long a set is trusted while the issuer cannot be asked, counted from its last
    /// good answer. Default 24 hours; 0 (as long as it is fresh and no longer) to 30 days.
    ///
    /// # Security
    ///
    /// An issuer that answers with a set without a usable key can be asked: then the old keys end
    /// when `max` of [`fresh`](Self::fresh) is over, so that withdrawing the last key has effect.
    pub const fn hard_age(mut self, age: Duration) -> Self {
        self.hard_age = age;
        self
    }

    /// Sets the longest pause between attempts that fail; the pause starts at the cooldown and
    /// doubles. Default 5 minutes; the cooldown to 1 hour.
    pub const fn max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff;
        self
    }

    /// Sets how many names of keys that the issuer does not have are remembered, and how long.
    /// Default 1000, 60 seconds; at most 100,000 and 1 hour.
    pub const fn unknown_kids(mut self, count: usize, memory: Duration) -> Self {
        self.unknown_kids = count;
        self.unknown_kid_memory = memory;
        self
    }

    /// Checks every range.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        let seconds = |duration: Duration| duration.as_secs();
        let (min, max) = (seconds(self.min_fresh), seconds(self.max_fresh));
        let cooldown = seconds(self.cooldown);
        let rules = [
            ("cooldown", "1 second to 5 minutes", (1..=300).contains(&cooldown)),
            (
                "fresh",
                "10 seconds <= min <= default <= max <= 7 days",
                (10..=max).contains(&min)
                    && (min..=max).contains(&seconds(self.default_fresh))
                    && max <= 7 * 86_400,
            ),
            ("hard_age", "at most 30 days", seconds(self.hard_age) <= 30 * 86_400),
            (
                "max_backoff",
                "the cooldown to 1 hour",
                (cooldown..=3600).contains(&seconds(self.max_backoff)),
            ),
            (
                "unknown_kids",
                "at most 100,000 and 1 hour",
                self.unknown_kids <= 100_000 && seconds(self.unknown_kid_memory) <= 3600,
            ),
        ];
        match rules.into_iter().find(|(.., holds)| !holds) {
            Some((setting, range, _)) => Err(SetupError::OutOfRange { setting, range }),
            None => Ok(()),
        }
    }
}
