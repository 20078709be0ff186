//! Writes the code of the service, client and server, without `protoc`.
//!
//! An app that has a `.proto` file and `protoc` calls `tonic_prost_build::compile_protos` instead and
//! gets the same, and the messages of `src/wire.rs`, too.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str| {
        Method::builder().name(name).route_name(route).codec_path("tonic_prost::ProstCodec")
    };
    let list = method("list", "List").input_type("crate::wire::Empty");
    let read = method("read", "Read").input_type("crate::wire::File").server_streaming();
    let delete = method("delete", "Delete").input_type("crate::wire::File");
    let service = Service::builder()
        .package("files.v1")
        .name("Files")
        .method(list.output_type("crate::wire::Listing").build())
        .method(read.output_type("crate::wire::Chunk").build())
        .method(delete.output_type("crate::wire::Empty").build());
    Builder::new().build_transport(false).compile(&[service.build()]);
}
