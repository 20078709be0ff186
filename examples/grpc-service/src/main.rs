//! A gRPC service on the port of an axum service, both with verified callers.
fn main() {}
