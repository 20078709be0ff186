//! What goes over the wire. For clients in other languages:
//!
//! ```proto
//! syntax = "proto3";
//! package files.v1;
//!
//! service Files {
//!   rpc List(Empty) returns (Listing);
//!   rpc Read(File) returns (stream Chunk);
//!   rpc Delete(File) returns (Empty);
//! }
//!
//! message Empty {}
//! message File { string name = 1; }
//! message Listing { string reader = 1; repeated string names = 2; }
//! message Chunk { bytes data = 1; }
//! ```

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct File {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Listing {
    #[prost(string, tag = "1")]
    pub(crate) reader: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) names: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Chunk {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) data: Vec<u8>,
}

#[allow(
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    unreachable_pub,
    reason = "`build.rs` wrote it"
)]
mod generated {
    tonic::include_proto!("files.v1.Files");
}

#[cfg(test)]
pub(crate) use generated::files_client::FilesClient;
pub(crate) use generated::files_server::{Files, FilesServer};
