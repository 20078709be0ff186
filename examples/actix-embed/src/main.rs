//! An actix app with its own routes and usso beside them: one process, one address, one database file.
//!
//! People register and sign in at `http://localhost:3000/api/sso/v1/auth/…`; with the access token
//! from there they keep notes at `/notes`. The notes are in memory, as they are not the point.

mod identity;

use std::{
    collections::HashMap,
    error::Error,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    App, HttpServer, Responder, get,
    http::StatusCode,
    post,
    web::{Data, Json, ServiceConfig},
};
use usso_actix::{Auth, Authenticated, HttpConfig};
use usso_core::{Local, Usso};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usso = identity::start(Path::new(".")).await?;
    let app = app(usso.clone());
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            // What cannot be removed now is removed in a minute.
            drop(usso.purge().await);
        }
    });
    let server = HttpServer::new(move || App::new().configure(app.clone()));
    Ok(server.bind("127.0.0.1:3000")?.run().await?)
}

type Notes = Mutex<HashMap<String, Vec<String>>>;

/// The app's own routes, and usso's. Made once; workers share what is in it.
fn app(usso: Usso) -> impl Fn(&mut ServiceConfig) + Clone + Send {
    let notes = Data::new(Notes::default());
    // Who signed out or was suspended a moment ago is refused: the engine itself is asked.
    let auth = Auth::new(Local::new(&usso));
    let usso = usso_actix::server(usso, HttpConfig::default());
    move |app| {
        app.app_data(notes.clone()).app_data(auth.clone());
        app.service(home).service(list).service(add).configure(&usso);
    }
}

#[get("/")]
async fn home() -> &'static str {
    "Notes, each to their own."
}

#[get("/notes")]
async fn list(notes: Data<Notes>, caller: Authenticated) -> impl Responder {
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    Json(notes.get(&caller.sub).cloned().unwrap_or_default())
}

#[post("/notes")]
async fn add(notes: Data<Notes>, caller: Authenticated, note: String) -> impl Responder {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.entry(caller.sub.clone()).or_default().push(note);
    ("", StatusCode::CREATED)
}

#[cfg(test)]
mod tests;
