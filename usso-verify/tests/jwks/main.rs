//! The JWKS engine and the HTTP client, under attack and in bad weather.

#![cfg(feature = "remote")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod clock;
mod discovery;
mod documents;
mod http;
mod kids;
mod outage;
mod source;
mod support;
mod transfer;
