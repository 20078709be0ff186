//! An issuer, a guard of its tokens, and requests.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix_web::{
    body::MessageBody,
    dev::{Service, ServiceResponse},
    http::header::HeaderMap,
    test::{self, TestRequest},
};
use serde_json::Value;
use usso_actix::{Auth, Authenticator, Guard, GuardBuilder, Principal, Refusal};
use usso_verify::{
    BoxFuture, Clock as _, Presented, Verifier,
    testing::{Mint, TestIssuer},
};

pub(crate) const AUDIENCE: &str = "https://api.example";

pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    pub(crate) auth: Auth,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|guard| guard)
    }

    pub(crate) fn with(change: impl FnOnce(GuardBuilder) -> GuardBuilder) -> Self {
        let issuer = TestIssuer::new("https://sso.example");
        let guard = change(Guard::builder(issuer.verifier(AUDIENCE))).build().unwrap();
        Self { issuer, auth: Auth::from(guard) }
    }

    pub(crate) fn mint(&self) -> Mint {
        self.issuer.mint().audience(AUDIENCE)
    }

    pub(crate) fn token(&self) -> String {
        self.mint().sign()
    }

    pub(crate) fn reader(&self) -> String {
        self.mint().scope("read:files").sign()
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and error code.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json: Value = serde_json::from_str(&self.text).unwrap_or_default();
        (self.status, json["error_code"].as_str().unwrap_or("none").to_owned())
    }
}

/// Sends a request. Panics if the app answers with an error instead of a response.
pub(crate) async fn send<S, R, B, E>(app: &S, request: R) -> Answer
where
    S: Service<R, Response = ServiceResponse<B>, Error = E>,
    B: MessageBody,
    E: Debug,
{
    let response = test::call_service(app, request).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
    Answer { status, headers, text }
}

pub(crate) fn get(path: &str) -> TestRequest {
    TestRequest::with_uri(path)
}

pub(crate) trait Bearer {
    fn bearer(self, token: &str) -> Self;
}

impl Bearer for TestRequest {
    fn bearer(self, token: &str) -> Self {
        self.append_header(("authorization", format!("Bearer {token}")))
    }
}

/// Code that was sent with a status.
pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Knows callers by their tokens, takes its time, and counts.
#[derive(Clone)]
pub(crate) struct Slow {
    pub(crate) verifier: Verifier,
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) issuer: TestIssuer,
}

impl Slow {
    pub(crate) fn new(world: &World) -> Self {
        let verifier = world.issuer.verifier(AUDIENCE);
        Self { verifier, asked: Arc::default(), issuer: world.issuer.clone() }
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Authenticator for Slow {
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> BoxFuture<'a, Result<Principal, Refusal>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            self.verifier.verify(presented).await.map_err(Refusal::Token)
        })
    }

    fn now(&self) -> u64 {
        self.issuer.clock().now()
    }
}
