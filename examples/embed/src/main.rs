//! An app with its own routes and usso beside them: one process, one address, one database file.
//!
//! People register and sign in at `http://localhost:3000/api/sso/v1/auth/…`; with the access token
//! from there they keep notes at `/notes`. The notes are in memory, as they are not the point.

mod identity;

use std::{
    collections::HashMap, error::Error, net::SocketAddr, path::Path, sync::Arc, time::Duration,
};

use axum::{
    Json, Router,
    extract::{FromRequestParts, State},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    routing::get,
};
use tokio::{net::TcpListener, sync::Mutex};
use usso_axum::HttpConfig;
use usso_core::{
    TenantHint, Usso,
    kernel::{event::Origin, refusal::Stop},
    session::token::authenticate,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usso = identity::start(Path::new(".")).await?;
    let app = app(usso.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            // What cannot be removed now is removed in a minute.
            drop(usso.purge().await);
        }
    });
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    // With its address, a client's attempts count as its own.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}

#[derive(Clone)]
struct App {
    usso: Usso,
    notes: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

/// The app's own routes; usso answers all others.
fn app(usso: Usso) -> Router {
    let state = App { usso: usso.clone(), notes: Arc::default() };
    let own = Router::new()
        .route("/", get(async || "Notes, each to their own."))
        .route("/notes", get(list).post(add))
        .with_state(state);
    own.merge(usso_axum::router(usso, HttpConfig::default()))
}

async fn list(State(app): State<App>, SignedIn(user): SignedIn) -> Json<Vec<String>> {
    let notes = app.notes.lock().await;
    Json(notes.get(&user).cloned().unwrap_or_default())
}

async fn add(State(app): State<App>, SignedIn(user): SignedIn, note: String) -> StatusCode {
    app.notes.lock().await.entry(user).or_default().push(note);
    StatusCode::CREATED
}

/// The id of the user whose access token came with the request.
struct SignedIn(String);

impl FromRequestParts<App> for SignedIn {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let header = parts.headers.get(AUTHORIZATION);
        let text = header.and_then(|value| value.to_str().ok());
        let token = text.and_then(|text| text.strip_prefix("Bearer "));
        let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
        let tenant = app.usso.find_tenant(TenantHint::default()).await;
        let Ok(Some(tenant)) = tenant else {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        };
        match authenticate(&app.usso.deps(tenant, Origin::default()), token).await {
            Ok(caller) => Ok(Self(caller.user.id.to_string())),
            Err(Stop::Refused(_)) => Err(StatusCode::UNAUTHORIZED),
            Err(Stop::Fault(_)) => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

#[cfg(test)]
mod tests;
