//! An engine with a hand-set time, a scripted peer that counts, and a source that asks it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use usso_verify::jwks::{Decision, Engine, Failure, JwksEvent, Location, Policy, Progress, State};
use usso_verify::{
    BoxFuture, Fetch, FetchError, JwksSource, JwksSourceBuilder, KeySource, Need, Refresh,
    Refreshed, Request, Response,
};

pub(crate) const NOW: u64 = 1_750_000_000;
pub(crate) const URL: &str = "https://sso.example/jwks.json";
pub(crate) const ISSUER: &str = "https://sso.example/t/1";

pub(crate) type Reply = Result<Response, FetchError>;

/// A usable key of this name; another `seed` is another key.
pub(crate) fn jwk(kid: &str, seed: u8) -> Value {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let x = base64_simd::URL_SAFE_NO_PAD.encode_to_string(pair.public_key().as_ref());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})
}

pub(crate) fn set(keys: &[Value]) -> Response {
    Response::new(200, json!({"keys": keys}).to_string().into_bytes())
}

/// A set of the key `kid` and nothing else.
pub(crate) fn only(kid: &str) -> Response {
    set(&[jwk(kid, 1)])
}

pub(crate) fn with(mut response: Response, name: &str, value: &str) -> Response {
    response.headers.push((name.to_owned(), value.to_owned()));
    response
}

pub(crate) fn status(status: u16) -> Response {
    Response::new(status, Vec::new())
}

/// An engine, its time and what it told.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: u64,
    events: Arc<Mutex<Vec<JwksEvent>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Location::jwks(URL), Policy::default())
    }

    pub(crate) fn with(location: Location, policy: Policy) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let observer = Arc::new(move |event: &JwksEvent| told.lock().unwrap().push(event.clone()));
        let engine = Engine::new(location, policy).unwrap().observed_by(observer);
        Self { engine, now: NOW, events }
    }

    /// A world whose engine holds this set since [`NOW`].
    pub(crate) fn holding(response: Response) -> Self {
        let world = Self::new();
        assert_eq!(world.ask(Need::Keys, Ok(response)), Some(Ok(())));
        world
    }

    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.now += seconds;
        self
    }

    /// Asks for other keys; `None` if no request is sent.
    pub(crate) fn ask(&self, need: Need<'_>, reply: Reply) -> Option<Result<(), Failure>> {
        self.settle(self.engine.begin(need, self.now), vec![reply])
    }

    pub(crate) fn reload(&self, reply: Reply) -> Option<Result<(), Failure>> {
        self.settle(self.engine.begin_reload(self.now), vec![reply])
    }

    /// Carries a decision out with these replies, one after the other.
    pub(crate) fn settle(
        &self,
        decision: Decision,
        replies: Vec<Reply>,
    ) -> Option<Result<(), Failure>> {
        let Decision::Fetch(mut attempt) = decision else {
            return None;
        };
        for reply in replies {
            match self.engine.conclude(attempt, reply, self.now) {
                Progress::Done(outcome) => return Some(outcome),
                Progress::Send(next) => attempt = next,
            }
        }
        panic!("the engine asks for more: {attempt:?}");
    }

    /// The request that a decision sends.
    pub(crate) fn request(&self, need: Need<'_>) -> Request {
        match self.engine.begin(need, self.now) {
            Decision::Fetch(attempt) => attempt.request().clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn knows(&self, kid: &str) -> bool {
        self.engine.keys(self.now).is_some_and(|keys| keys.get(kid).is_some())
    }

    pub(crate) fn generation(&self) -> Option<u64> {
        self.engine.generation(self.now)
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.engine.is_overdue(self.now)
    }

    pub(crate) fn state(&self) -> State {
        self.engine.status(self.now).state
    }

    pub(crate) fn events(&self) -> Vec<JwksEvent> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

/// A peer that answers from a script and counts. The last answer is given for ever.
pub(crate) struct Peer {
    script: Mutex<VecDeque<Reply>>,
    asked: AtomicU64,
    /// A request takes a permit; without one it hangs.
    pub(crate) gate: Semaphore,
}

impl Peer {
    pub(crate) fn new(script: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            asked: AtomicU64::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// A peer that hangs until its gate opens.
    pub(crate) fn hanging(script: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        let peer = Self::new(script);
        peer.gate.forget_permits(Semaphore::MAX_PERMITS);
        peer
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Fetch for Peer {
    fn fetch(&self, _request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
        })
    }
}

/// A clock that is set by hand.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, now: u64) {
        self.0.store(now, Ordering::SeqCst);
    }

    /// Lets the time go by for everybody, in steps that tasks can follow.
    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.0.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A source without a task of its own, unless the test says otherwise.
pub(crate) fn builder(peer: &Arc<Peer>, hand: &Hand) -> JwksSourceBuilder {
    let (peer, hand): (Arc<dyn Fetch>, _) = (Arc::<Peer>::clone(peer), hand.clone());
    JwksSource::url(URL).fetch(peer).clock(move || hand.now())
}

pub(crate) fn source(peer: &Arc<Peer>, hand: &Hand) -> JwksSource {
    builder(peer, hand).without_task().build().unwrap()
}

/// What a verifier finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Key,
    NoKey,
    NoKeys,
}

/// Looks for a key as the asynchronous verifier does.
pub(crate) async fn look(source: &JwksSource, kid: &str, now: u64) -> Found {
    if source.is_overdue(now)
        && let Refresh::Wait(over) = source.refresh(Need::Stale, now)
    {
        _ = over.await;
    }
    let found = peek(source, kid, now);
    let need = match found {
        Found::Key => return found,
        Found::NoKey => Need::Kid(kid),
        Found::NoKeys => Need::Keys,
    };
    match source.refresh(need, now) {
        Refresh::Wait(over) => {
            _ = over.await;
            peek(source, kid, now)
        }
        Refresh::Now(_) => found,
    }
}

/// Asks for keys and gives what to wait for.
pub(crate) fn wait(source: &JwksSource, need: Need<'_>) -> BoxFuture<'static, Refreshed> {
    match source.refresh(need, NOW) {
        Refresh::Wait(over) => over,
        Refresh::Now(refreshed) => panic!("nothing to wait for: {refreshed:?}"),
    }
}

/// Looks for a key as the synchronous verifier does.
pub(crate) fn peek(source: &JwksSource, kid: &str, now: u64) -> Found {
    match source.keys(now) {
        None => Found::NoKeys,
        Some(keys) if keys.get(kid).is_some() => Found::Key,
        Some(_) => Found::NoKey,
    }
}
