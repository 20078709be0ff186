//! What every part stands on: ids, time, randomness, secrets, refusals, proofs, events, limits and
//! the ports to the outside, each with a test double in [`testing`].

pub mod custody;
pub mod entropy;
pub mod event;
pub mod hashing;
pub mod id;
pub mod limit;
pub mod proof;
pub mod refusal;
pub mod secret;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
