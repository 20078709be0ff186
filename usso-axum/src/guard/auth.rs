//! The guard of an app.

use std::ops::Deref;

use axum::http::request::Parts;
use usso_verify::{
    Principal,
    guard::{Authority, Guard, InvalidRule, Refusal, Rule},
};

use super::{head, layer::Gate, refused::Refused};

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
        let refusal = refusal.into();
        if refusal.status() == 500 {
            tracing::error!(?refusal, path = request.uri.path(), "a route is set up wrongly");
        }
        Refused::new(self.guard.answer(&refusal, &head::head(request)))
    }

    /// Verifies the caller, if that needs no waiting.
    pub(super) fn caller_now(
        &self,
        parts: &mut Parts,
    ) -> Option<Result<Option<Principal>, Refusal>> {
        if let Some(known) = head::vouched(parts, &self.guard) {
            return Some(Ok(Some(known)));
        }
        let verdict = self.guard.authenticate_now(&head::head(parts))?;
        // Looking twice costs less than writing down, but a proof is used up by it.
        if let Ok(Some(caller)) = &verdict
            && parts.headers.contains_key("dpop")
        {
            head::vouch(parts, &self.guard, caller);
        }
        Some(verdict)
    }

    /// Verifies the caller once, however many layers and extractors ask.
    pub(super) async fn caller(&self, parts: &mut Parts) -> Result<Option<Principal>, Refusal> {
        if let Some(known) = head::vouched(parts, &self.guard) {
            return Ok(Some(known));
        }
        let caller = self.guard.authenticate(&head::head(parts)).await?;
        if let Some(caller) = &caller {
            head::vouch(parts, &self.guard, caller);
        }
        Ok(caller)
    }

    /// Verifies the caller and judges it by the rule, if that needs no waiting. Without a rule there
    /// need not be a caller.
    pub(super) fn admit_now(
        &self,
        parts: &mut Parts,
        rule: Option<&Rule>,
    ) -> Option<Result<(), Refusal>> {
        if rule.is_some_and(Rule::reads_path) {
            return None;
        }
        let caller = match self.caller_now(parts)? {
            Ok(caller) => caller,
            Err(refusal) => return Some(Err(refusal)),
        };
        let verdict = match (&caller, rule) {
            (Some(caller), Some(rule)) => self.guard.check(caller, rule, |_| None),
            (None, Some(_)) => Err(Refusal::Missing),
            (_, None) => Ok(()),
        };
        if let Some(caller) = &caller {
            head::vouch(parts, &self.guard, caller);
        }
        Some(verdict)
    }

    /// Verifies the caller, which there must be, and judges it by the rule.
    pub(super) async fn admit(&self, parts: &mut Parts, rule: &Rule) -> Result<Principal, Refusal> {
        let caller = self.caller(parts).await?.ok_or(Refusal::Missing)?;
        let path = if rule.reads_path() { head::path_parameters(parts).await } else { Vec::new() };
        let parameter = |wanted: &str| {
            path.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        };
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
