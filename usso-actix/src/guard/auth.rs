//! The guard of an app.

use std::ops::Deref;

use actix_web::{HttpMessage as _, HttpRequest, web::Data};
use usso_verify::{
    Principal,
    guard::{Authority, Guard, InvalidRule, Refusal, Rule},
};

use super::{head, layer::Gate, refused::Refused};

/// The guard of an app: it makes the middleware, and as `app_data` it serves the extractors.
///
/// Cheap to clone; clones are one guard. See the crate's first page for an example.
#[derive(Clone, Debug)]
pub struct Auth {
    guard: Guard,
}

/// The guard of the innermost [`Gate`] that a request came through.
struct Around(Auth);

impl Auth {
    /// Takes credentials from the headers `Authorization: Bearer` and `x-api-key`. For cookies,
    /// `DPoP` and other answers make an [`Auth`] from a [`Guard`] ([`Guard::builder`]).
    ///
    /// Make it once, outside the closure of `HttpServer::new`: what is made inside is made for each
    /// worker, which then keep keys and used proofs each for itself.
    pub fn new(authority: impl Into<Authority>) -> Self {
        Self { guard: Guard::new(authority) }
    }

    /// Gives a middleware that lets only callers with a good credential pass.
    ///
    /// # Security
    ///
    /// It covers what it is wrapped around: a scope, a resource, a route or the app, whatever is added
    /// to that later. Of several middlewares, the one that was wrapped last runs first: wrap CORS
    /// after it, so that preflights, which carry no credential, are answered.
    pub fn required(&self) -> Gate {
        Gate::new(self, Some(Rule::new()))
    }

    /// Gives a middleware that lets callers without a credential pass, too. One that is sent and not
    /// good is refused.
    pub fn optional(&self) -> Gate {
        Gate::new(self, None)
    }

    /// Gives a middleware that lets only callers pass who may do what the rule asks for: a scope such
    /// as `"read:files"`, or a [`Rule`]. It needs no other middleware around it.
    ///
    /// A `{parameter}` of the rule has the text that `web::Path` gives the handler. It must be in the
    /// path that was matched so far: wrap the resource or the route, not the app. A name that occurs
    /// twice in the path is refused, too.
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
    pub fn refuse(&self, refusal: impl Into<Refusal>, request: &HttpRequest) -> Refused {
        let refusal = refusal.into();
        if refusal.status() == 500 {
            tracing::error!(?refusal, path = request.match_pattern(), "a route is set up wrongly");
        } else {
            tracing::debug!(code = refusal.code(), "refused");
        }
        Refused::new(self.guard.answer(&refusal, &head::head(request, None)))
    }

    /// The guard that serves the extractors of a request.
    ///
    /// # Security
    ///
    /// Which of two forms of `app_data` is nearer to the handler cannot be seen; where they are two
    /// guards, none is taken.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let plain = request.app_data::<Self>();
        let shared = request.app_data::<Data<Self>>().map(Data::get_ref);
        let auth = match (plain, shared) {
            (Some(plain), Some(shared)) if !plain.is(shared) => None,
            (Some(auth), _) | (None, Some(auth)) => Some(auth.clone()),
            (None, None) => request.extensions().get::<Around>().map(|around| around.0.clone()),
        };
        if auth.is_none() {
            tracing::error!(
                path = request.match_pattern(),
                "a handler asks for its caller and there is no one guard to ask: \
                 add `.app_data(auth)` to the app, in one form only"
            );
        }
        auth.ok_or(Refusal::GuardMissing)
    }

    /// Serves the extractors of what is inside a [`Gate`].
    pub(super) fn surround(&self, request: &HttpRequest) {
        request.extensions_mut().insert(Around(self.clone()));
    }

    /// Verifies the caller, if that needs no waiting. A proof does: it is used up by being looked at,
    /// and must be looked at once.
    pub(super) fn caller_now(
        &self,
        request: &HttpRequest,
    ) -> Option<Result<Option<Principal>, Refusal>> {
        if request.headers().contains_key("dpop") {
            return None;
        }
        let certificate = head::certificate(request);
        self.guard.authenticate_now(&head::head(request, certificate.as_ref()))
    }

    /// Judges the caller by the rule, if that needs no waiting. Without a rule there need not be one.
    pub(super) fn admit_now(
        &self,
        request: &HttpRequest,
        rule: Option<&Rule>,
    ) -> Option<Result<(), Refusal>> {
        let verdict = self.caller_now(request)?.and_then(|caller| {
            match (&caller, rule) {
                (Some(caller), Some(rule)) => self.judge(caller, rule, request)?,
                (None, Some(_)) => return Err(Refusal::Missing),
                (_, None) => {}
            }
            leave(request, caller);
            Ok(())
        });
        Some(verdict)
    }

    fn judge(&self, caller: &Principal, rule: &Rule, request: &HttpRequest) -> Result<(), Refusal> {
        self.guard.check(caller, rule, |wanted| head::path_parameter(request, wanted))
    }

    /// Verifies the caller once, however many middlewares and extractors ask, also at the same time.
    pub(super) async fn caller(&self, request: &HttpRequest) -> Result<Option<Principal>, Refusal> {
        let place = head::place(request, &self.guard);
        let verified = place.get_or_try_init(async || {
            let certificate = head::certificate(request);
            let head = head::head(request, certificate.as_ref());
            self.guard.authenticate(&head).await.map_err(Some)?.ok_or(None)
        });
        match verified.await {
            Ok(caller) => {
                leave(request, Some(caller.clone()));
                Ok(Some(caller.clone()))
            }
            Err(None) => Ok(None),
            Err(Some(refusal)) => Err(refusal),
        }
    }

    /// Verifies the caller, which there must be, and judges it by the rule.
    pub(super) async fn admit(
        &self,
        request: &HttpRequest,
        rule: &Rule,
    ) -> Result<Principal, Refusal> {
        let caller = self.caller(request).await?.ok_or(Refusal::Missing)?;
        self.judge(&caller, rule, request)?;
        Ok(caller)
    }
}

/// Leaves the caller for whatever reads extensions, and none where there is none, whatever another
/// guard left.
pub(super) fn leave(request: &HttpRequest, caller: Option<Principal>) {
    let mut extensions = request.extensions_mut();
    if let Some(caller) = caller {
        extensions.insert(caller);
    } else {
        extensions.remove::<Principal>();
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
