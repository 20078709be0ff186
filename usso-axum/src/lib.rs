#![doc = include_str!("../README.md")]

#[cfg(feature = "server")]
mod api;
mod guard;
#[cfg(feature = "server")]
mod http;

#[cfg(feature = "server")]
pub use api::router;
pub use guard::{Auth, Authenticated, Gate, Gated, MaybeAuthenticated, Refused, Require};
#[cfg(feature = "server")]
pub use http::config::{HttpConfig, MetricsAccess};
pub use usso_verify::{
    Principal, UserData,
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
