//! Who exists: tenants, users and the identifiers by which users are found.

pub mod credential;
pub mod identifier;
mod settings;
pub mod tenant;
pub mod user;
