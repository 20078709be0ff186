//! What is known about credentials, and when an issuer may be asked about one.
//!
//! 1. `start`: a known verdict, or a ticket to ask; a refusal when too many ask or the issuer rests.
//! 2. The caller asks.
//! 3. `finish`: the ticket is given back with the result, which is remembered.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::breaker::{Breaker, Policy};
use super::credential::{Credential, Fingerprint};
use super::error::{ConfigError, Error, Reason, Sign};
use super::weight::{Weigh, Weighed};
use crate::claims::UserData;

/// How much is remembered, for how long, and how hard an issuer may be pressed. Fractions of a
/// second are dropped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How long an accepted credential is not asked about again, at most until its `exp`: a
    /// revocation is noticed this late. Default 60 seconds, at most 300; 0 remembers none.
    pub positive_life: Duration,
    /// About how many accepted credentials are remembered. Default 10,000, 1 to 1,000,000.
    pub positive_entries: usize,
    /// About how many bytes they may take together. One that takes more than a 64th of it is
    /// accepted and not remembered. Default 32 MiB, 1 MiB to 4 GiB.
    pub positive_bytes: u64,
    /// How long a refused credential is not asked about again. Default 10 seconds, at most 60; 0
    /// remembers none.
    pub negative_life: Duration,
    /// About how many refused credentials are remembered. Default 10,000, 1 to 1,000,000.
    pub negative_entries: usize,
    /// How many requests may be under way at once; more are [`Reason::Overloaded`]. Default 64, 1
    /// to 1024.
    pub concurrency: usize,
    /// After how many outages in a row the issuer is left alone. Default 5, at least 1. An outage
    /// is no answer in time, or the 502, 503 or 504 of a gateway.
    pub failures: u32,
    /// For how long. Default 5 seconds, at most 60; 0 never leaves it alone. Meanwhile one request
    /// a second is let through, for a credential that was accepted before.
    pub rest: Duration,
    /// How long a [`Lookup`](super::Lookup) waits for an answer. Default 5 seconds, 1 to 30.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            positive_life: Duration::from_secs(60),
            positive_entries: 10_000,
            positive_bytes: 32 << 20,
            negative_life: Duration::from_secs(10),
            negative_entries: 10_000,
            concurrency: 64,
            failures: 5,
            rest: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let seconds = |value: Duration, least, most| (least..=most).contains(&value.as_secs());
        let entries = 1..=1_000_000;
        for (name, sound) in [
            ("positive_life", seconds(self.positive_life, 0, 300)),
            ("positive_entries", entries.contains(&self.positive_entries)),
            ("positive_bytes", (1 << 20..=4 << 30).contains(&self.positive_bytes)),
            ("negative_life", seconds(self.negative_life, 0, 60)),
            ("negative_entries", entries.contains(&self.negative_entries)),
            ("concurrency", (1..=1024).contains(&self.concurrency)),
            ("failures", self.failures >= 1),
            ("rest", seconds(self.rest, 0, 60)),
            ("timeout", seconds(self.timeout, 1, 30)),
        ] {
            if !sound {
                return Err(ConfigError::Limit(name));
            }
        }
        Ok(())
    }
}

/// The verdicts on the credentials of one [`Upstream`](super::Upstream), kept for a short while.
///
/// Performs no I/O and takes the time as seconds since the epoch. Give each upstream its own.
///
/// # Security
///
/// Credentials are known by SHA-256 digests. Accepted and refused ones live in separate memories,
/// so that guesses push out guesses only. Verdicts cannot be changed by those who get them.
///
/// Whoever finds credentials that the issuer answers oddly must not switch off everyone's: any
/// answer of the issuer itself, also 429 or 500, proves that it is up. If chosen credentials make
/// it fall silent, those that were accepted before still find out when it speaks again.
pub struct Answers {
    positive: Cache<Fingerprint, Known<Weighed>, Weigh>,
    negative: Cache<Fingerprint, Known<Error>>,
    positive_life: u64,
    /// Of one accepted credential.
    most_bytes: u64,
    negative_life: u64,
    concurrency: usize,
    policy: Policy,
    state: Mutex<State>,
    under_way: Arc<AtomicUsize>,
    counts: Counts,
}

/// What must change together.
#[derive(Default)]
struct State {
    breaker: Breaker,
    /// Grows when something is forgotten: an answer to an older question is not remembered.
    epoch: u64,
}

#[derive(Default)]
struct Counts {
    known: AtomicU64,
    asked: AtomicU64,
    unavailable: AtomicU64,
    overloaded: AtomicU64,
    resting: AtomicU64,
}

/// A verdict and its life, from the first second to just before the last.
#[derive(Clone)]
struct Known<V> {
    verdict: V,
    from: u64,
    until: u64,
}

impl AsRef<Weighed> for Known<Weighed> {
    fn as_ref(&self) -> &Weighed {
        &self.verdict
    }
}

impl<V> Known<V> {
    /// A clock that was set back prolongs nothing.
    fn at(self, now: u64) -> Option<V> {
        (self.from..self.until).contains(&now).then_some(self.verdict)
    }
}

/// What to do about a credential.
#[derive(Debug)]
pub enum Step {
    /// Nothing: it is known to be good.
    Known(Arc<UserData>),
    /// Ask, then [`Answers::finish`].
    Ask(Ticket),
}

/// The right to ask about one credential, once. It counts as under way until it is finished or
/// dropped.
pub struct Ticket {
    fingerprint: Fingerprint,
    epoch: u64,
    _permit: Permit,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// One of the requests under way.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(under_way: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |count: usize| (count < most).then_some(count + 1);
        under_way.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Self(Arc::clone(under_way)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// How [`Answers`] are doing. The counts start at zero and only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Accepted credentials that are remembered, some of them perhaps past their life.
    pub positive: usize,
    /// Refused credentials that are remembered, some of them perhaps past their life.
    pub negative: usize,
    /// Requests under way.
    pub under_way: usize,
    /// Whether the issuer is being left alone.
    pub resting: bool,
    /// How often a verdict was remembered.
    pub known: u64,
    /// How often the issuer was to be asked.
    pub asked: u64,
    /// How often asking gave no verdict.
    pub unavailable: u64,
    /// How often there were too many requests under way to ask.
    pub overloaded: u64,
    /// How often the issuer was left alone.
    pub rested: u64,
}

impl Answers {
    /// Starts with nothing known.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Limit`].
    pub fn new(limits: &Limits) -> Result<Self, ConfigError> {
        limits.check()?;
        let (entries, bytes) = (limits.positive_entries, limits.positive_bytes);
        let least = bytes / u64::try_from(entries).unwrap_or(u64::MAX).max(1);
        Ok(Self {
            positive: Cache::with_weighter(entries, bytes, Weigh { least }),
            most_bytes: bytes / 64,
            negative: Cache::new(limits.negative_entries),
            positive_life: limits.positive_life.as_secs(),
            negative_life: limits.negative_life.as_secs(),
            concurrency: limits.concurrency,
            policy: Policy { failures: limits.failures, rest: limits.rest.as_secs() },
            state: Mutex::default(),
            under_way: Arc::default(),
            counts: Counts::default(),
        })
    }

    /// Gives the verdict on a credential if it is known now.
    #[must_use]
    pub fn recall(
        &self,
        credential: &Credential<'_>,
        now: u64,
    ) -> Option<Result<Arc<UserData>, Error>> {
        let good = self.positive.get(&credential.fingerprint).and_then(|known| known.at(now));
        let verdict = match good {
            Some(good) => Ok(good.claims),
            None => Err(self.negative.get(&credential.fingerprint)?.at(now)?),
        };
        self.counts.known.fetch_add(1, Relaxed);
        Some(verdict)
    }

    /// Begins to judge a credential.
    ///
    /// # Errors
    ///
    /// The refusal that is remembered; [`Error::Unavailable`] with [`Reason::Overloaded`] or
    /// [`Reason::Resting`].
    pub fn start(&self, credential: &Credential<'_>, now: u64) -> Result<Step, Error> {
        if let Some(verdict) = self.recall(credential, now) {
            return verdict.map(Step::Known);
        }
        let Some(permit) = Permit::take(&self.under_way, self.concurrency) else {
            self.counts.overloaded.fetch_add(1, Relaxed);
            return Err(Error::Unavailable(Reason::Overloaded));
        };
        let proven = self.positive.contains_key(&credential.fingerprint);
        let mut state = self.state();
        if !state.breaker.admits(self.policy, now, proven) {
            self.counts.resting.fetch_add(1, Relaxed);
            return Err(Error::Unavailable(Reason::Resting));
        }
        self.counts.asked.fetch_add(1, Relaxed);
        let fingerprint = credential.fingerprint;
        Ok(Step::Ask(Ticket { fingerprint, epoch: state.epoch, _permit: permit }))
    }

    /// Takes the result of asking, remembers it if it is a verdict, and gives it back. `now` is
    /// when it came.
    ///
    /// # Errors
    ///
    /// Those of `answer`.
    pub fn finish(
        &self,
        ticket: Ticket,
        answer: Result<UserData, Error>,
        now: u64,
    ) -> Result<Arc<UserData>, Error> {
        let Ticket { fingerprint, epoch, _permit } = ticket;
        let answer = answer.map(Arc::new);
        // Held while the verdict is written, or `forget` could come between and be undone.
        let mut state = self.state();
        match &answer {
            Err(Error::Unavailable(reason)) => {
                self.counts.unavailable.fetch_add(1, Relaxed);
                match reason.sign() {
                    Sign::Up => state.breaker.succeeded(),
                    Sign::Down => state.breaker.failed(self.policy, now),
                    Sign::None => {}
                }
                return answer;
            }
            Ok(_) | Err(_) => state.breaker.succeeded(),
        }
        if state.epoch == epoch {
            self.remember(fingerprint, &answer, now);
        }
        drop(state);
        answer
    }

    /// Forgets one credential, also if it is being asked about: the next request asks anew.
    pub fn forget(&self, credential: &Credential<'_>) {
        let mut state = self.state();
        state.epoch += 1;
        self.positive.remove(&credential.fingerprint);
        self.negative.remove(&credential.fingerprint);
    }

    /// Forgets the accepted credentials whose claims are so, such as those of one subject or one
    /// key's name. Looks at every one, under a lock: `matches` must not come back here.
    pub fn forget_where(&self, matches: impl Fn(&UserData) -> bool) {
        let mut state = self.state();
        state.epoch += 1;
        self.positive.retain(|_, known| !matches(&known.verdict.claims));
    }

    /// Forgets every credential.
    pub fn clear(&self) {
        let mut state = self.state();
        state.epoch += 1;
        self.positive.clear();
        self.negative.clear();
    }

    /// Tells how it is doing.
    #[must_use]
    pub fn status(&self, now: u64) -> Status {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        Status {
            positive: self.positive.len(),
            negative: self.negative.len(),
            under_way: self.under_way.load(Relaxed),
            resting: self.state().breaker.is_resting(self.policy, now),
            known: count(&self.counts.known),
            asked: count(&self.counts.asked),
            unavailable: count(&self.counts.unavailable),
            overloaded: count(&self.counts.overloaded),
            rested: count(&self.counts.resting),
        }
    }

    fn remember(
        &self,
        fingerprint: Fingerprint,
        verdict: &Result<Arc<UserData>, Error>,
        from: u64,
    ) {
        match verdict {
            Ok(claims) => {
                let until = from.saturating_add(self.positive_life).min(claims.exp);
                self.negative.remove(&fingerprint);
                let verdict = Weighed::new(Arc::clone(claims));
                if from < until && verdict.bytes <= self.most_bytes {
                    self.positive.insert(fingerprint, Known { verdict, from, until });
                } else {
                    self.positive.remove(&fingerprint);
                }
            }
            Err(refusal) => {
                let until = from.saturating_add(self.negative_life);
                self.positive.remove(&fingerprint);
                if from < until {
                    self.negative.insert(fingerprint, Known { verdict: *refusal, from, until });
                }
            }
        }
    }

    /// A panic elsewhere leaves nothing half-done in here.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("positive", &self.positive.len())
            .field("negative", &self.negative.len())
            .finish_non_exhaustive()
    }
}
