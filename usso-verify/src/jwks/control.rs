//! Everything an engine decides, as plain state behind one lock.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use super::attempt::{Answer, Attempt, Decision, Progress, Stage, Verdict};
use super::discovery::Form;
use super::document::Skipped;
use super::location::{Location, Place};
use super::policy::Policy;
use super::report::{Failure, JwksEvent};
use super::snapshot::{ImportError, Snapshot};
use crate::source::Need;

/// Why an attempt is asked for.
#[derive(Clone, Copy)]
pub(super) enum Cause<'k> {
    /// It may be time.
    Ahead,
    /// A verifier wants other keys.
    Need(Need<'k>),
    /// Somebody insists.
    Reload,
}

/// What happened so far and what may happen when. All instants are seconds of a clock that may
/// jump; [`observe`](Self::observe) keeps them sound.
pub(super) struct Control {
    pub(super) held: Option<Arc<Snapshot>>,
    pub(super) events: Vec<JwksEvent>,
    pub(super) attempts: u64,
    pub(super) failures: u32,
    pub(super) last_failure: Option<(Failure, u64)>,
    /// Until when no token causes an attempt.
    pub(super) cooldown_until: u64,
    /// Until when the last failure excuses that stale keys are used.
    pub(super) calm_until: u64,
    /// The latest time seen.
    pub(super) seen: u64,
    in_flight: Option<InFlight>,
    last_attempt: u64,
    /// When the last attempt since the clock was last set back began.
    begun: Option<u64>,
    /// When attempts before that began, by the clock of then; the latest first.
    begun_before: VecDeque<u64>,
    /// Until when the last failure forbids an attempt.
    retry_at: u64,
    refresh_at: u64,
    generation: u64,
    discovered: Option<Discovered>,
    /// Names that the issuer did not have, and until when that is believed.
    unknown: HashMap<String, u64>,
    dice: RandomState,
    rolls: u64,
}

struct InFlight {
    id: u64,
    started: u64,
    /// The unknown name it was begun for. Its answer may have left before another name that joins
    /// was there.
    kid: Option<String>,
}

struct Discovered {
    url: String,
    at: u64,
    /// Failures of the JWKS since.
    failures: u32,
}

impl Control {
    pub(super) fn new() -> Self {
        Self {
            held: None,
            events: Vec::new(),
            attempts: 0,
            failures: 0,
            last_failure: None,
            cooldown_until: 0,
            calm_until: 0,
            seen: 0,
            in_flight: None,
            last_attempt: 0,
            begun: None,
            begun_before: VecDeque::new(),
            retry_at: 0,
            refresh_at: 0,
            generation: 0,
            discovered: None,
            unknown: HashMap::new(),
            dice: RandomState::new(),
            rolls: 0,
        }
    }

    /// Takes notice of the time and gives the time to go by.
    ///
    /// Threads read the clock in no order, so a little earlier is no earlier. A clock that was set
    /// back moves every instant with it: nothing lasts longer than before, and because nobody
    /// knows how long it really was, the keys are overdue.
    pub(super) fn observe(&mut self, now: u64, policy: &Policy) -> u64 {
        let back = self.seen.saturating_sub(now);
        if back > SKEW {
            self.rewind(back);
        }
        self.seen = self.seen.max(now);
        let lost = self
            .in_flight
            .as_ref()
            .is_some_and(|flight| self.seen >= flight.started.saturating_add(MAX_FLIGHT));
        if lost {
            self.fail(Failure::Abandoned, policy);
        }
        self.seen
    }

    fn rewind(&mut self, back: u64) {
        if let Some(begun) = self.begun.take() {
            self.begun_before.push_front(begun);
            self.begun_before.truncate(MAX_CLOCKS);
        }
        let instants =
            [&mut self.cooldown_until, &mut self.last_attempt, &mut self.retry_at, &mut self.seen];
        let flight = self.in_flight.as_mut().map(|flight| &mut flight.started);
        let discovered = self.discovered.as_mut().map(|discovered| &mut discovered.at);
        let failure = self.last_failure.as_mut().map(|(_, at)| at);
        let others = flight.into_iter().chain(discovered).chain(failure);
        for instant in instants.into_iter().chain(others).chain(self.unknown.values_mut()) {
            *instant = instant.saturating_sub(back);
        }
        (self.calm_until, self.refresh_at) = (0, self.cooldown_until);
        if let Some(held) = self.held.take() {
            self.held = Some(Arc::new(Snapshot {
                validated_at: held.validated_at.saturating_sub(back),
                fresh_until: held.fresh_until.saturating_sub(back).min(self.seen),
                trusted_until: held.trusted_until.saturating_sub(back),
                ..Snapshot::clone(&held)
            }));
        }
    }

    /// Decides whether to ask the issuer.
    ///
    /// A refusal says whether the issuer's last answer stands ([`Decision::Refuse`]: any name that
    /// anyone invents is unknown) or there is none ([`Decision::Failed`]: nobody can tell).
    pub(super) fn begin(
        &mut self,
        cause: Cause<'_>,
        now: u64,
        location: &Location,
        policy: &Policy,
    ) -> Decision {
        if let Some(decision) = self.settled(cause, now) {
            return decision;
        }
        let kid = if let Cause::Need(Need::Kid(kid)) = cause { Some(kid) } else { None };
        if let Some(flight) = &self.in_flight {
            return Decision::Wait(flight.id);
        }
        let open_at = match cause {
            Cause::Need(Need::Kid(_) | Need::Replacement(_)) => self.cooldown_until,
            Cause::Need(Need::Keys | Need::Stale) => self.retry_at,
            Cause::Ahead => self.due_at(),
            Cause::Reload => self.last_attempt.saturating_add(1),
        };
        if now < open_at || self.was_begun_about(cause, now, policy) {
            return self.refuse(cause);
        }
        Decision::Fetch(self.start(kid, now, location, policy))
    }

    /// Decides what needs no attempt at all.
    fn settled(&mut self, cause: Cause<'_>, now: u64) -> Option<Decision> {
        let usable = self.held.as_ref().filter(|held| now < held.trusted_until);
        let again = match cause {
            Cause::Need(Need::Keys) => usable.is_some(),
            Cause::Need(Need::Stale) => {
                usable.is_some_and(|held| now < held.fresh_until.max(self.calm_until))
            }
            Cause::Need(Need::Kid(kid)) => {
                let known = usable.is_some_and(|held| held.document.keys.get(kid).is_some());
                let refused =
                    kid.len() > MAX_KID || self.unknown.get(kid).is_some_and(|until| now < *until);
                if refused && !known {
                    return Some(self.refuse(cause));
                }
                known
            }
            _ => false,
        };
        again.then_some(Decision::Again)
    }

    /// Says whether the clock came back to where an attempt was begun already.
    ///
    /// Every set-back moves the cooldown, so the way forth would use it up each time: without this
    /// a clock that jumps to and fro causes an attempt with every jump.
    fn was_begun_about(&self, cause: Cause<'_>, now: u64, policy: &Policy) -> bool {
        let usable = self.held.as_ref().is_some_and(|held| now < held.trusted_until);
        let cooldown = policy.cooldown.as_secs();
        let apart = match cause {
            Cause::Reload => 1,
            _ if usable => cooldown - cooldown / 10,
            // Without keys every token is refused.
            _ => 1,
        };
        self.begun_before.iter().any(|begun| begun.abs_diff(now) < apart)
    }

    fn refuse(&mut self, cause: Cause<'_>) -> Decision {
        if matches!(cause, Cause::Need(Need::Kid(_))) {
            self.events.push(JwksEvent::UnknownKidSuppressed);
        }
        if self.failures > 0 { Decision::Failed } else { Decision::Refuse }
    }

    fn start(
        &mut self,
        kid: Option<&str>,
        now: u64,
        location: &Location,
        policy: &Policy,
    ) -> Attempt {
        self.attempts = self.attempts.saturating_add(1);
        (self.last_attempt, self.begun) = (now, Some(now));
        self.cooldown_until = now.saturating_add(self.varied(policy.cooldown.as_secs()));
        let kid = kid.map(str::to_owned);
        self.in_flight = Some(InFlight { id: self.attempts, started: now, kid });
        self.events.push(JwksEvent::FetchStarted);
        let stage = match (&location.place, &self.discovered) {
            (Place::Jwks(url), _) => Stage::Keys(url.clone()),
            (Place::Issuer(_), Some(known)) if !known.is_old(now) => Stage::Keys(known.url.clone()),
            (Place::Issuer(_), _) => Stage::Metadata(Form::OpenId),
        };
        self.attempt(stage, now, location)
    }

    fn attempt(&self, stage: Stage, started: u64, location: &Location) -> Attempt {
        let etag = match (&stage, &self.held) {
            (Stage::Keys(url), Some(held)) if held.url == *url => held.etag.as_deref(),
            _ => None,
        };
        Attempt::new(self.attempts, started, stage, (etag, location))
    }

    /// Takes an answer in, or asks for the next step of the same attempt.
    pub(super) fn conclude(
        &mut self,
        attempt: Attempt,
        verdict: Verdict,
        now: u64,
        (location, policy): (&Location, &Policy),
    ) -> Progress {
        let Some(flight) = self.in_flight.as_ref().filter(|flight| flight.id == attempt.id())
        else {
            return Progress::Done(Err(Failure::Abandoned));
        };
        let started = flight.started.min(now);
        let next = match (attempt.stage, verdict) {
            (_, Ok(Answer::Metadata(url))) => {
                self.discovered = Some(Discovered { url: url.clone(), at: started, failures: 0 });
                Stage::Keys(url)
            }
            (_, Ok(answer)) => return self.succeed(answer, started, policy),
            (Stage::Metadata(Form::OpenId), Err(Failure::Status(400..=499))) => {
                Stage::Metadata(Form::OAuth)
            }
            (Stage::Metadata(_), Err(Failure::Fetch(_) | Failure::Status(_)))
                if let Some(known) = &self.discovered =>
            {
                Stage::Keys(known.url.clone())
            }
            (stage, Err(failure)) => {
                if let (Stage::Keys(_), Some(known)) = (&stage, &mut self.discovered) {
                    known.failures = known.failures.saturating_add(1);
                }
                if failure == Failure::NoUsableKey {
                    self.end_early(policy);
                }
                self.fail(failure, policy);
                return Progress::Done(Err(failure));
            }
        };
        Progress::Send(self.attempt(next, started, location))
    }

    /// Ends the trust in the keys at hand when they could no longer be fresh: the issuer can be
    /// asked, and has no usable key any more.
    fn end_early(&mut self, policy: &Policy) {
        if let Some(held) = self.held.take() {
            let latest = held.validated_at.saturating_add(policy.max_fresh.as_secs());
            let trusted_until = held.trusted_until.min(latest);
            self.held = Some(Arc::new(Snapshot { trusted_until, ..Snapshot::clone(&held) }));
        }
    }

    fn succeed(&mut self, answer: Answer, started: u64, policy: &Policy) -> Progress {
        let (snapshot, window) = match (answer, &self.held) {
            (Answer::Keys(snapshot, window), _) => (*snapshot, window),
            (Answer::NotModified(window), Some(held)) => {
                self.events.push(JwksEvent::NotModified);
                (Snapshot::clone(held), window)
            }
            _ => {
                self.fail(Failure::Status(304), policy);
                return Progress::Done(Err(Failure::Status(304)));
            }
        };
        (self.failures, self.retry_at, self.calm_until) = (0, 0, 0);
        self.events.push(JwksEvent::FetchSucceeded);
        let kid = self.in_flight.take().and_then(|flight| flight.kid);
        self.hold(snapshot.validated(started, window, policy));
        self.remember(kid, policy);
        Progress::Done(Ok(()))
    }

    /// Remembers a name that the set just fetched does not have.
    fn remember(&mut self, kid: Option<String>, policy: &Policy) {
        let (seen, until) =
            (self.seen, self.seen.saturating_add(policy.unknown_kid_memory.as_secs()));
        self.unknown.retain(|_, until| seen < *until);
        let known = |kid: &String| {
            self.held.as_ref().is_some_and(|held| held.document.keys.get(kid).is_some())
        };
        if let Some(kid) = kid.filter(|kid| !known(kid))
            && self.unknown.len() < policy.unknown_kids
        {
            self.unknown.insert(kid, until);
        }
    }

    /// Replaces the set. The same keys keep their number.
    fn hold(&mut self, mut snapshot: Snapshot) {
        let old = self.held.take();
        let old = old.as_ref().map(|held| &held.document);
        let changed = old.is_none_or(|old| !old.has_keys_of(&snapshot.document));
        if changed {
            self.generation = self.generation.saturating_add(1);
            self.unknown.clear();
            let keys = snapshot.document.keys.len();
            self.events.push(JwksEvent::SetChanged { generation: self.generation, keys });
        }
        if changed || old.is_some_and(|old| old.skipped != snapshot.document.skipped) {
            let told = snapshot.document.skipped.iter();
            self.events.extend(told.map(|Skipped { reason, .. }| JwksEvent::KeySkipped(*reason)));
        }
        snapshot.generation = self.generation;
        let window = snapshot.fresh_until.saturating_sub(snapshot.validated_at);
        let ahead = window.saturating_mul(750 + self.roll(150)) / 1000;
        self.refresh_at = snapshot.validated_at.saturating_add(ahead);
        self.held = Some(Arc::new(snapshot));
    }

    /// Takes a set in that came from elsewhere.
    pub(super) fn adopt(&mut self, snapshot: Snapshot) -> Result<(), ImportError> {
        if self.held.as_ref().is_some_and(|held| held.validated_at >= snapshot.validated_at) {
            return Err(ImportError::NotNewer);
        }
        self.hold(snapshot);
        Ok(())
    }

    /// Ends the attempt without a set. Everything counts from when it began: an attempt that was
    /// asleep with the machine excuses nothing.
    pub(super) fn fail(&mut self, failure: Failure, policy: &Policy) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some((failure, flight.started));
        self.events.push(JwksEvent::FetchFailed(failure));
        let cooldown = policy.cooldown.as_secs();
        let usable = self.held.as_ref().is_some_and(|held| self.seen < held.trusted_until);
        // Without keys every token is refused: the first pauses are short.
        let base = if usable { cooldown } else { (cooldown / 16).max(1) };
        let pause = base.saturating_mul(1 << (self.failures - 1).min(16));
        let pause = self.varied(pause.min(policy.max_backoff.as_secs()));
        self.retry_at = flight.started.saturating_add(pause);
        self.cooldown_until = self.retry_at;
        self.calm_until = self.retry_at.saturating_add(GRACE);
    }

    /// Ends this attempt, if it still is the one under way.
    pub(super) fn abandon(&mut self, id: u64, failure: Failure, policy: &Policy) {
        if self.in_flight.as_ref().is_some_and(|flight| flight.id == id) {
            self.fail(failure, policy);
        }
    }

    /// Gives when the next attempt should begin although no token asks for it.
    pub(super) fn due_at(&self) -> u64 {
        match &self.in_flight {
            Some(flight) => flight.started.saturating_add(MAX_FLIGHT),
            None => self.refresh_at.max(self.retry_at),
        }
    }

    /// Moves a duration by up to a tenth, so that many processes do not ask at once.
    fn varied(&mut self, seconds: u64) -> u64 {
        seconds - seconds / 10 + self.roll(seconds / 5)
    }

    /// Gives a number from 0 to `most`.
    fn roll(&mut self, most: u64) -> u64 {
        self.rolls = self.rolls.wrapping_add(1);
        self.dice.hash_one(self.rolls) % most.saturating_add(1)
    }
}

impl Discovered {
    fn is_old(&self, now: u64) -> bool {
        now >= self.at.saturating_add(REDISCOVER) || self.failures >= MAX_FAILURES
    }
}

/// How long beyond the next attempt a failure excuses stale keys: time for that attempt to end.
const GRACE: u64 = 30;
/// Between how many times a clock may jump without causing more attempts.
const MAX_CLOCKS: usize = 4;
const MAX_FAILURES: u32 = 3;
/// After this, nobody will bring the answer any more.
const MAX_FLIGHT: u64 = 60;
const MAX_KID: usize = 256;
const REDISCOVER: u64 = 86_400;
/// How much earlier than the latest time seen is still the same time.
pub(super) const SKEW: u64 = 10;
