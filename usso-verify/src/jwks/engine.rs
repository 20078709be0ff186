//! The engine: lock-free answers on top of [`Control`].

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use super::attempt::{Attempt, Decision, Progress};
use super::control::{Cause, Control, SKEW};
use super::location::Location;
use super::policy::Policy;
use super::report::{Failure, JwksEvent, Observer, State, Status};
use super::snapshot::{ImportError, Snapshot, import};
use crate::fetch::{FetchError, Response};
use crate::key_set::KeySet;
use crate::setup::SetupError;
use crate::source::Need;

/// Decides when to ask an issuer for its keys and what to believe. Performs no I/O, has no clock
/// and no tasks.
///
/// 1. [`keys`](Self::keys) and [`generation`](Self::generation) answer at any time.
/// 2. [`begin`](Self::begin) (or [`begin_ahead`](Self::begin_ahead) when [`is_due`](Self::is_due))
///    says whether to send a request.
/// 3. [`conclude`](Self::conclude) takes what came of it, and may ask for one more request.
///
/// `now` is the present, in seconds since the epoch. If it is set back, nothing lasts longer for
/// it, and a clock that jumps to and fro causes no more attempts than one that does not.
pub struct Engine {
    location: Location,
    policy: Policy,
    observer: Option<Observer>,
    control: Mutex<Control>,
    /// What `control` holds.
    snapshot: ArcSwapOption<Snapshot>,
    gate: Gate,
    stale_served: AtomicU64,
    stale_told: AtomicBool,
}

/// What `control` amounts to, for the hot path.
#[derive(Default)]
struct Gate {
    calm_until: AtomicU64,
    due_at: AtomicU64,
    generation: AtomicU64,
    /// The latest time seen, less a little.
    good_from: AtomicU64,
    good_until: AtomicU64,
}

impl Engine {
    /// Makes an engine that has no keys yet.
    ///
    /// # Errors
    ///
    /// [`SetupError::IssuerUrl`], [`SetupError::JwksUrl`] or [`SetupError::OutOfRange`].
    pub fn new(location: Location, policy: Policy) -> Result<Self, SetupError> {
        location.check()?;
        policy.check()?;
        Ok(Self {
            location,
            policy,
            observer: None,
            control: Mutex::new(Control::new()),
            snapshot: ArcSwapOption::empty(),
            gate: Gate::default(),
            stale_served: AtomicU64::new(0),
            stale_told: AtomicBool::new(false),
        })
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Gives the keys that are good at `now`. Never waits for a request.
    #[must_use]
    pub fn keys(&self, now: u64) -> Option<Arc<KeySet>> {
        let mut held = self.snapshot.load();
        if self.went_back(now) {
            self.locked(now, |_, _| ());
            held = self.snapshot.load();
        }
        let held = held.as_ref().filter(|held| now < held.trusted_until)?;
        if now >= held.fresh_until {
            self.stale_served.fetch_add(1, Ordering::Relaxed);
            if !self.stale_told.swap(true, Ordering::Relaxed) {
                let age = now.saturating_sub(held.validated_at);
                self.note(&JwksEvent::StaleServed { age });
            }
        }
        Some(Arc::clone(&held.document.keys))
    }

    /// Gives the number of the present set; `None` if there is none, or it is
    /// [overdue](Self::is_overdue). Costs three atomic loads.
    #[must_use]
    pub fn generation(&self, now: u64) -> Option<u64> {
        let from = self.gate.good_from.load(Ordering::Acquire);
        let until = self.gate.good_until.load(Ordering::Acquire);
        // Loaded last: whoever sees the times of a set sees its number.
        let generation = self.gate.generation.load(Ordering::Acquire);
        (from <= now && now < until).then_some(generation)
    }

    /// Says whether the set is past its time and no attempt was made since: fetch before trusting
    /// it.
    #[must_use]
    pub fn is_overdue(&self, now: u64) -> bool {
        self.snapshot.load().as_ref().is_some_and(|held| {
            let calm_until = self.gate.calm_until.load(Ordering::Acquire);
            let past = now >= held.fresh_until.max(calm_until);
            now < held.trusted_until && (past || self.went_back(now))
        })
    }

    /// Says whether [`begin_ahead`](Self::begin_ahead) has something to do. Costs two atomic loads.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.next_due() || self.went_back(now)
    }

    /// Gives when the next attempt should begin although no token asks for it.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        self.gate.due_at.load(Ordering::Acquire)
    }

    /// Says whether the last attempt failed: a key that is not there may exist nevertheless.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.control.lock().unwrap_or_else(PoisonError::into_inner).failures > 0
    }

    /// Decides what to do for a token that wants other keys.
    pub fn begin(&self, need: Need<'_>, now: u64) -> Decision {
        self.decide(Cause::Need(need), now)
    }

    /// Begins the attempt that is due, if one is.
    pub fn begin_ahead(&self, now: u64) -> Decision {
        self.decide(Cause::Ahead, now)
    }

    /// Begins an attempt whatever the cooldown says, but at most one a second.
    pub fn begin_reload(&self, now: u64) -> Decision {
        self.decide(Cause::Reload, now)
    }

    /// Takes in what came of an attempt's request. An answer to an attempt that was given up
    /// meanwhile changes nothing.
    pub fn conclude(
        &self,
        attempt: Attempt,
        result: Result<Response, FetchError>,
        now: u64,
    ) -> Progress {
        let config = (&self.location, &self.policy);
        let verdict = attempt.judge(result, config);
        let progress =
            self.locked(now, |control, now| control.conclude(attempt, verdict, now, config));
        self.stale_told.store(false, Ordering::Relaxed);
        progress
    }

    /// Ends the attempt of this number; it will bring nothing any more.
    pub fn abandon(&self, id: u64, why: Failure, now: u64) {
        self.locked(now, |control, _| control.abandon(id, why, &self.policy));
        self.stale_told.store(false, Ordering::Relaxed);
    }

    /// Writes the set for another process; `None` if there is none.
    #[must_use]
    pub fn export(&self) -> Option<Vec<u8>> {
        self.snapshot.load().as_ref()?.export(self.location.as_str())
    }

    /// Takes in what [`export`](Self::export) wrote, if it is sound by this engine's own policy
    /// and newer than what is there. Its age counts from when it was fetched.
    ///
    /// # Errors
    ///
    /// [`ImportError`], every variant.
    ///
    /// # Security
    ///
    /// The bytes are not signed. Who can write where they are kept can forge tokens: guard that
    /// place like the configuration.
    pub fn import(&self, bytes: &[u8], now: u64) -> Result<(), ImportError> {
        let snapshot = import(bytes, self.location.as_str(), &self.policy, now)?;
        self.locked(now, |control, _| control.adopt(snapshot))
    }

    /// Describes the condition at `now`.
    #[must_use]
    pub fn status(&self, now: u64) -> Status {
        let held = self.snapshot.load_full();
        let held = held.as_deref();
        let state = match held {
            None => State::Empty,
            Some(held) if now >= held.trusted_until => State::Expired,
            Some(_) if self.is_overdue(now) => State::Overdue,
            Some(held) if now < held.fresh_until => State::Fresh,
            Some(_) => State::Stale,
        };
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            cooldown_until: control.cooldown_until,
            failures: control.failures,
            fetched_at: held.map(|held| held.validated_at),
            fetches: control.attempts,
            fresh_until: held.map(|held| held.fresh_until),
            generation: held.map(|held| held.generation),
            keys: held.map_or(0, |held| held.document.keys.len()),
            last_failure: control.last_failure,
            next_refresh: control.due_at(),
            skipped: held.map(|held| held.document.skipped.to_vec()).unwrap_or_default(),
            stale_served: self.stale_served.load(Ordering::Relaxed),
            state,
            trusted_until: held.map(|held| held.trusted_until),
        }
    }

    /// Says whether the clock was set back since the state was last changed.
    fn went_back(&self, now: u64) -> bool {
        now < self.gate.good_from.load(Ordering::Acquire)
    }

    fn decide(&self, cause: Cause<'_>, now: u64) -> Decision {
        self.locked(now, |control, now| control.begin(cause, now, &self.location, &self.policy))
    }

    /// Changes the state, publishes what it amounts to and tells what happened.
    fn locked<T>(&self, now: u64, change: impl FnOnce(&mut Control, u64) -> T) -> T {
        let (outcome, events) = {
            let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
            let now = control.observe(now, &self.policy);
            let outcome = change(&mut control, now);
            self.publish(&control);
            (outcome, mem::take(&mut control.events))
        };
        // Without the lock: the observer may ask for the status.
        for event in &events {
            self.note(event);
        }
        outcome
    }

    fn publish(&self, control: &Control) {
        self.gate.calm_until.store(control.calm_until, Ordering::Release);
        self.gate.due_at.store(control.due_at(), Ordering::Release);
        self.gate.good_from.store(control.seen.saturating_sub(SKEW), Ordering::Release);
        let Some(held) = &control.held else {
            return;
        };
        // The keys before their number, the number before its times.
        if !self.snapshot.load().as_ref().is_some_and(|old| Arc::ptr_eq(old, held)) {
            self.snapshot.store(Some(Arc::clone(held)));
        }
        self.gate.generation.store(held.generation, Ordering::Release);
        let good_until = held.fresh_until.max(control.calm_until).min(held.trusted_until);
        self.gate.good_until.store(good_until, Ordering::Release);
    }

    fn note(&self, event: &JwksEvent) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("location", &self.location)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
