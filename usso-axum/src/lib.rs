#![doc = include_str!("../README.md")]

#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod http;

#[cfg(feature = "server")]
pub use api::router;
#[cfg(feature = "server")]
pub use http::config::{HttpConfig, MetricsAccess};
