//! A gRPC service on the port of an axum service: can one guard serve both?
//!
//! It can: to axum a gRPC service is a route, and gRPC sends its token in the same header. A guard that
//! is told to refuses requests of gRPC in that form: the code `UNAUTHENTICATED`,
//! `PERMISSION_DENIED` or `UNAVAILABLE`, and a message that starts with the code HTTP clients get.
//!
//! | | for whom |
//! | --- | --- |
//! | `GET /` | anybody |
//! | `GET /me` | callers with a good token |
//! | `files.v1.Files`, all methods | the scope `read:files` |
//! | `files.v1.Files/Delete` | the scope `delete:files` besides |
//!
//! A stream is judged when it starts, and goes on when its token ends.
//!
//! To see a refusal, which is complete in its headers, start this and ask:
//!
//! ```sh
//! curl -i -X POST -H 'Content-Type: application/grpc' localhost:3000/files.v1.Files/List
//! ```
//!
//! For the rest start `cargo run --release -p usso-server` in an empty folder and paste the line of its
//! banner that sets `TOKEN`. `sub` in the answer of `/me` is the `$ID`:
//!
//! ```sh
//! curl localhost:3000/me -H "Authorization: Bearer $TOKEN"
//! curl -X PATCH localhost:8000/api/sso/v1/users/$ID -H "Authorization: Bearer $TOKEN" \
//!   -H 'Content-Type: application/json' -d '{"scopes": ["read:files"]}'
//! ```
//!
//! The scope is in the token of the next sign-in: paste the line again. Five zero bytes are an empty
//! message of gRPC:
//!
//! ```sh
//! printf '\0\0\0\0\0' | curl --http2-prior-knowledge --data-binary @- -o list.bin \
//!   -H 'Content-Type: application/grpc' -H 'TE: trailers' -H "Authorization: Bearer $TOKEN" \
//!   localhost:3000/files.v1.Files/List && strings list.bin
//! ```

mod shelf;
mod wire;

use std::error::Error;

use axum::{Json, Router, routing::get};
use shelf::Shelf;
use tokio::net::TcpListener;
use tonic::server::NamedService as _;
use usso_axum::{Auth, Authenticated, Guard, InvalidGuard, InvalidRule, Principal};
use usso_verify::{Issuer, JwksSource, Verifier};
use wire::FilesServer;

const ISSUER: &str = "http://localhost:8000";
/// What the issuer calls this service. The reference server gives all services its own name.
const AUDIENCE: &str = ISSUER;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Only for an issuer on this machine: others are reached by https.
    let keys = JwksSource::issuer(ISSUER).allow_loopback_http().build()?;
    let issuer = Issuer::new(ISSUER, keys).audience(AUDIENCE);
    let verifier = Verifier::builder().issuer(issuer).build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app(guard(verifier)?)?).await?)
}

/// It answers gRPC in the form of gRPC.
fn guard(verifier: Verifier) -> Result<Auth, InvalidGuard> {
    Ok(Auth::from(Guard::builder(verifier).grpc().build()?))
}

fn app(auth: Auth) -> Result<Router, InvalidRule> {
    let methods = format!("/{}/{{method}}", FilesServer::<Shelf>::NAME);
    let grpc = Router::new()
        .route_service(&methods, FilesServer::new(Shelf::default()))
        .route_layer(auth.require("read:files")?);
    let http = Router::new().route("/", get(async || "A shelf of files.")).route("/me", get(me));
    Ok(http.with_state(auth).merge(grpc))
}

async fn me(Authenticated(caller): Authenticated) -> Json<Principal> {
    Json(caller)
}

#[cfg(test)]
mod tests;
