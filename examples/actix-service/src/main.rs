//! An actix service that verifies its callers.
fn main() {}
