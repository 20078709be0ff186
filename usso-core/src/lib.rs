#![doc = include_str!("../README.md")]

pub mod access;
mod config;
mod deps;
pub mod directory;
mod engine;
pub mod flow;
pub mod kernel;
mod local;
#[cfg(test)]
mod refusals;
mod schema;
pub mod session;
pub mod store;

pub use config::{Config, Limits};
pub use deps::Deps;
pub use engine::{Ports, StartError, TenantHint, Usso};
pub use local::Local;
pub use schema::MIGRATIONS;
