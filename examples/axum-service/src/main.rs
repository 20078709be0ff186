//! An axum service that verifies its callers.
fn main() {}
