//! A service for many tenants, each with an issuer of its own.
fn main() {}
