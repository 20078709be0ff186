//! A circuit breaker: an issuer that is down is left alone for a while.

/// Counts outages in a row, and when to try again.
#[derive(Default)]
pub(super) struct Breaker {
    failures: u32,
    /// In seconds since the epoch.
    rests_until: u64,
    /// When a proven credential was let through last.
    probed: Option<u64>,
}

impl Breaker {
    /// Says whether to ask now. After a rest one request is let through; the others wait for its
    /// result, or for the length of another rest if it has none. During it one a second is, for a
    /// proven credential: nobody can make one up that the issuer stumbles over.
    pub(super) fn admits(&mut self, policy: Policy, now: u64, proven: bool) -> bool {
        if self.failures < policy.failures {
            return true;
        }
        if self.is_resting(policy, now) {
            let admitted = proven && self.probed != Some(now);
            if admitted {
                self.probed = Some(now);
            }
            return admitted;
        }
        self.rests_until = now.saturating_add(policy.rest);
        true
    }

    /// Says whether nothing is asked now. A clock that was set back ends the rest.
    pub(super) const fn is_resting(&self, policy: Policy, now: u64) -> bool {
        let started = self.rests_until.saturating_sub(policy.rest);
        self.failures >= policy.failures && started <= now && now < self.rests_until
    }

    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(super) const fn failed(&mut self, policy: Policy, now: u64) {
        self.failures = self.failures.saturating_add(1);
        self.rests_until = now.saturating_add(policy.rest);
    }
}

/// When to rest and for how many seconds.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    pub(super) failures: u32,
    pub(super) rest: u64,
}
