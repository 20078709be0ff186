//! Keys that are fetched: when to ask an issuer for its JWKS, and what to believe.
//!
//! [`Engine`] decides and performs no I/O: whoever has a clock and a way to send requests drives
//! it, on any platform. `JwksSource` (feature `remote`) drives it on tokio.
//!
//! 1. A good answer is fresh for as long as it says, within bounds, and is asked for again before
//!    that ends.
//! 2. While the issuer cannot be asked, its last keys stay good up to a hard age.
//! 3. A token may cause a fetch (its `kid` is unknown, its signature does not fit), but all tokens
//!    together only one per cooldown. The cooldown counts from the attempt and grows with failures.
//! 4. A new set replaces the old one only if it is sound; one bad key does not spoil it.
//! 5. A set that nobody asked about past its time (the process slept) is fetched before it is
//!    trusted.
//!
//! # Security
//!
//! A `kid` is an attacker's to choose: unknown ones cost at most one request per cooldown, never
//! delay a token of a known key, and are remembered in bounded space.

mod attempt;
mod control;
mod discovery;
mod document;
mod engine;
mod freshness;
mod location;
mod policy;
mod report;
mod snapshot;
#[cfg(feature = "remote")]
mod source;

pub use attempt::{Attempt, Decision, Progress};
pub use document::{SkipReason, Skipped};
pub use engine::Engine;
pub use location::Location;
pub use policy::Policy;
pub use report::{Failure, JwksEvent, Observer, State, Status};
pub use snapshot::ImportError;
#[cfg(feature = "remote")]
pub use source::{JwksSource, JwksSourceBuilder, LoadError};
