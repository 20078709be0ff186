//! Attacks, vectors and peers for the verifier, one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod certificate;
mod claims;
mod codes;
mod dpop;
mod header;
mod interop;
mod issuer;
mod keys;
mod properties;
mod support;
mod text;
mod time;
