//! The handlers: what they take says who may call them.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use usso_axum::{
    Authenticated, InvalidRule, Policy, Require, Requirement, Rule, UserData, require,
};

use crate::App;

pub(crate) async fn home(State(app): State<App>) -> String {
    format!("Payments so far: {}.", app.payments.load(Relaxed))
}

pub(crate) async fn me(Authenticated(user): Authenticated<UserData>) -> Json<UserData> {
    Json(user)
}

/// What this app reads of a token. USSO keeps an app's own claims in the claim `claims`.
#[derive(Deserialize, Serialize)]
pub(crate) struct Staff {
    sub: String,
    claims: Department,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Department {
    department: String,
}

pub(crate) async fn claims(Authenticated(staff): Authenticated<Staff>) -> Json<Staff> {
    Json(staff)
}

pub(crate) struct ReadUser;

impl Policy for ReadUser {
    fn rule() -> Result<Rule, InvalidRule> {
        require("read:users?user_id={id}")
    }
}

pub(crate) async fn user(_: Require<ReadUser>, Path(id): Path<String>) -> String {
    format!("User {id}.")
}

/// A stolen token of this morning does not pay.
pub(crate) struct SignedInJustNow;

impl Policy for SignedInJustNow {
    fn rule() -> Result<Rule, InvalidRule> {
        let five_minutes = Duration::from_secs(300);
        Ok(Rule::new().authentication(Requirement::new().max_age(five_minutes)))
    }
}

pub(crate) async fn pay(
    payer: Require<SignedInJustNow>,
    State(app): State<App>,
) -> (StatusCode, String) {
    app.payments.fetch_add(1, Relaxed);
    (StatusCode::CREATED, format!("{} has paid.", payer.sub))
}
