//! The mounted REST API, compared with the router that it is.
#![cfg(test)]

mod mount;
mod parity;
mod support;
mod wire;
