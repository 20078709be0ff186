//! The server as its operator meets it: the real binary, its files, its signals, its answers.

#![cfg(test)]

mod files;
mod http;
mod killed;
mod process;
mod serving;
mod settings;
mod start;
mod storm;
