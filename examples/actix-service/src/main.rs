//! An actix service that verifies its callers.
//!
//! Start the reference server, which is at `http://localhost:8000`, then this; sign in there and send
//! the access token: `curl -H "Authorization: Bearer $TOKEN" http://localhost:3000/me`.

use std::{error::Error, time::Duration};

use actix_web::{App, HttpServer, get, web};
use usso_actix::{
    Auth, Authenticated, Gate, InvalidRule, Policy, Principal, Require, Requirement, Rule, UserData,
};
use usso_verify::{Issuer, JwksSource, Verifier};

const ISSUER: &str = "http://localhost:8000";
/// For whom tokens must be. The reference server names itself there.
const AUDIENCE: &str = ISSUER;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // On this machine without TLS; elsewhere the issuer is `https://…`.
    let keys = JwksSource::issuer(ISSUER).allow_loopback_http().build()?;
    let issuer = Issuer::new(ISSUER, keys).audience(AUDIENCE);
    // One for all workers, which so share keys and what they verified before.
    let auth = Auth::new(Verifier::builder().issuer(issuer).build()?);
    let rules = Rules::new(&auth)?;
    let app = move || App::new().configure(|app| service(app, &auth, &rules));
    Ok(HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?)
}

/// What routes need of their callers; read once, so that a mistake shows at the start.
#[derive(Clone)]
struct Rules {
    files: Gate,
    user: Gate,
    payments: Gate,
}

impl Rules {
    fn new(auth: &Auth) -> Result<Self, InvalidRule> {
        let recent = Requirement::new().max_age(Duration::from_secs(300));
        Ok(Self {
            files: auth.require("read:files")?,
            user: auth.require("read:users?user_id={id}")?,
            payments: auth.require(Rule::new().authentication(recent))?,
        })
    }
}

/// The routes. A handler that takes its caller is guarded by that; others by what is wrapped.
fn service(app: &mut web::ServiceConfig, auth: &Auth, rules: &Rules) {
    app.app_data(auth.clone())
        .service(home)
        .service(me)
        .service(machine)
        .service(web::resource("/files").wrap(rules.files.clone()).get(files))
        .service(web::resource("/users/{id}").wrap(rules.user.clone()).get(user))
        .service(web::resource("/payments").wrap(rules.payments.clone()).post(pay));
}

#[get("/")]
async fn home() -> &'static str {
    "Everybody may read this."
}

#[get("/me")]
async fn me(user: Authenticated<UserData>) -> String {
    format!("You are {}.", user.sub)
}

async fn files(caller: web::ReqData<Principal>) -> String {
    format!("The files that {} may read.", caller.sub)
}

/// Callers whose scope is `read:users?user_id=7` read user 7 and no other.
async fn user(id: web::Path<String>) -> String {
    format!("User {id}.")
}

/// Needs a sign-in of the last five minutes; others are told to sign in again.
async fn pay() -> &'static str {
    "Paid."
}

/// For service accounts only.
#[get("/machine")]
async fn machine(caller: Require<Machines>) -> String {
    format!("{} is no person.", caller.sub)
}

struct Machines;

impl Policy for Machines {
    fn rule() -> Result<Rule, InvalidRule> {
        Ok(Rule::new().service())
    }
}

#[cfg(test)]
mod tests;
