//! Verified callers: the middleware and the extractors.

mod auth;
mod extract;
mod head;
mod layer;
mod refused;

pub use auth::Auth;
pub use extract::{Authenticated, MaybeAuthenticated, Require};
pub use layer::{Gate, Gated};
pub use refused::Refused;
