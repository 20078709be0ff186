#![cfg_attr(feature = "remote", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "remote"),
    doc = "Verified callers for actix-web. See the README, or the documentation with all features."
)]

mod guard;
#[cfg(feature = "server")]
mod server;

pub use guard::{Auth, Authenticated, Gate, Gated, MaybeAuthenticated, Refused, Require};
#[cfg(feature = "server")]
pub use server::server;
#[cfg(feature = "server")]
pub use usso_axum::{HttpConfig, MetricsAccess};
#[cfg(feature = "testing")]
pub use usso_verify::testing;
pub use usso_verify::{
    self as verify, Principal, UserData,
    guard::{
        Answer, Authenticator, Authority, Guard, GuardBuilder, InvalidGuard, InvalidRule, Policy,
        Refusal, Rule, require,
    },
    step_up::Requirement,
};
