//! The driver: one request per credential, whoever waits for it and whoever gives up.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch::{Receiver, channel};
use tokio::time::{Instant as Ticks, timeout};

use super::Upstream;
use super::answers::{Answers, Limits, Status, Step, Ticket};
use super::api_key::{KeyLookup, KeyRules};
use super::credential::{Credential, Fingerprint, Origin};
use super::error::{ConfigError, Error, Reason};
use crate::claims::UserData;
use crate::fetch::{Fetch, FetchError};

/// Checks opaque credentials by asking about them, and remembers the verdicts. Cheap to clone;
/// clones share everything.
///
/// Requests run as tasks of the tokio runtime that [`check`](Self::check) is called in (it needs
/// its timers), and outlive callers who give up. Outside of a runtime they run in the caller.
#[derive(Clone)]
pub struct Lookup {
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    answers: Answers,
    flights: Mutex<HashMap<Fingerprint, Flight>>,
    timeout: Duration,
}

/// Whom to ask.
enum Source {
    Remote { upstream: Box<dyn Upstream>, fetch: Arc<dyn Fetch> },
    Local { keys: KeyRules, lookup: Arc<dyn KeyLookup> },
}

type Verdict = Result<Arc<UserData>, Error>;
/// Where the verdict of a request under way will be. A task that ends without one closes it.
type Flight = Receiver<Option<Verdict>>;

impl Lookup {
    /// Asks an issuer: an [`Introspection`](super::Introspection) endpoint, or USSO about
    /// [`ApiKeys`](super::ApiKeys).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Limit`].
    pub fn remote(
        upstream: impl Upstream + 'static,
        fetch: Arc<dyn Fetch>,
        limits: &Limits,
    ) -> Result<Self, ConfigError> {
        Self::new(Source::Remote { upstream: Box::new(upstream), fetch }, limits)
    }

    /// Asks the app itself about API keys. To remember nothing, set both lives to zero; requests
    /// for one key at a time still share one lookup.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Limit`].
    pub fn local(
        keys: KeyRules,
        lookup: Arc<dyn KeyLookup>,
        limits: &Limits,
    ) -> Result<Self, ConfigError> {
        Self::new(Source::Local { keys, lookup }, limits)
    }

    fn new(source: Source, limits: &Limits) -> Result<Self, ConfigError> {
        let answers = Answers::new(limits)?;
        let (flights, timeout) = (Mutex::default(), limits.timeout);
        Ok(Self { shared: Arc::new(Shared { source, answers, flights, timeout }) })
    }

    /// Judges a credential as of `now`, in seconds since the epoch.
    ///
    /// # Errors
    ///
    /// [`Error`], every variant. [`Error::Unrecognised`] means that nothing was asked and the text
    /// may be a credential of another kind.
    pub async fn check(&self, text: &str, origin: Origin, now: u64) -> Verdict {
        let shared = &self.shared;
        let credential = shared.source.credential(text, origin)?;
        if let Some(verdict) = shared.answers.recall(&credential, now) {
            return verdict;
        }
        let Ok(runtime) = Handle::try_current() else {
            return match shared.answers.start(&credential, now)? {
                Step::Known(claims) => Ok(claims),
                Step::Ask(ticket) => {
                    let started = Ticks::now();
                    let answer = shared.source.ask(&credential, now, started).await;
                    shared.answers.finish(ticket, answer, later(now, started))
                }
            };
        };
        let mut flight = match shared.board(&credential, now, &runtime)? {
            Boarding::Known(claims) => return Ok(claims),
            Boarding::Flight(flight) => flight,
        };
        let verdict = flight.wait_for(Option::is_some).await.ok().and_then(|seen| seen.clone());
        verdict.unwrap_or(LOST)
    }

    /// Judges a credential by what was answered before, without waiting; `None` if the issuer would
    /// have to be asked.
    #[must_use]
    pub fn recall(
        &self,
        text: &str,
        origin: Origin,
        now: u64,
    ) -> Option<Result<Arc<UserData>, Error>> {
        match self.shared.source.credential(text, origin) {
            Ok(credential) => self.shared.answers.recall(&credential, now),
            Err(error) => Some(Err(error)),
        }
    }

    /// Forgets a credential after it was revoked: the next request asks anew, and does not join one
    /// that is under way.
    pub fn forget(&self, text: &str) {
        for origin in [Origin::Bearer, Origin::KeyHeader] {
            if let Ok(credential) = self.shared.source.credential(text, origin) {
                self.shared.answers.forget(&credential);
                self.shared.flights().remove(&credential.fingerprint);
            }
        }
    }

    /// Forgets the accepted credentials whose claims are so, such as those of one subject.
    pub fn forget_where(&self, matches: impl Fn(&UserData) -> bool) {
        self.shared.answers.forget_where(matches);
        self.shared.flights().clear();
    }

    /// Forgets every credential.
    pub fn clear(&self) {
        self.shared.answers.clear();
        self.shared.flights().clear();
    }

    /// Tells how it is doing.
    #[must_use]
    pub fn status(&self, now: u64) -> Status {
        self.shared.answers.status(now)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("answers", &self.shared.answers).finish_non_exhaustive()
    }
}

/// What became of a credential that had no verdict a moment ago.
enum Boarding {
    Known(Arc<UserData>),
    Flight(Flight),
}

impl Shared {
    /// Joins the request for a credential that is under way, or starts one.
    fn board(
        self: &Arc<Self>,
        credential: &Credential<'_>,
        now: u64,
        runtime: &Handle,
    ) -> Result<Boarding, Error> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(&credential.fingerprint) {
            return Ok(Boarding::Flight(flight.clone()));
        }
        let ticket = match self.answers.start(credential, now)? {
            Step::Known(claims) => return Ok(Boarding::Known(claims)),
            Step::Ask(ticket) => ticket,
        };
        let (sender, flight) = channel(None);
        flights.insert(credential.fingerprint, flight.clone());
        // A runtime that is shutting down drops the task, and so the landing, inside `spawn`.
        drop(flights);
        let (shared, fingerprint) = (Arc::clone(self), credential.fingerprint);
        let landing = Landing { shared, fingerprint, flight: flight.clone() };
        let text = credential.text.to_owned();
        runtime.spawn(async move {
            let credential = Credential { text: &text, fingerprint };
            let verdict = landing.shared.fly(&credential, ticket, now).await;
            // Off the list first: who comes later finds the verdict remembered, or asks anew.
            drop(landing);
            sender.send_replace(Some(verdict));
        });
        Ok(Boarding::Flight(flight))
    }

    async fn fly(&self, credential: &Credential<'_>, ticket: Ticket, now: u64) -> Verdict {
        let started = Ticks::now();
        let answer = timeout(self.timeout, self.source.ask(credential, now, started)).await;
        let answer = answer.unwrap_or(Err(Error::Unavailable(Reason::Fetch(FetchError::TimedOut))));
        self.answers.finish(ticket, answer, later(now, started))
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Fingerprint, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list when its task ends, also if it panics or the runtime stops.
struct Landing {
    shared: Arc<Shared>,
    fingerprint: Fingerprint,
    flight: Flight,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.shared.flights();
        // After `forget` there may be another of this name.
        if flights.get(&self.fingerprint).is_some_and(|listed| listed.same_channel(&self.flight)) {
            flights.remove(&self.fingerprint);
        }
    }
}

impl Source {
    fn credential<'c>(&self, text: &'c str, origin: Origin) -> Result<Credential<'c>, Error> {
        match self {
            Self::Remote { upstream, .. } => upstream.credential(text, origin),
            Self::Local { keys, .. } => keys.credential(text, origin),
        }
    }

    /// Asks, and judges the answer as of when it came.
    async fn ask(
        &self,
        credential: &Credential<'_>,
        now: u64,
        started: Ticks,
    ) -> Result<UserData, Error> {
        match self {
            Self::Remote { upstream, fetch } => {
                let answer = fetch.fetch(upstream.request(credential)).await;
                let answer = answer.map_err(|error| Error::Unavailable(Reason::Fetch(error)))?;
                upstream.judge(&answer, later(now, started))
            }
            Self::Local { keys, lookup } => {
                let claims = lookup.look_up(credential.text).await;
                let claims = claims.map_err(|_| Error::Unavailable(Reason::Lookup))?;
                keys.judge(claims, later(now, started))
            }
        }
    }
}

/// The time now, given what it was: asking takes seconds.
fn later(then: u64, started: Ticks) -> u64 {
    then.saturating_add(started.elapsed().as_secs())
}

/// The task ended without a verdict: it panicked, or its runtime was shut down.
const LOST: Verdict = Err(Error::Unavailable(Reason::Fetch(FetchError::Failed)));
