//! `auth/register`, `auth/login`, `auth/password`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use usso_core::{
    Deps,
    flow::password,
    kernel::{
        secret::Secret,
        text::{Identifier, IdentifierType},
    },
};
use utoipa::ToSchema;

use super::{
    session::{Transport, deliver},
    view::{TokenView, UserView},
};
use crate::http::{
    caller::SignedIn,
    cookie::Site,
    error::{ErrorBody, Failure},
    input::{Json, With},
    request::Context,
};

/// Who signs in, by what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// An e-mail address, a phone number with country code, or a user name.
    identifier: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    secret: Secret<String>,
    /// The kind of identifier; found out if absent.
    #[schema(value_type = Option<String>)]
    r#type: Option<IdentifierType>,
    /// The method; only `password` here.
    #[expect(dead_code, reason = "there is one method: reading it is the check")]
    method: Option<Method>,
    /// How the refresh token is handed over; default `json`.
    #[serde(default)]
    transport: Transport,
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    /// An e-mail address, a phone number with country code, or a user name.
    identifier: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    secret: Secret<String>,
    /// What to call the user.
    #[serde(default)]
    name: Option<String>,
    /// The kind of identifier; found out if absent.
    #[schema(value_type = Option<String>)]
    r#type: Option<IdentifierType>,
    /// The method; only `password` here.
    #[expect(dead_code, reason = "there is one method: reading it is the check")]
    method: Option<Method>,
    /// How the refresh token is handed over; default `json`.
    #[serde(default)]
    transport: Transport,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The password that works now.
    #[schema(value_type = String, format = Password)]
    current_secret: Secret<String>,
    /// The password that shall work.
    #[schema(value_type = String, format = Password)]
    new_secret: Secret<String>,
    /// How the refresh token is handed over; default `json`.
    #[serde(default)]
    transport: Transport,
}

/// The methods that these routes know.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    /// A memorised secret.
    Password,
}

/// Creates an account and signs it in.
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = Register, responses(
    (status = 201, body = TokenView, description = "The account exists and is signed in."),
    (status = 403, body = ErrorBody, description = "`password.registration_closed`"),
    (status = 409, body = ErrorBody, description = "`user.identifier_taken`"),
    (status = 422, body = ErrorBody, description = "`identifier.invalid`, `password.too_short`, `password.too_long`, `password.common`, `password.personal`, `password.weak`, `request.invalid`"),
    (status = 429, body = ErrorBody, description = "`password.busy`, `password.limited`, with `Retry-After`"),
))]
pub(crate) async fn register(
    Context(deps): Context,
    OriginalUri(uri): OriginalUri,
    site: Site,
    Json(body): Json<Register>,
) -> Result<Response, Failure> {
    check(&site, &deps, body.transport)?;
    let identifier = of_kind(&body.identifier, body.r#type)?;
    let name = body.name.unwrap_or_default();
    let (user, tokens) = password::register(&deps, &identifier, body.secret, name).await?;
    let view = UserView::read(&deps, user).await?;
    Ok((StatusCode::CREATED, deliver(&deps, &uri, &tokens, Some(view), body.transport))
        .into_response())
}

/// Signs in with a password.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Login, responses(
    (status = 200, body = TokenView, description = "Signed in."),
    (status = 401, body = ErrorBody, description = "`password.not_valid`: unknown identifier or wrong password"),
    (status = 403, body = ErrorBody, description = "`user.not_active`, `tenant.suspended`"),
    (status = 429, body = ErrorBody, description = "`password.busy`, `password.limited`, with `Retry-After`"),
))]
pub(crate) async fn login(
    Context(deps): Context,
    OriginalUri(uri): OriginalUri,
    site: Site,
    Json(body): Json<Login>,
) -> Result<Response, Failure> {
    check(&site, &deps, body.transport)?;
    let identifier = of_kind(&body.identifier, body.r#type).unwrap_or(body.identifier);
    let (user, tokens) = password::sign_in(&deps, &identifier, body.secret).await?;
    let view = UserView::read(&deps, user).await?;
    Ok(deliver(&deps, &uri, &tokens, Some(view), body.transport).into_response())
}

/// Sets a new password. All sessions end; the answer carries a new one.
#[utoipa::path(post, path = "/auth/password", tag = "auth", request_body = Change,
    security(("bearer" = [])), responses(
    (status = 200, body = TokenView, description = "The password is set; these are the tokens of the only session."),
    (status = 401, body = ErrorBody, description = "`password.not_valid`, or the access token is not valid"),
    (status = 422, body = ErrorBody, description = "as for `auth/register`"),
    (status = 429, body = ErrorBody, description = "`password.busy`, `password.limited`, with `Retry-After`"),
))]
pub(crate) async fn change(
    OriginalUri(uri): OriginalUri,
    site: Site,
    With(SignedIn { deps, caller }, body): With<SignedIn, Change>,
) -> Result<Response, Failure> {
    check(&site, &deps, body.transport)?;
    let tokens = password::change(&deps, &caller, body.current_secret, body.new_secret).await?;
    let view = UserView::read(&deps, caller.user).await?;
    Ok(deliver(&deps, &uri, &tokens, Some(view), body.transport).into_response())
}

/// No other site signs a browser in here.
fn check(site: &Site, deps: &Deps, transport: Transport) -> Result<(), Failure> {
    if transport == Transport::Cookie { site.check(deps) } else { Ok(()) }
}

/// The canonical text of an identifier whose kind was named, or the text as it is.
fn of_kind(text: &str, kind: Option<IdentifierType>) -> Result<String, Failure> {
    let Some(kind) = kind else {
        return Ok(text.to_owned());
    };
    match Identifier::parse_as(kind, text) {
        Ok(identifier) => Ok(identifier.as_str().to_owned()),
        Err(reason) => Err(Failure::refused(&password::Refused::Identifier(reason))),
    }
}
