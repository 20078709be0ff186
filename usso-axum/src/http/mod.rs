//! What all routes share: who asks, of which tenant, in what form, and how refusals look.

pub(crate) mod caller;
pub(crate) mod config;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod error;
pub(crate) mod input;
pub(crate) mod observe;
pub(crate) mod request;
