//! Opaque credentials: tokens and API keys that only their issuer can read.
//!
//! | what | asks | with |
//! | --- | --- | --- |
//! | [`Introspection`] | the issuer's introspection endpoint | `RFC 7662` |
//! | [`ApiKeys`] | USSO's `…/apikeys/verify` | `{"api_key": …}` |
//! | [`KeyLookup`] | the app's own database | a function of the app |
//!
//! The first two are pure: they admit a credential, build the request and judge the answer.
//! [`Answers`] remembers verdicts and says when to ask; it performs no I/O either, so that a host
//! without threads can drive it. [`Lookup`] (feature `remote`) does the whole with a
//! [`Fetch`](crate::Fetch):
//!
//! 1. Admit: where the credential came from, its prefix, alphabet and length. What is not admitted
//!    is neither hashed nor sent.
//! 2. Recall a verdict, by digest.
//! 3. Join the request for the same credential that is under way, if there is one.
//! 4. Start one: refused at once when too many are under way or the issuer is down.
//! 5. Judge the answer strictly and remember the verdict, never longer than the credential lives.
//!
//! # Security
//!
//! * A credential goes to the configured address only, and only if it is of the expected form: a
//!   password of HTTP Basic or the token of some other service is not.
//! * A trouble of the issuer is [`Error::Unavailable`], to be answered with 503. It never counts
//!   as a refusal and is not remembered as one; no verdict is used beyond its life because the
//!   issuer is down.
//! * Credentials tried at random fill their own bounded memory and cannot push out good ones.
//!
//! Every refusal, with its public code:
//!
//! | code | when |
//! | --- | --- |
//! | `opaque.audience` | the credential is for another audience |
//! | `opaque.expired` | its life is over, although the issuer calls it active |
//! | `opaque.inactive` | the issuer does not vouch for it |
//! | `opaque.issued_in_future` | its `iat` has not come |
//! | `opaque.issuer` | it is from another issuer |
//! | `opaque.malformed` | wrong length or alphabet; nothing was asked |
//! | `opaque.not_yet_valid` | its `nbf` has not come |
//! | `opaque.subject` | the issuer vouches for it without naming anyone |
//! | `opaque.token_type` | the token is not an access token, or is for DPoP and names no key |
//! | `opaque.unavailable` | nobody can tell at present; the only one that is not the bearer's fault |
//! | `opaque.unrecognised` | not a credential that may be asked about here; nothing was asked |

mod answers;
mod api_key;
mod breaker;
mod client;
mod credential;
mod endpoint;
mod error;
mod introspection;
#[cfg(feature = "remote")]
mod lookup;
mod rules;
mod weight;

pub use answers::{Answers, Limits, Status, Step, Ticket};
pub use api_key::{ApiKeys, KeyLookup, KeyRules, LookupFailed};
pub use client::ClientAuth;
#[cfg(not(target_family = "wasm"))]
pub(crate) use credential::Fingerprint;
pub(crate) use credential::is_token68;
pub use credential::{Credential, Origin};
pub use error::{ConfigError, Error, Reason};
pub use introspection::Introspection;
#[cfg(feature = "remote")]
pub use lookup::Lookup;
pub use rules::Audiences;

use crate::claims::UserData;
use crate::fetch::{Request, Response};

/// An issuer that can be asked about credentials: what to send it, and what its answer means.
///
/// Pure: whoever calls it sends the request. Implemented by [`Introspection`] and [`ApiKeys`].
pub trait Upstream: Send + Sync {
    /// Checks that this text, from this place, is a credential that may be sent.
    ///
    /// # Errors
    ///
    /// [`Error::Unrecognised`], [`Error::Malformed`].
    fn credential<'c>(&self, text: &'c str, origin: Origin) -> Result<Credential<'c>, Error>;

    /// Builds the question about a credential.
    fn request(&self, credential: &Credential<'_>) -> Request;

    /// Judges the answer as of `now`, in seconds since the epoch.
    ///
    /// # Errors
    ///
    /// [`Error`], every variant except those of [`credential`](Self::credential).
    fn judge(&self, answer: &Response, now: u64) -> Result<UserData, Error>;
}
