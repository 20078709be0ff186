#![cfg_attr(feature = "remote", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "remote"),
    doc = "Verifies signed access tokens locally. See the README, or the documentation with all features."
)]

mod access;
mod algorithm;
mod base64url;
mod builder;
mod claim_set;
mod claims;
mod clock;
mod error;
mod fetch;
mod fields;
mod header;
#[cfg(feature = "remote")]
mod http;
mod issuer;
mod issuers;
mod jwk;
mod key;
mod key_set;
mod material;
mod observe;
mod presented;
mod principal;
mod profile;
mod protected_resource;
mod revocation;
mod roca;
mod setup;
mod signature;
mod source;
mod token;
mod token_cache;
mod uri;
mod verifier;
mod verifier_opaque;

pub mod call;
pub mod certificate;
pub mod challenge;
pub mod dpop;
pub mod guard;
pub mod json;
pub mod jwks;
pub mod opaque;
pub mod scope;
pub mod step_up;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;

pub use access::{Denied, Values};
pub use algorithm::Algorithm;
pub use builder::VerifierBuilder;
pub use claims::{Audience, Confirmation, UserData};
pub use clock::{Clock, SystemClock};
pub use error::{ConfigError, KeyError, VerifyError};
pub use fetch::{BoxFuture, Fetch, FetchError, Request, Response};
#[cfg(feature = "remote")]
pub use http::{HttpFetch, HttpFetchBuilder};
pub use issuer::Issuer;
pub use jwk::{Jwk, Jwks};
#[cfg(feature = "remote")]
pub use jwks::{JwksSource, JwksSourceBuilder};
pub use key::VerifyingKey;
pub use key_set::KeySet;
pub use material::spki_kid;
#[cfg(feature = "metrics")]
pub use observe::MetricsObserver;
#[cfg(feature = "tracing")]
pub use observe::TracingObserver;
pub use observe::{Observer, Seen};
pub use presented::{Platform, Presented};
pub use principal::{Principal, WeakPrincipal};
pub use profile::Profile;
pub use protected_resource::{InvalidResource, ProtectedResource};
pub use revocation::{Revocable, Revocation, RevocationList, RevocationListFull, Revoked};
pub use setup::SetupError;
pub use source::{KeySource, Need, Refresh, Refreshed};
pub use token_cache::TokenCache;
pub use verifier::{Unsigned, Verifier};
