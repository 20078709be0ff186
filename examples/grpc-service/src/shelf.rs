//! The methods: what is behind the guard finds the caller in the extensions of the request.

use std::vec;

use tokio::sync::Mutex;
use tonic::{Request, Response, Status};
use usso_axum::Principal;

use crate::wire::{Chunk, Empty, File, Files, Listing};

/// Files in memory, as they are not the point.
pub(crate) struct Shelf(Mutex<Vec<String>>);

impl Default for Shelf {
    fn default() -> Self {
        Self(Mutex::new(vec!["notes".to_owned(), "plans".to_owned()]))
    }
}

#[tonic::async_trait]
impl Files for Shelf {
    type ReadStream = tokio_stream::Iter<vec::IntoIter<Result<Chunk, Status>>>;

    async fn list(&self, request: Request<Empty>) -> Result<Response<Listing>, Status> {
        let reader = caller(&request)?.sub.clone();
        Ok(Response::new(Listing { reader, names: self.0.lock().await.clone() }))
    }

    async fn read(&self, request: Request<File>) -> Result<Response<Self::ReadStream>, Status> {
        let name = &request.get_ref().name;
        if !self.0.lock().await.contains(name) {
            return Err(Status::not_found("there is no such file"));
        }
        let words = ["This is the file ", name, "."];
        let chunks = words.map(|word| Ok(Chunk { data: word.into() }));
        Ok(Response::new(tokio_stream::iter(Vec::from(chunks))))
    }

    async fn delete(&self, request: Request<File>) -> Result<Response<Empty>, Status> {
        // What the guard asks for covers the service; the rest a method asks itself.
        caller(&request)?
            .require("delete", "files")
            .map_err(|denied| Status::permission_denied(format!("{}: {denied}", denied.code())))?;
        self.0.lock().await.retain(|name| *name != request.get_ref().name);
        Ok(Response::new(Empty {}))
    }
}

/// The caller whom the guard let pass.
fn caller<T>(request: &Request<T>) -> Result<&Principal, Status> {
    request.extensions().get().ok_or_else(|| Status::internal("there is no guard around this"))
}
