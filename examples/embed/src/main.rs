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
    extract::{FromRef, State},
    http::StatusCode,
    routing::get,
};
use tokio::{net::TcpListener, sync::Mutex};
use usso_axum::{Auth, Authenticated, HttpConfig};
use usso_core::{Local, Usso};

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

#[derive(Clone, FromRef)]
struct App {
    auth: Auth,
    notes: Notes,
}

/// By the `sub` of whom they belong to.
type Notes = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// The app's own routes; usso answers all others.
fn app(usso: Usso) -> Router {
    // Who signed out or was suspended a moment ago is refused: the engine itself is asked.
    let auth = Auth::new(Local::new(&usso));
    let state = App { auth, notes: Arc::default() };
    let own = Router::new()
        .route("/", get(async || "Notes, each to their own."))
        .route("/notes", get(list).post(add))
        .with_state(state);
    own.merge(usso_axum::router(usso, HttpConfig::default()))
}

async fn list(State(notes): State<Notes>, caller: Authenticated) -> Json<Vec<String>> {
    let notes = notes.lock().await;
    Json(notes.get(&caller.sub).cloned().unwrap_or_default())
}

async fn add(State(notes): State<Notes>, caller: Authenticated, note: String) -> StatusCode {
    notes.lock().await.entry(caller.sub.clone()).or_default().push(note);
    StatusCode::CREATED
}

#[cfg(test)]
mod tests;
