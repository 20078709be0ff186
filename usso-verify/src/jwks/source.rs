//! The driver on tokio.

use std::fmt;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::attempt::{Attempt, Decision, Progress};
use super::engine::Engine;
use super::location::{Http, Location};
use super::policy::Policy;
use super::report::{Failure, JwksEvent, Observer, Status};
use super::snapshot::ImportError;
use crate::clock::{Clock, SystemClock};
use crate::fetch::{BoxFuture, Fetch, FetchError};
use crate::http::HttpFetch;
use crate::key_set::KeySet;
use crate::setup::SetupError;
use crate::source::{KeySource, Need, Refresh, Refreshed};

/// The keys of an issuer, fetched over HTTP beside the requests that need them. Cheap to clone;
/// clones share everything.
///
/// Needs a tokio runtime (with its timer) only when there is something to fetch: the one that was
/// given, or the one it is asked on. On such an occasion it starts a task that fetches ahead of
/// time, and that ends with the last clone. Where there is none, nothing is fetched until somebody
/// awaits what [`refresh`](KeySource::refresh) gave on one.
///
/// # Security
///
/// A fetch belongs to no request: who gives up waiting does not stop it, and a token can neither
/// multiply it nor choose where it goes.
#[derive(Clone)]
pub struct JwksSource {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    runtime: Option<Handle>,
    ahead: bool,
    /// Whether the task that fetches ahead of time is there.
    tended: AtomicBool,
    /// The last attempt that is over and what came of it.
    over: watch::Sender<Over>,
    waiters: Arc<Semaphore>,
}

type Over = (u64, Result<(), Failure>);

impl JwksSource {
    /// Finds the keys through the metadata of the issuer of this name.
    pub fn issuer(name: impl Into<String>) -> JwksSourceBuilder {
        JwksSourceBuilder::new(Location::issuer(name))
    }

    /// Fetches the keys from this address.
    pub fn url(url: impl Into<String>) -> JwksSourceBuilder {
        JwksSourceBuilder::new(Location::jwks(url))
    }

    /// Sees to it that there are fresh keys, for a service that starts.
    ///
    /// # Errors
    ///
    /// [`LoadError`], every variant. Keys that are still good may be there nevertheless.
    pub async fn preload(&self) -> Result<(), LoadError> {
        let now = self.inner.clock.now();
        let fresh = self.inner.engine.status(now).fresh_until.is_some_and(|until| now < until);
        if fresh && self.inner.engine.generation(now).is_some() {
            return Ok(());
        }
        self.inner.load(Engine::begin_ahead).await
    }

    /// Fetches the keys now, whatever the cooldown says, but at most once a second. Joins a fetch
    /// that is under way.
    ///
    /// # Errors
    ///
    /// [`LoadError`], every variant. The old keys stay.
    pub async fn reload(&self) -> Result<(), LoadError> {
        self.inner.load(Engine::begin_reload).await
    }

    /// Describes the present condition.
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.engine.status(self.inner.clock.now())
    }

    /// Writes the set for another process; `None` if there is none. See [`Engine::export`].
    #[must_use]
    pub fn export(&self) -> Option<Vec<u8>> {
        self.inner.engine.export()
    }

    /// Takes in what [`export`](Self::export) wrote. See [`Engine::import`].
    ///
    /// # Errors
    ///
    /// [`ImportError`], every variant.
    pub fn import(&self, bytes: &[u8]) -> Result<(), ImportError> {
        self.inner.engine.import(bytes, self.inner.clock.now())
    }
}

impl KeySource for JwksSource {
    fn keys(&self, now: u64) -> Option<Arc<KeySet>> {
        self.inner.tend(now);
        self.inner.engine.keys(now)
    }

    fn generation(&self, now: u64) -> Option<u64> {
        self.inner.tend(now);
        self.inner.engine.generation(now)
    }

    fn is_overdue(&self, now: u64) -> bool {
        self.inner.engine.is_overdue(now)
    }

    fn refresh(&self, need: Need<'_>, now: u64) -> Refresh {
        if let Some(runtime) = self.inner.runtime() {
            return match self.inner.ask(&runtime, &|engine| engine.begin(need, now)) {
                Ok(over) => Refresh::Wait(Box::pin(async { outcome(over.await) })),
                Err(refreshed) => Refresh::Now(refreshed),
            };
        }
        let Some(need) = Wish::from(need) else {
            return Refresh::Now(Refreshed::Settled);
        };
        let inner = Arc::clone(&self.inner);
        Refresh::Wait(Box::pin(async move {
            let begin = |engine: &Engine| engine.begin(need.as_need(), now);
            let Some(runtime) = inner.runtime() else {
                return Refreshed::Failed;
            };
            let asked = inner.ask(&runtime, &begin);
            drop(inner);
            match asked {
                Ok(over) => outcome(over.await),
                Err(refreshed) => refreshed,
            }
        }))
    }
}

impl fmt::Debug for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksSource").field("engine", &self.inner.engine).finish_non_exhaustive()
    }
}

impl Inner {
    fn runtime(&self) -> Option<Handle> {
        self.runtime.clone().or_else(|| Handle::try_current().ok())
    }

    /// Starts what is due, if there is a runtime to start it on.
    fn tend(self: &Arc<Self>, now: u64) {
        if self.engine.is_due(now)
            && let Some(runtime) = self.runtime()
        {
            self.watch(&runtime);
            if let Decision::Fetch(attempt) = self.engine.begin_ahead(now) {
                self.launch(&runtime, attempt);
            }
        }
    }

    /// Starts the task that fetches ahead of time, unless it is there.
    fn watch(self: &Arc<Self>, runtime: &Handle) {
        if self.ahead && !self.tended.swap(true, Ordering::AcqRel) {
            runtime.spawn(fetch_ahead(Tending(Arc::downgrade(self)), self.over.subscribe()));
        }
    }

    /// Starts an attempt or joins the one under way. Gives what to wait for, or why there is
    /// nothing.
    fn ask(
        self: &Arc<Self>,
        runtime: &Handle,
        begin: &dyn Fn(&Engine) -> Decision,
    ) -> Result<BoxFuture<'static, Result<(), Failure>>, Refreshed> {
        self.watch(runtime);
        let mut over = self.over.subscribe();
        let id = match begin(&self.engine) {
            Decision::Again => return Ok(Box::pin(ready(Ok(())))),
            Decision::Failed => return Err(Refreshed::Failed),
            Decision::Refuse => return Err(Refreshed::Settled),
            Decision::Wait(id) => id,
            Decision::Fetch(attempt) => self.launch(runtime, attempt),
        };
        let place = Arc::clone(&self.waiters).try_acquire_owned().map_err(|_| Refreshed::Busy)?;
        Ok(Box::pin(async move {
            let outcome = over.wait_for(|over| over.0 >= id).await.map(|over| over.1);
            drop(place);
            outcome.unwrap_or(Err(Failure::Abandoned))
        }))
    }

    /// Sends an attempt on its way and gives its number.
    fn launch(self: &Arc<Self>, runtime: &Handle, attempt: Attempt) -> u64 {
        let id = attempt.id();
        let flight = Flight { inner: Arc::clone(self), id, why: Failure::Abandoned };
        runtime.spawn(flight.fly(attempt));
        id
    }

    async fn load(self: &Arc<Self>, begin: fn(&Engine, u64) -> Decision) -> Result<(), LoadError> {
        let runtime = self.runtime().ok_or(LoadError::NoRuntime)?;
        let now = self.clock.now();
        let over = self.ask(&runtime, &|engine| begin(engine, now));
        over.map_err(|_| LoadError::TooSoon)?.await.map_err(LoadError::Failed)
    }
}

const fn outcome(over: Result<(), Failure>) -> Refreshed {
    match over {
        Ok(()) => Refreshed::Settled,
        Err(_) => Refreshed::Failed,
    }
}

/// An attempt on its way. However it ends, also by a panic or with its runtime, those who wait
/// are told.
struct Flight {
    inner: Arc<Inner>,
    id: u64,
    why: Failure,
}

impl Flight {
    async fn fly(mut self, attempt: Attempt) {
        match timeout(MAX_FLIGHT, self.steps(attempt)).await {
            Ok(outcome) => self.tell(outcome),
            Err(_) => self.why = Failure::Fetch(FetchError::TimedOut),
        }
    }

    async fn steps(&self, mut attempt: Attempt) -> Result<(), Failure> {
        loop {
            let answer = self.inner.fetch.fetch(attempt.request().clone()).await;
            match self.inner.engine.conclude(attempt, answer, self.inner.clock.now()) {
                Progress::Done(outcome) => return outcome,
                Progress::Send(next) => attempt = next,
            }
        }
    }

    /// Tells those who wait. A later attempt may have been told first.
    fn tell(&self, outcome: Result<(), Failure>) {
        self.inner.over.send_if_modified(|over| {
            let newer = over.0 < self.id;
            if newer {
                *over = (self.id, outcome);
            }
            newer
        });
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Changes nothing if the attempt was concluded.
        self.inner.engine.abandon(self.id, self.why, self.inner.clock.now());
        self.tell(Err(self.why));
    }
}

/// The task that fetches ahead of time. Does not keep the source alive.
struct Tending(Weak<Inner>);

impl Drop for Tending {
    fn drop(&mut self) {
        // Its runtime may be gone, and another one may take over.
        if let Some(inner) = self.0.upgrade() {
            inner.tended.store(false, Ordering::Release);
        }
    }
}

async fn fetch_ahead(tending: Tending, mut over: watch::Receiver<Over>) {
    while let Some(inner) = tending.0.upgrade() {
        let now = inner.clock.now();
        inner.tend(now);
        let pause = inner.engine.next_due().saturating_sub(now);
        drop(inner);
        // Never for long: a clock may be set, a machine may sleep. Also ends with an attempt and
        // with the source.
        _ = timeout(Duration::from_secs(pause.clamp(1, 60)), over.changed()).await;
    }
}

/// A [`Need`] that can be kept.
enum Wish {
    Keys,
    Kid(String),
    Replacement(String),
    Stale,
}

impl Wish {
    /// A name too long to be looked for is not kept.
    fn from(need: Need<'_>) -> Option<Self> {
        Some(match need {
            Need::Keys => Self::Keys,
            Need::Kid(kid) if kid.len() <= MAX_KID => Self::Kid(kid.to_owned()),
            Need::Replacement(kid) if kid.len() <= MAX_KID => Self::Replacement(kid.to_owned()),
            Need::Kid(_) | Need::Replacement(_) => return None,
            Need::Stale => Self::Stale,
        })
    }

    fn as_need(&self) -> Need<'_> {
        match self {
            Self::Keys => Need::Keys,
            Self::Kid(kid) => Need::Kid(kid),
            Self::Replacement(kid) => Need::Replacement(kid),
            Self::Stale => Need::Stale,
        }
    }
}

/// Why [`JwksSource::preload`] or [`JwksSource::reload`] brought no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadError {
    /// The attempt failed.
    Failed(Failure),
    /// There is no tokio runtime.
    NoRuntime,
    /// An attempt was made a moment ago, or too many wait already.
    TooSoon,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::NoRuntime => f.write_str("there is no tokio runtime"),
            Self::TooSoon => f.write_str("it is too soon to ask for the keys again"),
        }
    }
}

impl std::error::Error for LoadError {}

/// The settings of a [`JwksSource`].
#[must_use = "call `build` to get the source"]
pub struct JwksSourceBuilder {
    location: Location,
    policy: Policy,
    fetch: Option<Arc<dyn Fetch>>,
    clock: Arc<dyn Clock>,
    runtime: Option<Handle>,
    observer: Option<Observer>,
    ahead: bool,
    max_waiters: usize,
}

impl JwksSourceBuilder {
    fn new(location: Location) -> Self {
        Self {
            location,
            policy: Policy::default(),
            fetch: None,
            clock: Arc::new(SystemClock),
            runtime: None,
            observer: None,
            ahead: true,
            max_waiters: 1024,
        }
    }

    /// Sets the client that sends the requests. Default: an [`HttpFetch`] of its own.
    pub fn fetch(mut self, fetch: Arc<dyn Fetch>) -> Self {
        self.fetch = Some(fetch);
        self
    }

    /// Sets the times and limits.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the clock; the verifier's should be the same. Default: that of the operating system.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Fetches on this runtime. Default: the one the source is asked on.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Tells `observer` what happens. It must return quickly.
    pub fn observer(mut self, observer: impl Fn(&JwksEvent) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Allows `http` to this machine, for tests and sidecars. Default: `https` only.
    pub fn allow_loopback_http(mut self) -> Self {
        self.location = self.location.allow_loopback_http();
        self
    }

    /// Fetches only when asked for keys, without a task of its own.
    pub const fn without_task(mut self) -> Self {
        self.ahead = false;
        self
    }

    /// Sets how many requests may wait for a fetch; further ones fail at once. Default 1024; 1 to
    /// 100,000.
    pub const fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// Checks the settings and makes the source. Fetches nothing yet, unless there is a runtime.
    ///
    /// # Errors
    ///
    /// [`SetupError`].
    pub fn build(self) -> Result<JwksSource, SetupError> {
        if !(1..=100_000).contains(&self.max_waiters) {
            let (setting, range) = ("max_waiters", "1 to 100,000");
            return Err(SetupError::OutOfRange { setting, range });
        }
        let loopback_http = self.location.http == Http::Loopback;
        let mut engine = Engine::new(self.location, self.policy)?;
        if let Some(observer) = self.observer {
            engine = engine.observed_by(observer);
        }
        let fetch = match self.fetch {
            Some(fetch) => fetch,
            None if loopback_http => Arc::new(HttpFetch::builder().allow_loopback_http().build()?),
            None => Arc::new(HttpFetch::builder().build()?),
        };
        let inner = Arc::new(Inner {
            engine,
            fetch,
            clock: self.clock,
            runtime: self.runtime,
            ahead: self.ahead,
            tended: AtomicBool::new(false),
            over: watch::Sender::new((0, Ok(()))),
            waiters: Arc::new(Semaphore::new(self.max_waiters)),
        });
        if self.ahead
            && let Some(runtime) = inner.runtime()
        {
            inner.watch(&runtime);
        }
        Ok(JwksSource { inner })
    }
}

impl fmt::Debug for JwksSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksSourceBuilder")
            .field("location", &self.location)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

const MAX_FLIGHT: Duration = Duration::from_secs(15);
const MAX_KID: usize = 256;
