//! Opaque credentials: what is asked, what is believed, what is remembered; one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod answers;
mod api_key;
mod codes;
mod config;
mod introspection;
#[cfg(feature = "remote")]
mod lookup;
mod support;
