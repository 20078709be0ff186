//! Verified callers: the layer and the extractors.

mod auth;
mod extract;
mod head;
mod layer;
mod protected;
mod refused;

pub use auth::Auth;
pub use extract::{Authenticated, MaybeAuthenticated, Require};
pub use layer::{Gate, Gated};
pub use protected::Protected;
pub use refused::Refused;
