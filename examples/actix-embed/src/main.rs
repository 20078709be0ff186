//! An actix app with its own routes and usso mounted beside them.
fn main() {}
