//! A service that verifies its callers: who is this, and what may they do?
//!
//! | route | for whom |
//! | --- | --- |
//! | `GET /` | anybody |
//! | `GET /me` | callers with a good token |
//! | `GET /claims` | those whose token names their department |
//! | `GET /files` | the scope `read:files` |
//! | `GET /users/{id}` | the scope `read:users`, or `read:users?user_id=…` with this id |
//! | `POST /payments` | who signed in no longer than five minutes ago |
//! | `GET /machine` | service accounts |
//!
//! Start `cargo run --release -p usso-server` in an empty folder and paste the line of its banner that
//! sets `TOKEN`. Start this and ask:
//!
//! ```sh
//! curl -i localhost:3000/me
//! curl -i localhost:3000/me -H "Authorization: Bearer $TOKEN"
//! curl -i -X POST localhost:3000/payments -H "Authorization: Bearer $TOKEN"
//! ```
//!
//! `/files`, `/users/7` and `/claims` refuse the administrator until this, and a sign-in after it
//! (paste the line again); `sub` in the answer of `/me` is the `$ID`:
//!
//! ```sh
//! curl -X PATCH localhost:8000/api/sso/v1/users/$ID -H "Authorization: Bearer $TOKEN" \
//!   -H 'Content-Type: application/json' -d '{"scopes": ["read:files", "read:users?user_id=7"],
//!   "custom_claims": {"department": "lab"}}'
//! ```
//!
//! The server has no service accounts, so `/machine` refuses everybody there.

mod handlers;

use std::{
    error::Error,
    sync::{Arc, atomic::AtomicU64},
};

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use tokio::net::TcpListener;
use usso_axum::{Auth, InvalidRule, Rule};
use usso_verify::{Issuer, JwksSource, Verifier};

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
    Ok(axum::serve(listener, app(Auth::new(verifier))?).await?)
}

/// The app's own state, and beside it the guard.
#[derive(Clone)]
struct App {
    auth: Auth,
    payments: Arc<AtomicU64>,
}

/// Lets the extractors find the guard. `#[derive(FromRef)]` of axum writes the same.
impl FromRef<App> for Auth {
    fn from_ref(app: &App) -> Self {
        app.auth.clone()
    }
}

fn app(auth: Auth) -> Result<Router, InvalidRule> {
    // A route is guarded by a layer, or by an extractor in the signature of its handler.
    let files = get(async || "The files.").layer(auth.require("read:files")?);
    let machine = get(async || "Hello, machine.").layer(auth.require(Rule::new().service())?);
    let router = Router::new()
        .route("/", get(handlers::home))
        .route("/me", get(handlers::me))
        .route("/claims", get(handlers::claims))
        .route("/files", files)
        .route("/users/{id}", get(handlers::user))
        .route("/payments", post(handlers::pay))
        .route("/machine", machine);
    Ok(router.with_state(App { auth, payments: Arc::default() }))
}

#[cfg(test)]
mod tests;
