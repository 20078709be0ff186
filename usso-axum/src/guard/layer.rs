//! The tower layer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderName, HeaderValue, Request},
    response::{IntoResponse as _, Response},
};
use tower_layer::Layer;
use tower_service::Service;
use usso_verify::guard::Rule;

use super::auth::Auth;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A layer that refuses requests before they reach what is inside. For every tower stack: routers of
/// axum, services of tonic.
///
/// What is inside finds the caller in the extensions of the request, as a
/// [`Principal`](usso_verify::Principal).
#[derive(Clone, Debug)]
#[must_use = "a layer guards what it is put around"]
pub struct Gate {
    auth: Auth,
    /// None lets callers without a credential pass.
    rule: Option<Arc<Rule>>,
}

impl Gate {
    pub(super) fn new(auth: &Auth, rule: Option<Rule>) -> Self {
        Self { auth: auth.clone(), rule: rule.map(Arc::new) }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.clone(), inner }
    }
}

/// A service behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is used; the clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let gate = self.gate.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let verdict = match &gate.rule {
                Some(rule) => gate.auth.admit(&mut parts, rule).await.map(Some),
                None => gate.auth.caller(&mut parts).await,
            };
            if let Err(refusal) = verdict {
                return Ok(gate.auth.refuse(refusal, &parts).into_response());
            }
            let mut response = inner.call(Request::from_parts(parts, body)).await?.map(Body::new);
            if let Some(nonce) = gate.auth.dpop_nonce()
                && let Ok(nonce) = HeaderValue::try_from(nonce)
            {
                response.headers_mut().insert(DPOP_NONCE, nonce);
            }
            Ok(response)
        })
    }
}
