//! The middleware.

use std::{
    future::{Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpRequest, ResponseError as _,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::header::{self, HeaderName, HeaderValue},
};
use usso_verify::guard::{Refusal, Rule};

use super::{
    auth::{Auth, leave},
    head,
};

/// A middleware that refuses requests before they reach what is inside: `.wrap(auth.required())` on
/// an app, scope, resource or route.
///
/// A refusal is a response, not an error: what is wrapped around it, such as CORS and logs, sees it.
/// What is inside finds the caller in the extensions of the request, as a
/// [`Principal`](usso_verify::Principal), and the extractors use the guard of this middleware where
/// the app has none as `app_data`.
#[derive(Clone, Debug)]
#[must_use = "a middleware guards what it is wrapped around"]
pub struct Gate {
    auth: Auth,
    /// None lets callers without a credential pass.
    rule: Option<Arc<Rule>>,
}

impl Gate {
    pub(super) fn new(auth: &Auth, rule: Option<Rule>) -> Self {
        Self { auth: auth.clone(), rule: rule.map(Arc::new) }
    }

    fn extra(&self, request: &HttpRequest) -> Extra {
        self.auth.response_headers(&head::lines(request), self.rule.is_none())
    }

    async fn judge(&self, request: &HttpRequest) -> Result<(), Refusal> {
        if let Some(rule) = &self.rule {
            return self.auth.admit(request, rule).await.map(drop);
        }
        if self.auth.caller(request).await?.is_none() {
            leave(request, None);
        }
        Ok(())
    }
}

impl<S, B> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Gated<S>;
    type InitError = ();
    type Future = Ready<Result<Gated<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Gated { gate: self.clone(), inner: Rc::new(inner) }))
    }
}

/// A service behind a [`Gate`].
#[derive(Debug)]
pub struct Gated<S> {
    gate: Gate,
    inner: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for Gated<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Answering<S::Future, B>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let Gate { auth, rule } = &self.gate;
        auth.surround(request.request());
        match auth.admit_now(request.request(), rule.as_deref()) {
            Some(Ok(())) => {
                let extra = self.gate.extra(request.request());
                Answering::Inner { future: self.inner.call(request), extra }
            }
            Some(Err(refusal)) => {
                Answering::Refused { response: Some(refused(auth, refusal, request)) }
            }
            None => {
                let (gate, inner) = (self.gate.clone(), Rc::clone(&self.inner));
                Answering::Waiting { future: Box::pin(wait(gate, inner, request)) }
            }
        }
    }
}

/// An answer that takes more than a look into memory.
async fn wait<S, B>(
    gate: Gate,
    inner: Rc<S>,
    request: ServiceRequest,
) -> Result<ServiceResponse<EitherBody<B>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    match gate.judge(request.request()).await {
        Ok(()) => {
            let extra = gate.extra(request.request());
            Ok(finished(inner.call(request).await?, &extra))
        }
        Err(refusal) => Ok(refused(&gate.auth, refusal, request)),
    }
}

fn refused<B>(
    auth: &Auth,
    refusal: Refusal,
    request: ServiceRequest,
) -> ServiceResponse<EitherBody<B>> {
    let refused = auth.refuse(refusal, request.request());
    request.into_response(refused.error_response()).map_into_right_body()
}

/// Headers to add to an answer.
type Extra = Vec<(&'static str, String)>;

fn finished<B>(response: ServiceResponse<B>, extra: &Extra) -> ServiceResponse<EitherBody<B>> {
    let mut response = response.map_into_left_body();
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

type Waiting<B> = Pin<Box<dyn Future<Output = Result<ServiceResponse<EitherBody<B>>, Error>>>>;

pin_project_lite::pin_project! {
    /// The answer of a [`Gated`] service.
    #[project = Projected]
    #[must_use = "a future does nothing until it is awaited"]
    #[allow(missing_docs, reason = "what it is made of is nobody's business")]
    pub enum Answering<F, B> {
        Inner { #[pin] future: F, extra: Extra },
        Refused { response: Option<ServiceResponse<EitherBody<B>>> },
        Waiting { future: Waiting<B> },
    }
}

impl<F, B> Future for Answering<F, B>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Inner { future, extra } => {
                let response = std::task::ready!(future.poll(context))?;
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
