//! A test kit: an issuer in memory that mints, rotates, goes down and answers slowly.
//!
//! An app's own test needs three lines:
//!
//! ```
//! use usso_verify::testing::TestIssuer;
//!
//! let issuer = TestIssuer::new("https://sso.example");
//! let verifier = issuer.verifier("https://api.example");
//! let token = issuer.mint().audience("https://api.example").scope("read:files").sign();
//!
//! assert!(verifier.verify_local(&token)?.has_scope("read:files"));
//! # Ok::<(), usso_verify::VerifyError>(())
//! ```
//!
//! Keys, clock and network are the issuer's own: nothing here touches the real ones. It panics where
//! a library would return an error, because a test wants to stop there.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test stops at what should not happen"
)]

mod clock;
mod issuer;
mod malformed;
mod mint;
mod prover;
pub mod requests;
mod signer;

pub use clock::TestClock;
pub use issuer::TestIssuer;
pub use malformed::Malformed;
pub use mint::Mint;
pub use prover::Prover;
