//! Extractors: what a handler says about its caller in its signature.

use std::{marker::PhantomData, ops::Deref};

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};
use usso_verify::{
    Principal,
    guard::{FromCaller, Policy, Refusal},
};

use super::{auth::Auth, head::Seen, refused::Refused};

/// The verified caller. A handler that takes it is guarded, with or without a layer.
///
/// | `T` | |
/// | --- | --- |
/// | [`Principal`], the default | reads as `UserData`, knows what the caller may do, costs nothing |
/// | [`UserData`](usso_verify::UserData) | a copy of the claims |
/// | your type that implements `Deserialize` | reads the claims, your own among them |
///
/// Refuses a request without a credential, or with one that is not good or lacks claims of `T`.
#[derive(Clone, Debug)]
pub struct Authenticated<T = Principal>(pub T);

/// The verified caller, or `None` for a request without a credential.
///
/// Refuses a credential that is not good: such a caller is not made anonymous.
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

impl<T, S> FromRequestParts<S> for Authenticated<T>
where
    T: FromCaller,
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match MaybeAuthenticated::from_request_parts(parts, state).await? {
            MaybeAuthenticated(Some(caller)) => Ok(Self(caller)),
            MaybeAuthenticated(None) => Err(Auth::from_ref(state).refuse(Refusal::Missing, parts)),
        }
    }
}

impl<T, S> OptionalFromRequestParts<S> for Authenticated<T>
where
    T: FromCaller,
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refused> {
        let MaybeAuthenticated(caller) =
            MaybeAuthenticated::from_request_parts(parts, state).await?;
        Ok(caller.map(Self))
    }
}

impl<T, S> FromRequestParts<S> for MaybeAuthenticated<T>
where
    T: FromCaller,
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let auth = Auth::from_ref(state);
        // Boxed, so that the future of every handler does not hold what few requests wait for.
        let seen = Seen::from(&*parts);
        let remembered = if seen.has_proof() { None } else { auth.caller_now(seen) };
        let caller = match remembered {
            Some(verdict) => verdict,
            None => Box::pin(auth.caller(parts)).await,
        };
        let typed = caller.and_then(|caller| caller.map(T::from_caller).transpose());
        typed.map(Self).map_err(|refusal| auth.refuse(refusal, parts))
    }
}

impl<P, S> FromRequestParts<S> for Require<P>
where
    P: Policy,
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let auth = Auth::from_ref(state);
        let caller = match P::rule() {
            Ok(rule) => Box::pin(auth.admit(parts, &rule)).await,
            Err(invalid) => Err(invalid.into()),
        };
        let caller = caller.map_err(|refusal| auth.refuse(refusal, parts))?;
        Ok(Self { caller, policy: PhantomData })
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
