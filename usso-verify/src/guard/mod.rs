//! Takes the credential out of an HTTP request, verifies it, and says how a refusal looks.
//!
//! The crates for web frameworks are thin layers over this module, so that one request gets one
//! verdict and one answer in every framework and language. Nothing here knows a framework: a request
//! is a [`Head`], and a refusal becomes an [`Answer`].
//!
//! ```
//! use usso_verify::guard::{Guard, Head, require};
//! # use usso_verify::{Issuer, KeySet, Verifier};
//! # let keys = std::sync::Arc::new(KeySet::default());
//! # let issuer = Issuer::new("https://sso.example", keys).audience("https://api.example");
//! # let verifier = Verifier::builder().issuer(issuer).build()?;
//! let guard = Guard::new(verifier);
//! let rule = require("read:users?user_id={id}")?;
//!
//! let headers = [("authorization", "Bearer not.a.token")];
//! let head = Head::new("GET", "/users/7", headers);
//! # let block_on = |future| futures_executor(future);
//! # fn futures_executor<T>(future: impl Future<Output = T>) -> T {
//! #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! #     let std::task::Poll::Ready(done) = std::pin::pin!(future).poll(&mut context) else { panic!() };
//! #     done
//! # }
//! let refusal = block_on(guard.admit(&head, &rule, |name| (name == "id").then(|| "7".into())));
//! let answer = guard.answer(&refusal.unwrap_err(), &head);
//! assert_eq!((answer.status, &*answer.code), (401, "token.malformed"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where a credential may be
//!
//! In this order; the first place that has one decides, and the others are not looked at.
//!
//! 1. The one header `Authorization`: the scheme `Bearer` with a token or an API key, or, where
//!    [`public_url`](GuardBuilder::public_url) is set, `DPoP` with the one header `DPoP`. Or in its
//!    place the header that [`token_header`](GuardBuilder::token_header) names, with the token alone.
//! 2. The one cookie, where [`cookie`](GuardBuilder::cookie) names it.
//! 3. The one header `x-api-key`, or what [`api_key_header`](GuardBuilder::api_key_header) says, with
//!    an API key only.
//!
//! Never in the address or the body: those end up in logs (RFC 9700 §4.3.2).
//!
//! # Security
//!
//! - Two `Authorization` headers, or text that is not one token, are refused: lax readers were led
//!   to see another token than the proxy before them (GHSA-gv94-wp4h-vv8p).
//! - Browsers send cookies whoever wrote the page. A cookie counts for a method other than GET, HEAD,
//!   OPTIONS and TRACE, and for an upgrade to a `WebSocket`, only if the browser says that the page is
//!   the service's own or on the list of [`allow_origin`](GuardBuilder::allow_origin).
//! - A credential that is sent and not good is refused, also where none is needed: a caller is never
//!   made anonymous silently.
//! - Paths are not looked at. What is guarded is decided by where the framework puts the guard, so
//!   two spellings of one path cannot get two verdicts.
//!
//! # Spec
//!
//! RFC 6750 §2.1 and §3, RFC 9110 §11, RFC 9449 §7.1, RFC 9470 §3, RFC 9728 §5.1.

mod answer;
mod builder;
mod caller;
mod credential;
mod refusal;
mod rule;
mod site;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use answer::Answer;
pub use builder::{GuardBuilder, InvalidGuard};
pub use caller::FromCaller;
pub use credential::{Head, Headers, bearer};
pub use refusal::Refusal;
pub use rule::{InvalidRule, Policy, Rule, require};

use crate::fetch::BoxFuture;
use crate::presented::Presented;
use crate::principal::Principal;
use crate::verifier::Verifier;
use answer::Style;
use builder::Answers;

/// Guards requests. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Guard {
    shared: Arc<Shared>,
}

struct Shared {
    authority: Authority,
    /// In lower case, as all names of headers here.
    token_header: Option<String>,
    api_key_header: String,
    cookie: Option<String>,
    origins: Vec<String>,
    public_url: Option<PublicUrl>,
    realm: String,
    resource_metadata: Option<String>,
    answers: Option<Answers>,
    grpc: bool,
}

/// Where clients reach the service.
struct PublicUrl {
    /// Without a slash at its end.
    base: String,
    /// Scheme, host and port.
    origin: String,
}

/// Who says whether a credential is good.
#[derive(Clone)]
#[non_exhaustive]
pub enum Authority {
    /// The keys of its issuer.
    Verifier(Verifier),
    /// Something that knows more than the keys, such as an identity engine in the same process.
    Other(Arc<dyn Authenticator>),
}

impl From<Verifier> for Authority {
    fn from(verifier: Verifier) -> Self {
        Self::Verifier(verifier)
    }
}

impl<A: Authenticator + 'static> From<A> for Authority {
    fn from(authenticator: A) -> Self {
        Self::Other(Arc::new(authenticator))
    }
}

/// Says who presents a credential, as things stand now.
pub trait Authenticator: Send + Sync {
    /// Verifies a credential.
    ///
    /// # Errors
    ///
    /// [`Refusal::Token`] if it is not good, [`Refusal::Unavailable`] if nobody can tell at present.
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> BoxFuture<'a, Result<Principal, Refusal>>;

    /// Tells the time in seconds since the epoch.
    fn now(&self) -> u64;
}

impl Guard {
    /// Makes one that takes credentials from the headers only.
    pub fn new(authority: impl Into<Authority>) -> Self {
        GuardBuilder::new(authority.into()).finish()
    }

    /// Starts the configuration of one that also takes cookies or `DPoP`, or answers otherwise.
    pub fn builder(authority: impl Into<Authority>) -> GuardBuilder {
        GuardBuilder::new(authority.into())
    }

    /// Verifies the credential of a request; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: a credential that is there and not good, or not to be taken from where it is.
    pub async fn authenticate<H: Headers>(
        &self,
        head: &Head<'_, H>,
    ) -> Result<Option<Principal>, Refusal> {
        let Some(credential) = self.credential(head)? else {
            return Ok(None);
        };
        credential.check_form()?;
        let uri = credential.uri(head);
        let presented = credential.presented(head, &uri);
        let verdict = match &self.shared.authority {
            Authority::Verifier(verifier) => {
                verifier.verify(presented).await.map_err(Refusal::Token)
            }
            Authority::Other(other) => other.authenticate(presented).await,
        };
        verdict.map(Some)
    }

    /// Finds the credential of a request and gives what `then` makes of it, for those who verify it by
    /// other means; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: a credential that is not to be taken from where it is, or malformed.
    pub fn present<H: Headers, T>(
        &self,
        head: &Head<'_, H>,
        then: impl FnOnce(&Presented<'_>) -> T,
    ) -> Result<Option<T>, Refusal> {
        let Some(credential) = self.credential(head)? else {
            return Ok(None);
        };
        credential.check_form()?;
        let uri = credential.uri(head);
        Ok(Some(then(&credential.presented(head, &uri))))
    }

    /// Gives the verdict of [`authenticate`](Self::authenticate) where there is nothing to wait for:
    /// on a request without a credential, or with a token that was verified before. `None` if it
    /// takes longer.
    pub fn authenticate_now<H: Headers>(
        &self,
        head: &Head<'_, H>,
    ) -> Option<Result<Option<Principal>, Refusal>> {
        let credential = match self.credential(head) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Some(Ok(None)),
            Err(refusal) => return Some(Err(refusal)),
        };
        let Authority::Verifier(verifier) = &self.shared.authority else {
            return None;
        };
        // The form is not looked at: a token that is remembered has it.
        let uri = credential.uri(head);
        let verdict = verifier.verify_remembered(&credential.presented(head, &uri))?;
        Some(verdict.map(Some).map_err(Refusal::Token))
    }

    /// Verifies the credential of a request, which there must be, and that its caller may do what the
    /// rule asks for. `parameter` gives the decoded value of a named part of the path.
    ///
    /// # Errors
    ///
    /// [`Refusal`], every variant.
    pub async fn admit<H: Headers>(
        &self,
        head: &Head<'_, H>,
        rule: &Rule,
        parameter: impl Fn(&str) -> Option<String>,
    ) -> Result<Principal, Refusal> {
        let caller = self.authenticate(head).await?.ok_or(Refusal::Missing)?;
        self.check(&caller, rule, parameter)?;
        Ok(caller)
    }

    /// Requires that a caller may do what the rule asks for.
    ///
    /// # Errors
    ///
    /// [`Refusal::Denied`], or [`Refusal::PathParameter`] if the path has not the named part.
    pub fn check(
        &self,
        caller: &Principal,
        rule: &Rule,
        parameter: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Refusal> {
        let clock = || match &self.shared.authority {
            Authority::Verifier(verifier) => (verifier.now(), verifier.leeway()),
            Authority::Other(other) => (other.now(), Duration::ZERO),
        };
        rule.check(caller, clock, parameter)
    }

    /// Says how a refusal looks.
    #[must_use]
    pub fn answer<H: Headers>(&self, refusal: &Refusal, head: &Head<'_, H>) -> Answer {
        let shared = &*self.shared;
        let style = Style {
            realm: &shared.realm,
            resource_metadata: shared.resource_metadata.as_deref(),
            dpop: self.dpop().map(|verifier| verifier.dpop().algorithms()),
            nonce: self.dpop_nonce(),
            grpc: shared.grpc,
        };
        let mut answer = Answer::of(refusal, &style, head);
        if let Some(answers) = &shared.answers {
            answers(refusal, &mut answer);
        }
        answer
    }

    /// Gives the headers to add to the answer of a request that was let in: names in lower case. A
    /// `cache-control` that the answer has already stays. `optional` says that callers without a
    /// credential are let in, too.
    ///
    /// # Security
    ///
    /// Shared caches leave answers to requests with `Authorization` alone (RFC 9111 §3.5), but not those
    /// to requests with a cookie or a key: without these headers they would give them to others.
    pub fn response_headers(
        &self,
        request: &impl Headers,
        optional: bool,
    ) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        headers.extend(self.dpop_nonce().map(|nonce| ("dpop-nonce", nonce)));
        let sent = |name| request.lines(name).next().is_some();
        let Shared { token_header, api_key_header, .. } = &*self.shared;
        let others = ["cookie", api_key_header].into_iter().chain(token_header.as_deref());
        if !sent("authorization") && others.into_iter().any(sent) {
            headers.push(("cache-control", "private".to_owned()));
        }
        if optional {
            let token_header = token_header.as_deref().unwrap_or("authorization");
            headers.push(("vary", format!("{token_header}, cookie, {api_key_header}")));
        }
        headers
    }

    fn dpop_nonce(&self) -> Option<String> {
        let verifier = self.dpop()?;
        verifier.dpop().nonce(verifier.now())
    }

    /// Says whether this is a clone of the other one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The verifier, where proofs of `DPoP` are taken.
    fn dpop(&self) -> Option<&Verifier> {
        match (&self.shared.authority, &self.shared.public_url) {
            (Authority::Verifier(verifier), Some(_)) => Some(verifier),
            _ => None,
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("realm", &self.shared.realm).finish_non_exhaustive()
    }
}
