//! The tower layer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderName, HeaderValue, Request, header},
    response::{IntoResponse as _, Response},
};
use tower_layer::Layer;
use tower_service::Service;
use usso_verify::guard::Rule;

use super::{auth::Auth, head::Seen};

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

    fn extra(&self, request: Seen<'_>) -> Extra {
        self.auth.response_headers(&request.lines(), self.rule.is_none())
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
    type Future = Answering<S::Future, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let auth = &self.gate.auth;
        match auth.admit_now(&mut request, self.gate.rule.as_deref()) {
            Some(Ok(())) => {
                let extra = self.gate.extra((&request).into());
                Answering::Inner { future: self.inner.call(request), extra }
            }
            Some(Err(refusal)) => {
                let refused = auth.refuse_seen(&refusal, (&request).into());
                Answering::Refused { response: Some(refused.into_response()) }
            }
            None => Answering::Waiting { future: self.wait(request) },
        }
    }
}

/// An answer that takes more than a look into memory.
type Waiting<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

impl<S> Gated<S> {
    fn wait<B, R>(&mut self, request: Request<B>) -> Waiting<S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
        R: HttpBody<Data = Bytes> + Send + 'static,
        R::Error: Into<axum::BoxError>,
    {
        // The one that is ready is used; the clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let gate = self.gate.clone();
        Box::pin(async move {
            let auth = &gate.auth;
            let (mut parts, body) = request.into_parts();
            let verdict = match &gate.rule {
                Some(rule) => auth.admit(&mut parts, rule).await.map(Some),
                None => auth.caller(&mut parts).await,
            };
            match verdict {
                Ok(_) => {
                    let extra = gate.extra((&parts).into());
                    let response = inner.call(Request::from_parts(parts, body)).await?;
                    Ok(finished(response, &extra))
                }
                Err(refusal) => Ok(auth.refuse(refusal, &parts).into_response()),
            }
        })
    }
}

/// Headers to add to an answer.
type Extra = Vec<(&'static str, String)>;

fn finished<R>(response: Response<R>, extra: &Extra) -> Response
where
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<axum::BoxError>,
{
    let mut response = response.map(Body::new);
    for (name, value) in extra {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::try_from(value));
        let kept = name == header::CACHE_CONTROL && response.headers().contains_key(&name);
        if let Ok(value) = value
            && !kept
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

pin_project_lite::pin_project! {
    /// The answer of a [`Gated`] service.
    #[project = Projected]
    #[must_use = "a future does nothing until it is awaited"]
    #[allow(missing_docs, reason = "what it is made of is nobody's business")]
    pub enum Answering<F, E> {
        Inner { #[pin] future: F, extra: Extra },
        Refused { response: Option<Response> },
        Waiting { future: Waiting<E> },
    }
}

impl<F, E, R> Future for Answering<F, E>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<axum::BoxError>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Inner { future, extra } => {
                let response = ready!(future.poll(context))?;
                Poll::Ready(Ok(finished(response, extra)))
            }
            Projected::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Asked again after its answer, which the contract of futures forbids.
                None => Poll::Pending,
            },
            Projected::Waiting { future } => future.as_mut().poll(context),
        }
    }
}
