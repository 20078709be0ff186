//! usso.
fn main() {}
