//! The guard of an app.

use std::ops::Deref;

use axum::http::{Request, request::Parts};
use usso_verify::{
    Principal,
    guard::{Authority, Guard, InvalidRule, Refusal, Rule},
};

use super::{
    head::{self, Path, Seen},
    layer::Gate,
    refused::Refused,
};

/// The guard of an app: it makes the layers, and as state of the router it serves the extractors.
///
/// Cheap to clone; clones are one guard. See the crate's first page for an example.
#[derive(Clone, Debug)]
pub struct Auth {
    guard: Guard,
}

impl Auth {
    /// Takes credentials from the headers `Authorization: Bearer` and `x-api-key`. For cookies,
    /// `DPoP` and other answers make an [`Auth`] from a [`Guard`] ([`Guard::builder`]).
    pub fn new(authority: impl Into<Authority>) -> Self {
        Self { guard: Guard::new(authority) }
    }

    /// Gives a layer that lets only callers with a good credential pass.
    ///
    /// # Security
    ///
    /// A layer of a `Router` covers the routes that were added before it, not those added after.
    /// Handlers with an extractor of this crate are guarded without any layer.
    pub fn required(&self) -> Gate {
        Gate::new(self, Some(Rule::new()))
    }

    /// Gives a layer that lets callers without a credential pass, too. One that is sent and not good
    /// is refused.
    pub fn optional(&self) -> Gate {
        Gate::new(self, None)
    }

    /// Gives a layer that lets only callers pass who may do what the rule asks for: a scope such as
    /// `"read:files"`, or a [`Rule`]. It needs no other layer around it.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] if the scope cannot be read.
    pub fn require<R>(&self, rule: R) -> Result<Gate, InvalidRule>
    where
        R: TryInto<Rule>,
        InvalidRule: From<R::Error>,
    {
        Ok(Gate::new(self, Some(rule.try_into()?)))
    }

    /// Makes the answer to a request that the app itself refuses.
    #[must_use]
    pub fn refuse(&self, refusal: impl Into<Refusal>, request: &Parts) -> Refused {
        self.refuse_seen(&refusal.into(), request.into())
    }

    pub(super) fn refuse_seen(&self, refusal: &Refusal, request: Seen<'_>) -> Refused {
        if refusal.status() == 500 {
            tracing::error!(?refusal, "a route is set up wrongly");
        } else {
            tracing::debug!(code = refusal.code(), "refused");
        }
        Refused::new(self.guard.answer(refusal, &request.head()))
    }

    /// Verifies the caller, if that needs no waiting.
    pub(super) fn caller_now(
        &self,
        request: Seen<'_>,
    ) -> Option<Result<Option<Principal>, Refusal>> {
        match request.vouched(&self.guard) {
            Some(known) => Some(Ok(Some(known))),
            None => self.guard.authenticate_now(&request.head()),
        }
    }

    /// Verifies the caller once, however many layers and extractors ask.
    pub(super) async fn caller(&self, parts: &mut Parts) -> Result<Option<Principal>, Refusal> {
        let seen = Seen::from(&*parts);
        if let Some(known) = seen.vouched(&self.guard) {
            return Ok(Some(known));
        }
        let caller = self.guard.authenticate(&seen.head()).await?;
        if let Some(caller) = &caller {
            let vouched = seen.vouch(&self.guard, caller);
            head::leave(&mut parts.extensions, Some(vouched));
        }
        Ok(caller)
    }

    /// Verifies the caller and judges it by the rule, if that needs no waiting. Without a rule there
    /// need not be a caller.
    pub(super) fn admit_now<B>(
        &self,
        request: &mut Request<B>,
        rule: Option<&Rule>,
    ) -> Option<Result<(), Refusal>> {
        if rule.is_some_and(Rule::reads_path) {
            return None;
        }
        let verdict = self.caller_now((&*request).into())?.and_then(|caller| {
            match (&caller, rule) {
                (Some(caller), Some(rule)) => self.guard.check(caller, rule, |_| None)?,
                (None, Some(_)) => return Err(Refusal::Missing),
                (_, None) => {}
            }
            let vouched = caller.map(|caller| Seen::from(&*request).vouch(&self.guard, &caller));
            head::leave(request.extensions_mut(), vouched);
            Ok(())
        });
        Some(verdict)
    }

    /// Verifies the caller, which there must be, and judges it by the rule.
    pub(super) async fn admit(&self, parts: &mut Parts, rule: &Rule) -> Result<Principal, Refusal> {
        let caller = self.caller(parts).await?.ok_or(Refusal::Missing)?;
        let path = if rule.reads_path() { Some(Path::of(parts).await?) } else { None };
        let parameter = |wanted: &str| path.as_ref()?.get(wanted);
        self.guard.check(&caller, rule, parameter)?;
        Ok(caller)
    }
}

impl From<Guard> for Auth {
    fn from(guard: Guard) -> Self {
        Self { guard }
    }
}

impl Deref for Auth {
    type Target = Guard;

    fn deref(&self) -> &Guard {
        &self.guard
    }
}
