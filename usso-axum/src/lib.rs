#![cfg_attr(feature = "remote", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "remote"),
    doc = "Verified callers for axum and tower. See the README, or the documentation with all features."
)]

#[cfg(feature = "server")]
mod api;
mod guard;
#[cfg(feature = "server")]
mod http;

#[cfg(feature = "server")]
pub use api::router;
pub use guard::{
    Auth, Authenticated, Gate, Gated, MaybeAuthenticated, Protected, Refused, Require,
};
#[cfg(feature = "server")]
pub use http::config::{HttpConfig, MetricsAccess};
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

/// The code of the repository's README.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../../README.md")]
struct Readme;
