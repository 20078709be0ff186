#![doc = include_str!("../README.md")]

mod algorithm;
mod base64url;
mod claims;
mod clock;
mod error;
mod fetch;
mod issuer;
mod jwk;
mod key;
mod key_set;
mod material;
mod source;
mod token;
mod verifier;

pub mod json;

pub use algorithm::Algorithm;
pub use claims::{Audience, UserData};
pub use clock::Clock;
pub use error::{ConfigError, KeyError, VerifyError};
pub use fetch::{BoxFuture, Fetch, FetchError, Request, Response};
pub use issuer::Issuer;
pub use jwk::{Jwk, Jwks};
pub use key::VerifyingKey;
pub use key_set::KeySet;
pub use material::spki_kid;
pub use source::{KeySource, Need};
pub use verifier::{Verifier, VerifierBuilder};
