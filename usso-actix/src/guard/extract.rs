//! Extractors: what a handler says about its caller in its signature.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::Either;
use usso_verify::{
    Principal,
    guard::{FromCaller, Policy, Refusal},
};

use super::{auth::Auth, refused::Refused};

/// What is remembered is answered at once.
type Extracting<T> = Either<Ready<Result<T, Refused>>, Boxed<T>>;
type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Refused>>>>;

/// The verified caller. A handler that takes it is guarded, with or without a middleware.
///
/// | `T` | |
/// | --- | --- |
/// | [`Principal`], the default | reads as `UserData`, knows what the caller may do, costs nothing |
/// | [`UserData`](usso_verify::UserData) | a copy of the claims |
/// | your type that implements `Deserialize` | reads the claims, your own among them |
///
/// Refuses a request without a credential, or with one that is not good or lacks claims of `T`.
///
/// Its guard is the [`Auth`] in `app_data`, else that of the innermost [`Gate`](super::Gate) around
/// the handler; without either, every request is answered with 500.
///
/// # Security
///
/// Do not write `Option<Authenticated>` to let callers without a credential in: actix makes None of
/// every failure, so that an expired or forged token counts as none. [`MaybeAuthenticated`] refuses
/// it.
#[derive(Clone, Debug)]
pub struct Authenticated<T = Principal>(pub T);

/// The verified caller, or `None` for a request without a credential.
///
/// Refuses a credential that is not good: such a caller is not made anonymous, as actix's own
/// `Option<Authenticated>` would do.
#[derive(Clone, Debug)]
pub struct MaybeAuthenticated<T = Principal>(pub Option<T>);

/// The verified caller, who may do what the [`Policy`] asks for.
///
/// It reads as the [`Principal`]; `Require { caller, .. }: Require<MyPolicy>` takes that out.
pub struct Require<P> {
    /// The caller.
    pub caller: Principal,
    policy: PhantomData<fn() -> P>,
}

impl<T: FromCaller + 'static> FromRequest for Authenticated<T> {
    type Error = Refused;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |caller| T::from_caller(caller.ok_or(Refusal::Missing)?).map(Self))
    }
}

impl<T: FromCaller + 'static> FromRequest for MaybeAuthenticated<T> {
    type Error = Refused;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |caller| caller.map(T::from_caller).transpose().map(Self))
    }
}

fn extract<T: 'static>(
    request: &HttpRequest,
    read: fn(Option<Principal>) -> Result<T, Refusal>,
) -> Extracting<T> {
    let auth = match Auth::of(request) {
        Ok(auth) => auth,
        Err(refusal) => return Either::Left(ready(Err(refusal.into()))),
    };
    let request = request.clone();
    let finish = move |auth: &Auth, request: &HttpRequest, verdict: Result<_, Refusal>| {
        verdict.and_then(read).map_err(|refusal| auth.refuse(refusal, request))
    };
    match auth.caller_now(&request) {
        Some(verdict) => Either::Left(ready(finish(&auth, &request, verdict))),
        None => Either::Right(Box::pin(async move {
            let verdict = auth.caller(&request).await;
            finish(&auth, &request, verdict)
        })),
    }
}

impl<P: Policy + 'static> FromRequest for Require<P> {
    type Error = Refused;
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let auth = Auth::of(&request)?;
            let caller = match P::rule() {
                Ok(rule) => auth.admit(&request, &rule).await,
                Err(invalid) => Err(invalid.into()),
            };
            let caller = caller.map_err(|refusal| auth.refuse(refusal, &request))?;
            Ok(Self { caller, policy: PhantomData })
        })
    }
}

impl<T> Deref for Authenticated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<P> Deref for Require<P> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.caller
    }
}
