//! The layer and the extractors, in real routers.
#![cfg(test)]

mod layers;
mod table;
mod upgrade;
