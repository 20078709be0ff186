//! The REST API through the real router.
#![cfg(test)]

mod account;
mod administration;
mod edges;
mod support;
mod tenants;
mod tokens;
