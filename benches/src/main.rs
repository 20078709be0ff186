//! Every published figure beside its limit or peer, in one run.
//!
//! `cargo xtask bench` runs all; `cargo xtask bench verify`, `guard`, `login`, `refresh` or `server`
//! runs one.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program that measures and prints, and stops at the first thing that is wrong"
)]

mod guard;
mod http;
mod login;
mod process;
mod refresh;
mod verify;

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    verify::peers::install();
    if runs("verify") {
        verify::run().await;
    }
    if runs("guard") {
        guard::run().await;
    }
    if runs("login") {
        login::run().await;
    }
    if runs("refresh") {
        refresh::run().await;
    }
    if runs("server") {
        process::run().await;
    }
}
