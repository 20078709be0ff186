//! Published vectors: RFCs and Project Wycheproof, one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod rfc;
mod support;
mod wycheproof;
