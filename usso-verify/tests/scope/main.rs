//! The scope engine: its grammar, its rules, and the holes of earlier engines, one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod access;
mod grammar;
mod holes;
mod paths;
mod properties;
mod subset;

use std::collections::BTreeMap;

/// One alternative of a request.
fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
