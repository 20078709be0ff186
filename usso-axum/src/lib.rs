#![doc = include_str!("../README.md")]

#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod http;

#[cfg(feature = "server")]
pub use api::router;
#[cfg(feature = "server")]
pub use http::config::{HttpConfig, MetricsAccess};

/// The code of the repository's README.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../../README.md")]
struct Readme;
