//! Attempt limits that parallel requests cannot outrun.
//!
//! An attempt is counted before it is made and given back when it succeeds. The count lives in a
//! fixed window: attempts over the limit do not extend it, so nobody can keep another one out by
//! trying for longer than a window.

use std::{fmt, net::IpAddr, time::Duration};

use moka::sync::Cache;

use super::{refusal::Fault, secret::Digest, time::UnixTime};
use crate::store::{Bump, Scope, Store};

const REACHED_MAX: u64 = 100_000;

/// How many attempts a window allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Attempts per window, at least 1.
    pub attempts: u32,
    /// The length of the window, from the first attempt in it.
    pub window: Duration,
}

impl Limit {
    /// Allows `attempts` in each `window`.
    #[must_use]
    pub const fn new(attempts: u32, window: Duration) -> Self {
        Self { attempts, window }
    }
}

/// Where attempts come from, in the form in which they are counted.
///
/// IPv4-mapped IPv6 addresses count as IPv4. IPv6 addresses count by their /64, since one
/// subscriber commonly holds all of it (CVE-2026-45364: a limit per textual address).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source(String);

impl Source {
    /// Groups an address; unknown addresses count together.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        Self(match address.map(|address| address.to_canonical()) {
            None => "unknown".to_owned(),
            Some(IpAddr::V4(v4)) => v4.to_string(),
            Some(IpAddr::V6(v6)) => {
                let [a, b, c, d, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of a counter: digested, so that no identifier lies in the counter table.
#[must_use]
pub fn key(purpose: &str, parts: &[&str]) -> String {
    let mut text = purpose.to_owned();
    for part in parts {
        text.push('\0');
        text.push_str(part);
    }
    format!("{purpose}:{}", Digest::of(text.as_bytes()))
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// How long until the window is over.
    pub retry_after: Duration,
    /// Whether this attempt is the first one over the limit in its window.
    pub first: bool,
}

/// Which limits are known to be reached, in the memory of this process: asking costs no write.
///
/// It only ever says less than the store. A success removes what it gives back.
pub struct Reached(Cache<(Scope, String), UnixTime>);

impl Reached {
    /// Starts empty; holds at most a hundred thousand limits.
    #[must_use]
    pub fn new() -> Self {
        Self(Cache::new(REACHED_MAX))
    }

    /// How long it is until the limit's window ends, if the limit is known to be reached.
    #[must_use]
    pub fn left(&self, scope: &Scope, key: &str, now: UnixTime) -> Option<Duration> {
        let end = self.0.get(&(*scope, key.to_owned()))?;
        (now < end).then(|| end.since(now))
    }

    fn set(&self, scope: &Scope, key: String, end: UnixTime) {
        self.0.insert((*scope, key), end);
    }

    fn clear(&self, scope: &Scope, key: &str) {
        self.0.invalidate(&(*scope, key.to_owned()));
    }
}

impl Default for Reached {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reached(..)")
    }
}

/// Attempts that were counted and may be given back.
#[derive(Debug)]
#[must_use = "an attempt that succeeded must be given back"]
pub struct Attempt {
    bumps: Vec<Bump>,
}

impl Attempt {
    /// Counts one attempt against each limit, all in one step.
    ///
    /// The inner error says that a limit was reached. Then the attempt must not be made. It stays
    /// counted against the limits that were reached and is given back to the others: who is held up
    /// by one limit cannot use another one up.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed; the attempt must then not be made either.
    pub async fn count(
        store: &Store,
        scope: &Scope,
        reached: &Reached,
        limits: &[(String, Limit)],
        now: UnixTime,
    ) -> Result<Result<Self, Exceeded>, Fault> {
        let known = limits.iter().filter_map(|(key, _)| reached.left(scope, key, now)).max();
        if let Some(retry_after) = known {
            return Ok(Err(Exceeded { retry_after, first: false }));
        }
        let bumps: Vec<Bump> = limits
            .iter()
            .map(|(key, limit)| Bump { key: key.clone(), by: 1, window: limit.window })
            .collect();
        let counts = store.bump(scope, &bumps, now).await?;
        let mut exceeded: Option<Exceeded> = None;
        let mut within = Vec::new();
        for ((count, (_, limit)), bump) in counts.iter().zip(limits).zip(bumps) {
            let attempts = i64::from(limit.attempts);
            if count.value <= attempts {
                within.push(bump);
                continue;
            }
            reached.set(scope, bump.key, count.resets_at);
            let known = exceeded.unwrap_or(Exceeded { retry_after: Duration::ZERO, first: false });
            exceeded = Some(Exceeded {
                retry_after: known.retry_after.max(count.resets_at.since(now)),
                first: known.first || count.value == attempts + 1,
            });
        }
        let counted = Self { bumps: within };
        match exceeded {
            None => Ok(Ok(counted)),
            Some(exceeded) => {
                counted.give_back(store, scope, reached, now).await?;
                Ok(Err(exceeded))
            }
        }
    }

    /// Gives the attempt back, because it succeeded or was never made.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed; the attempt then stays counted.
    pub async fn give_back(
        mut self,
        store: &Store,
        scope: &Scope,
        reached: &Reached,
        now: UnixTime,
    ) -> Result<(), Fault> {
        if self.bumps.is_empty() {
            return Ok(());
        }
        for bump in &mut self.bumps {
            bump.by = -1;
            reached.clear(scope, &bump.key);
        }
        store.bump(scope, &self.bumps, now).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernel::id::TenantId, store::Memory};

    const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);

    fn limits() -> Vec<(String, Limit)> {
        vec![(key("test", &["a"]), Limit::new(2, Duration::from_secs(10)))]
    }

    async fn attempt(store: &Store, at: u64) -> Result<Attempt, Exceeded> {
        Attempt::count(store, &SCOPE, &Reached::new(), &limits(), UnixTime::from_seconds(at))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_attempt_over_the_limit_is_refused_until_the_window_ends() {
        let store = Store::new(Memory::new());
        assert!(attempt(&store, 100).await.is_ok());
        assert!(attempt(&store, 104).await.is_ok());
        let refused = attempt(&store, 105).await.unwrap_err();
        assert_eq!(refused, Exceeded { retry_after: Duration::from_secs(5), first: true });
        assert!(!attempt(&store, 109).await.unwrap_err().first);
        assert!(attempt(&store, 110).await.is_ok(), "attempts over the limit do not extend it");
    }

    #[tokio::test]
    async fn who_is_held_up_by_one_limit_does_not_use_up_another() {
        let store = Store::new(Memory::new());
        let reached = Reached::new();
        let window = Duration::from_secs(10);
        let narrow = |source: &str| (key("pair", &[source]), Limit::new(1, window));
        let wide = || (key("account", &[]), Limit::new(3, window));
        let attempt = async |source: &str| {
            let limits = [narrow(source), wide()];
            Attempt::count(&store, &SCOPE, &reached, &limits, UnixTime::from_seconds(1))
                .await
                .unwrap()
        };
        for _ in 0..10 {
            drop(attempt("attacker").await);
        }
        assert!(attempt("a").await.is_ok() && attempt("b").await.is_ok());
        assert!(attempt("c").await.unwrap_err().first, "three attempts were made");
    }

    #[tokio::test]
    async fn a_limit_known_to_be_reached_costs_no_write_until_its_window_ends() {
        let memory = Memory::new();
        let (store, reached) = (Store::new(memory.clone()), Reached::new());
        let attempt = async |at| {
            let at = UnixTime::from_seconds(at);
            Attempt::count(&store, &SCOPE, &reached, &limits(), at).await.unwrap()
        };
        for _ in 0..3 {
            drop(attempt(100).await);
        }
        memory.inject(None);
        assert_eq!(attempt(105).await.unwrap_err().retry_after, Duration::from_secs(5));
        assert_eq!(memory.calls(), 0);
        assert!(attempt(110).await.is_ok());
    }

    #[tokio::test]
    async fn an_attempt_given_back_does_not_count() {
        let store = Store::new(Memory::new());
        for _ in 0..5 {
            let attempt = attempt(&store, 100).await.unwrap();
            attempt
                .give_back(&store, &SCOPE, &Reached::new(), UnixTime::from_seconds(100))
                .await
                .unwrap();
        }
        assert!(attempt(&store, 100).await.is_ok());
    }

    #[test]
    fn addresses_of_one_subscriber_count_together() {
        let of = |text: &str| Source::of(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:0db8:0001:0002:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn counter_keys_do_not_run_into_each_other() {
        assert_ne!(key("p", &["ab", "c"]), key("p", &["a", "bc"]));
        assert!(!key("p", &["alice@example.com"]).contains("alice"));
    }
}
