//! The driver: tasks, waiting, runtimes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use usso_verify::jwks::{Failure, LoadError, State};
use usso_verify::{
    BoxFuture, Fetch, FetchError, JwksSource, KeySource, Need, Refresh, Refreshed, Request,
    SetupError,
};

use crate::support::{
    Found, Hand, NOW, Peer, Reply, URL, builder, look, only, peek, source, status, wait,
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_goes_away_does_not_stop_the_fetch() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    let waiter = tokio::spawn(wait(&source, Need::Keys));
    tokio::task::yield_now().await;
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    let other = wait(&source, Need::Keys);
    peer.gate.add_permits(1);
    assert_eq!(other.await, Refreshed::Settled);
    assert_eq!((peek(&source, "a", NOW), peer.asked()), (Found::Key, 1));
}

#[tokio::test(start_paused = true)]
async fn those_who_would_wait_beyond_the_limit_fail_at_once() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = builder(&peer, &hand).without_task().max_waiters(2).build().unwrap();
    let waiting: Vec<_> = (0..2).map(|_| wait(&source, Need::Keys)).collect();
    assert!(matches!(source.refresh(Need::Keys, NOW), Refresh::Now(Refreshed::Busy)));
    drop(waiting);
    let place = wait(&source, Need::Keys);
    peer.gate.add_permits(1);
    assert_eq!(place.await, Refreshed::Settled);
    assert_eq!((peek(&source, "a", NOW), peer.asked()), (Found::Key, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_says_whether_the_issuer_was_heard() {
    let (peer, hand) = (Peer::new([Ok(only("a")), Ok(status(500)), Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    source.preload().await.unwrap();
    // Lately it was: what a token names is unknown, without any request.
    assert_eq!(now(source.refresh(Need::Kid("b"), NOW)).await, Refreshed::Settled);
    assert_eq!(now(source.refresh(Need::Kid("b"), NOW + 60)).await, Refreshed::Failed);
    // Nor can anyone tell until it is asked again.
    assert_eq!(now(source.refresh(Need::Kid("c"), NOW + 61)).await, Refreshed::Failed);
    assert_eq!(peer.asked(), 2);
    assert_eq!(now(source.refresh(Need::Kid("c"), NOW + 100)).await, Refreshed::Settled);
    assert_eq!(now(source.refresh(Need::Kid("d"), NOW + 101)).await, Refreshed::Settled);
    assert_eq!(peer.asked(), 3);
}

async fn now(refresh: Refresh) -> Refreshed {
    match refresh {
        Refresh::Now(refreshed) => refreshed,
        Refresh::Wait(over) => over.await,
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_ahead_of_time_without_any_token() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    hand.pass(6000).await;
    // Every 450 to 540 seconds.
    assert!((11..=14).contains(&peer.asked()), "{}", peer.asked());
    assert_eq!(source.status().stale_served, 0);
    assert!(!source.is_overdue(hand.now()));
}

#[tokio::test(start_paused = true)]
async fn without_a_task_keys_are_fetched_ahead_when_somebody_asks() {
    let (peer, hand) = (Peer::new([Ok(only("a")), Ok(only("b"))]), Hand::new());
    let source = source(&peer, &hand);
    source.preload().await.unwrap();
    hand.pass(445).await;
    assert_eq!((source.generation(hand.now()), peer.asked()), (Some(1), 1));
    hand.pass(100).await;
    assert_eq!((source.generation(hand.now()), peer.asked()), (Some(1), 1));
    hand.pass(1).await;
    assert_eq!((source.generation(hand.now()), peer.asked()), (Some(2), 2));
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_source() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    hand.pass(10).await;
    assert_eq!((peer.asked(), Arc::strong_count(&peer)), (1, 2));
    drop(source);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&peer), 1);
    hand.pass(2000).await;
    assert_eq!(peer.asked(), 1);
}

#[test]
fn without_a_runtime_nothing_panics_and_nothing_is_fetched() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    assert_eq!(peek(&source, "a", NOW), Found::NoKeys);
    assert_eq!((source.generation(NOW), source.status().state), (None, State::Empty));
    // Polled by something that is not tokio.
    let mut cx = Context::from_waker(Waker::noop());
    let mut over = wait(&source, Need::Keys);
    assert_eq!(over.as_mut().poll(&mut cx), Poll::Ready(Refreshed::Failed));
    let mut preload = std::pin::pin!(source.preload());
    assert_eq!(preload.as_mut().poll(&mut cx), Poll::Ready(Err(LoadError::NoRuntime)));
    assert_eq!(peer.asked(), 0);
}

#[test]
fn what_was_asked_for_without_a_runtime_is_fetched_inside_one() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    let over = wait(&source, Need::Keys);
    assert_eq!(runtime().block_on(over), Refreshed::Settled);
    assert_eq!((peek(&source, "a", NOW), peer.asked()), (Found::Key, 1));
}

#[test]
fn a_source_outlives_a_runtime() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = builder(&peer, &hand).build().unwrap();
    runtime().block_on(async {
        drop(source.refresh(Need::Keys, NOW));
        tokio::task::yield_now().await;
    });
    // The attempt went down with the runtime.
    assert_eq!(source.status().last_failure, Some((Failure::Abandoned, NOW)));
    peer.gate.add_permits(5);
    hand.set(NOW + 10);
    runtime().block_on(async {
        assert_eq!(look(&source, "a", hand.now()).await, Found::Key);
        let asked = peer.asked();
        hand.pass(700).await;
        assert!(peer.asked() > asked, "no task");
    });
}

#[test]
fn a_given_runtime_serves_callers_that_have_none() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let source =
        builder(&peer, &hand).without_task().runtime(runtime.handle().clone()).build().unwrap();
    let over = wait(&source, Need::Keys);
    assert_eq!(runtime.block_on(over), Refreshed::Settled);
    assert_eq!(peek(&source, "a", NOW), Found::Key);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    let timed_out = Failure::Fetch(FetchError::TimedOut);
    assert_eq!(source.preload().await, Err(LoadError::Failed(timed_out)));
    assert_eq!(source.status().last_failure, Some((timed_out, NOW)));
    peer.gate.add_permits(1);
    hand.pass(5).await;
    assert_eq!(source.preload().await, Ok(()));
}

struct Panicking;

impl Fetch for Panicking {
    fn fetch(&self, _request: Request) -> BoxFuture<'_, Reply> {
        panic!("as a broken client would")
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_panics_leaves_nobody_waiting() {
    let source = JwksSource::url(URL).fetch(Arc::new(Panicking)).clock(|| NOW).without_task();
    let source = source.build().unwrap();
    assert_eq!(source.preload().await, Err(LoadError::Failed(Failure::Abandoned)));
    assert_eq!(source.status().failures, 1);
}

#[tokio::test(start_paused = true)]
async fn preload_fetches_once_and_reports_failure() {
    let (peer, hand) = (Peer::new([Ok(status(500)), Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    let failed = LoadError::Failed(Failure::Status(500));
    assert_eq!(source.preload().await, Err(failed));
    assert_eq!(source.preload().await, Err(LoadError::TooSoon));
    hand.pass(3).await;
    assert_eq!(source.preload().await, Ok(()));
    assert_eq!(source.preload().await, Ok(()));
    assert_eq!(peer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn reload_joins_a_fetch_and_is_limited_to_one_a_second() {
    let (peer, hand) = (Peer::hanging([Ok(only("a")), Ok(only("b"))]), Hand::new());
    let source = source(&peer, &hand);
    let joined: Vec<_> = (0..5)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.reload().await })
        })
        .collect();
    tokio::task::yield_now().await;
    peer.gate.add_permits(2);
    for reload in joined {
        assert_eq!(reload.await.unwrap(), Ok(()));
    }
    assert_eq!((source.reload().await, peer.asked()), (Err(LoadError::TooSoon), 1));
    hand.pass(1).await;
    assert_eq!((source.reload().await, peer.asked()), (Ok(()), 2));
    assert_eq!(peek(&source, "b", hand.now()), Found::Key);
}

#[tokio::test(start_paused = true)]
async fn an_imported_set_needs_no_fetch() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let parent = source(&peer, &hand);
    parent.preload().await.unwrap();
    let child = source(&peer, &hand);
    child.import(&parent.export().unwrap()).unwrap();
    assert_eq!(look(&child, "a", NOW).await, Found::Key);
    assert_eq!((child.preload().await, peer.asked()), (Ok(()), 1));
}

#[tokio::test(start_paused = true)]
async fn the_observer_may_ask_for_the_status() {
    let (peer, hand) = (Peer::new([Ok(only("a"))]), Hand::new());
    let cell = Arc::new(std::sync::OnceLock::<JwksSource>::new());
    let (known, told) = (Arc::clone(&cell), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&told);
    let source = builder(&peer, &hand).without_task().observer(move |_| {
        flag.store(known.get().unwrap().status().fetches == 1, Ordering::SeqCst);
    });
    let source = source.build().unwrap();
    assert!(cell.set(source.clone()).is_ok());
    source.preload().await.unwrap();
    assert!(told.load(Ordering::SeqCst));
}

#[test]
fn a_limit_of_no_waiters_is_refused() {
    let (peer, hand) = (Peer::new([]), Hand::new());
    for waiters in [0, 100_001] {
        let refused = builder(&peer, &hand).max_waiters(waiters).build().unwrap_err();
        assert!(matches!(refused, SetupError::OutOfRange { setting: "max_waiters", .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_takes_at_most_fifteen_seconds() {
    let (peer, hand) = (Peer::hanging([Ok(only("a"))]), Hand::new());
    let source = source(&peer, &hand);
    let start = tokio::time::Instant::now();
    assert!(source.preload().await.is_err());
    assert_eq!(start.elapsed().as_secs(), Duration::from_secs(15).as_secs());
}
