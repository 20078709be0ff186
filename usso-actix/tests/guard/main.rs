//! Middleware and extractors in real actix apps.
#![cfg(test)]

mod attacks;
mod dpop;
mod extractors;
mod middleware;
mod support;
mod table;
mod wire;
