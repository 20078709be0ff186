//! One request per credential: shared, bounded, not lost when a caller gives up.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use usso_verify::opaque::*;
use usso_verify::{BoxFuture, Fetch, FetchError, Request, Response};

use crate::support::*;

type Script = dyn FnMut(&str) -> Result<Response, FetchError> + Send;

/// Answers by a script, once the gate lets it, and counts.
struct Issuer {
    script: Mutex<Box<Script>>,
    gate: Semaphore,
    calls: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Issuer {
    fn new(
        open: bool,
        script: impl FnMut(&str) -> Result<Response, FetchError> + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            gate: Semaphore::new(if open { 1_000_000 } else { 0 }),
            calls: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    /// Vouches for keys that contain `good`.
    fn usual(open: bool) -> Arc<Self> {
        Self::new(open, |body| {
            let known = body.contains("good");
            Ok(if known { answer(200, json!({"sub": "user:1"})) } else { unknown() })
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    fn open(&self) {
        self.gate.add_permits(1_000_000);
    }
}

impl Fetch for Issuer {
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Response, FetchError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, SeqCst);
            let body = String::from_utf8(request.body.unwrap()).unwrap();
            let under_way = self.under_way.fetch_add(1, SeqCst) + 1;
            self.most.fetch_max(under_way, SeqCst);
            let _pass = self.gate.acquire().await.unwrap();
            self.under_way.fetch_sub(1, SeqCst);
            (self.script.lock().unwrap())(&body)
        })
    }
}

fn unknown() -> Response {
    answer(404, json!({"error_code": "not_found"}))
}

const GOOD: &str = "usso_sk_good_0123456789";

fn lookup(issuer: &Arc<Issuer>) -> Lookup {
    let fetch: Arc<dyn Fetch> = Arc::<Issuer>::clone(issuer);
    Lookup::remote(api_keys(), fetch, &Limits::default()).unwrap()
}

async fn check(lookup: &Lookup, key: &str, now: u64) -> Result<String, Error> {
    lookup.check(key, Origin::Bearer, now).await.map(|user| user.sub.clone())
}

/// Lets every other task run as far as it can.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

fn key(name: usize) -> String {
    format!("usso_sk_bad_0123456789_{name}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_requests_with_one_key_ask_once() {
    let issuer = Issuer::usual(false);
    let lookup = lookup(&issuer);
    let mut requests = JoinSet::new();
    for _ in 0..200 {
        let lookup = lookup.clone();
        requests.spawn(async move { check(&lookup, GOOD, NOW).await });
    }
    settle().await;
    issuer.open();
    let verdicts = requests.join_all().await;
    assert!(verdicts.len() == 200 && verdicts.iter().all(Result::is_ok));
    assert_eq!(issuer.calls(), 1);
    assert_eq!(check(&lookup, GOOD, NOW + 59).await.as_deref(), Ok("user:1"));
    assert_eq!(issuer.calls(), 1);
    assert_eq!(check(&lookup, GOOD, NOW + 60).await.as_deref(), Ok("user:1"));
    assert_eq!(issuer.calls(), 2);
}

#[tokio::test]
async fn all_callers_share_one_value() {
    let issuer = Issuer::usual(true);
    let lookup = lookup(&issuer);
    let one = lookup.check(GOOD, Origin::Bearer, NOW).await.unwrap();
    let other = lookup.check(GOOD, Origin::KeyHeader, NOW).await.unwrap();
    assert!(Arc::ptr_eq(&one, &other));
}

#[tokio::test]
async fn a_thousand_random_keys_are_bounded_and_push_nothing_out() {
    let issuer = Issuer::usual(false);
    let lookup = lookup(&issuer);
    issuer.gate.add_permits(1);
    assert!(check(&lookup, GOOD, NOW).await.is_ok());
    issuer.gate.forget_permits(1);
    let mut requests = JoinSet::new();
    for name in 0..1000 {
        let lookup = lookup.clone();
        requests.spawn(async move { check(&lookup, &key(name), NOW).await });
    }
    settle().await;
    assert_eq!(lookup.status(NOW).under_way, 64);
    assert!(check(&lookup, GOOD, NOW).await.is_ok());
    issuer.open();
    let verdicts = requests.join_all().await;
    let count = |error| verdicts.iter().filter(|verdict| **verdict == Err(error)).count();
    assert_eq!(count(Error::Inactive), 64);
    assert_eq!(count(Error::Unavailable(Reason::Overloaded)), 936);
    assert_eq!((issuer.most.load(SeqCst), issuer.calls()), (64, 65));
    assert_eq!(lookup.status(NOW).under_way, 0);
    assert!(check(&lookup, GOOD, NOW).await.is_ok());
    assert_eq!(issuer.calls(), 65);
}

#[tokio::test]
async fn a_refused_key_is_asked_about_once_in_ten_seconds() {
    let issuer = Issuer::usual(true);
    let lookup = lookup(&issuer);
    for now in [NOW, NOW + 1, NOW + 9] {
        assert_eq!(check(&lookup, &key(1), now).await, Err(Error::Inactive));
    }
    assert_eq!(issuer.calls(), 1);
    assert_eq!(check(&lookup, &key(1), NOW + 10).await, Err(Error::Inactive));
    assert_eq!(issuer.calls(), 2);
}

#[tokio::test]
async fn a_caller_who_gives_up_fails_nobody_and_wastes_nothing() {
    let issuer = Issuer::usual(false);
    let lookup = lookup(&issuer);
    let spawn = || {
        let lookup = lookup.clone();
        tokio::spawn(async move { check(&lookup, GOOD, NOW).await })
    };
    let (first, second) = (spawn(), spawn());
    settle().await;
    first.abort();
    settle().await;
    issuer.open();
    assert_eq!(second.await.unwrap().as_deref(), Ok("user:1"));
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(issuer.calls(), 1);
}

#[tokio::test]
async fn the_answer_nobody_waited_for_is_remembered() {
    let issuer = Issuer::usual(false);
    let lookup = lookup(&issuer);
    let mut request = Box::pin(check(&lookup, GOOD, NOW));
    assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(request);
    issuer.open();
    settle().await;
    assert_eq!(check(&lookup, GOOD, NOW).await.as_deref(), Ok("user:1"));
    assert_eq!(issuer.calls(), 1);
}

#[tokio::test]
async fn an_outage_is_unavailable_then_quick_then_over() {
    let mut left = 5;
    let issuer = Issuer::new(true, move |_| {
        left -= 1;
        if left >= 0 { Err(FetchError::Failed) } else { Ok(answer(200, json!({"sub": "user:1"}))) }
    });
    let lookup = lookup(&issuer);
    let failed = Err(Error::Unavailable(Reason::Fetch(FetchError::Failed)));
    for _ in 0..5 {
        assert_eq!(check(&lookup, GOOD, NOW).await, failed);
    }
    let resting = Err(Error::Unavailable(Reason::Resting));
    for now in [NOW, NOW + 4] {
        assert_eq!(check(&lookup, GOOD, now).await, resting);
    }
    assert_eq!(issuer.calls(), 5);
    assert_eq!(check(&lookup, GOOD, NOW + 5).await.as_deref(), Ok("user:1"));
    assert_eq!(issuer.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_silent_issuer_is_given_up_and_counts_as_down_from_then() {
    let issuer = Issuer::usual(false);
    let lookup = lookup(&issuer);
    let timed_out = Err(Error::Unavailable(Reason::Fetch(FetchError::TimedOut)));
    for _ in 0..5 {
        assert_eq!(check(&lookup, GOOD, NOW).await, timed_out);
    }
    // Asked at NOW, given up five seconds later, left alone for five more.
    assert!(lookup.status(NOW + 9).resting && !lookup.status(NOW + 10).resting);
    assert_eq!(lookup.status(NOW).under_way, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_judged_as_of_when_it_came() {
    let issuer = Issuer::new(false, |_| Ok(answer(200, json!({"sub": "user:1", "exp": NOW + 3}))));
    let lookup = lookup(&issuer);
    let (verdict, ()) = tokio::join!(check(&lookup, GOOD, NOW), async {
        sleep(Duration::from_secs(3)).await;
        issuer.open();
    });
    assert_eq!(verdict, Err(Error::Expired));
}

#[tokio::test]
async fn a_fetch_that_panics_is_unavailable_and_leaves_nothing_behind() {
    let mut first = true;
    let issuer = Issuer::new(true, move |_| {
        assert!(!std::mem::take(&mut first), "the test's own panic");
        Ok(answer(200, json!({"sub": "user:1"})))
    });
    let lookup = lookup(&issuer);
    assert!(check(&lookup, GOOD, NOW).await.unwrap_err().is_unavailable());
    assert_eq!(lookup.status(NOW).under_way, 0);
    issuer.script.clear_poison();
    assert_eq!(check(&lookup, GOOD, NOW).await.as_deref(), Ok("user:1"));
}

#[tokio::test]
async fn a_revoked_key_does_not_join_an_older_request() {
    let forgets: [fn(&Lookup); 3] =
        [|lookup| lookup.forget(GOOD), |lookup| lookup.forget_where(|_| true), Lookup::clear];
    for forget in forgets {
        let mut statuses = [200, 404].into_iter();
        let issuer = Issuer::new(false, move |_| {
            let body = json!({"sub": "user:1", "error_code": "not_found"});
            Ok(answer(statuses.next().unwrap(), body))
        });
        let lookup = lookup(&issuer);
        let start = || {
            let lookup = lookup.clone();
            tokio::spawn(async move { check(&lookup, GOOD, NOW).await })
        };
        let first = start();
        settle().await;
        forget(&lookup);
        let second = start();
        settle().await;
        issuer.open();
        assert!(first.await.unwrap().is_ok());
        assert_eq!(second.await.unwrap(), Err(Error::Inactive));
        assert_eq!(check(&lookup, GOOD, NOW).await, Err(Error::Inactive));
        assert_eq!(issuer.calls(), 2);
    }
}

/// Finding S3.
#[tokio::test]
async fn credentials_of_others_are_never_sent() {
    let issuer = Issuer::usual(true);
    let keys = lookup(&issuer);
    let fetch: Arc<dyn Fetch> = Arc::<Issuer>::clone(&issuer);
    let tokens = Lookup::remote(introspection(), fetch, &Limits::default()).unwrap();
    for text in ["Basic dXNlcjpwYXNzd29yZA==", "basic dXNlcjpwYXNz", "Digest a=b", ""] {
        for origin in [Origin::Bearer, Origin::KeyHeader] {
            assert!(keys.check(text, origin, NOW).await.is_err());
            assert!(tokens.check(text, origin, NOW).await.is_err());
        }
    }
    for text in ["dXNlcjpwYXNzd29yZDE=", "ghp_0123456789abcdef", "a.b.c"] {
        assert_eq!(check(&keys, text, NOW).await, Err(Error::Unrecognised));
    }
    assert_eq!(issuer.calls(), 0);
}

#[tokio::test]
async fn introspection_is_driven_the_same_way() {
    let issuer = Issuer::new(true, |body| {
        let token = body.starts_with("token=good&");
        Ok(answer(200, if token { good(json!({})) } else { json!({"active": false}) }))
    });
    let fetch: Arc<dyn Fetch> = Arc::<Issuer>::clone(&issuer);
    let lookup = Lookup::remote(introspection(), fetch, &Limits::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(check(&lookup, "good", NOW).await.as_deref(), Ok("user:1"));
        assert_eq!(check(&lookup, "other", NOW).await, Err(Error::Inactive));
    }
    assert_eq!(issuer.calls(), 2);
    let status = lookup.status(NOW);
    assert_eq!((status.asked, status.known, status.positive, status.negative), (2, 4, 1, 1));
}

struct Database(AtomicUsize);

impl KeyLookup for Database {
    fn look_up<'k>(
        &'k self,
        key: &'k str,
    ) -> BoxFuture<'k, Result<Option<Map<String, Value>>, LookupFailed>> {
        Box::pin(async move {
            self.0.fetch_add(1, SeqCst);
            match key {
                GOOD => Ok(json!({"sub": "user:7"}).as_object().cloned()),
                "usso_sk_down_0123456789" => Err(LookupFailed),
                _ => Ok(None),
            }
        })
    }
}

#[tokio::test]
async fn an_app_answers_from_its_own_database() {
    let database = Arc::new(Database(AtomicUsize::new(0)));
    let port: Arc<dyn KeyLookup> = Arc::<Database>::clone(&database);
    let lookup = Lookup::local(key_rules(), port, &Limits::default()).unwrap();
    for _ in 0..2 {
        assert_eq!(check(&lookup, GOOD, NOW).await.as_deref(), Ok("user:7"));
        assert_eq!(check(&lookup, &key(1), NOW).await, Err(Error::Inactive));
    }
    assert_eq!(database.0.load(SeqCst), 2);
    let down = check(&lookup, "usso_sk_down_0123456789", NOW).await;
    assert_eq!(down, Err(Error::Unavailable(Reason::Lookup)));
    assert_eq!(check(&lookup, "ghp_0123456789abcdef", NOW).await, Err(Error::Unrecognised));
}

#[test]
fn without_a_runtime_the_caller_does_the_work() {
    let issuer = Issuer::usual(true);
    let lookup = lookup(&issuer);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let verdict = pin!(check(&lookup, GOOD, NOW)).poll(&mut context);
        assert_eq!(verdict, Poll::Ready(Ok("user:1".to_owned())));
    }
    assert_eq!(issuer.calls(), 1);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_runtime_that_stops_leaves_no_request_under_way() {
    let issuer = Issuer::usual(false);
    let lookup = lookup(&issuer);
    let stopped = runtime();
    stopped.block_on(async {
        let asking = lookup.clone();
        tokio::spawn(async move { check(&asking, GOOD, NOW).await });
        settle().await;
    });
    assert_eq!(lookup.status(NOW).under_way, 1);
    drop(stopped);
    assert_eq!(lookup.status(NOW).under_way, 0);
    issuer.open();
    assert!(runtime().block_on(check(&lookup, GOOD, NOW)).is_ok());
}

#[test]
fn a_runtime_that_has_stopped_is_unavailable_and_blocks_nobody() {
    let issuer = Issuer::usual(true);
    let lookup = lookup(&issuer);
    let handle = runtime().handle().clone();
    let inside = handle.enter();
    let verdict = pin!(check(&lookup, GOOD, NOW)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(verdict, Poll::Ready(Err(error)) if error.is_unavailable()));
    drop(inside);
    assert!(runtime().block_on(check(&lookup, GOOD, NOW)).is_ok());
    assert_eq!(issuer.calls(), 1);
}
