//! The REST API through the real router.

mod account;
mod administration;
mod edges;
mod support;
mod tenants;
mod tokens;
