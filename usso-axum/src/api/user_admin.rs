//! `users`: for administrators of the tenant.

use axum::{Json as Answer, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use usso_core::{
    directory::user::{self, NewUser, UserStatus},
    flow::{password, user_admin},
    kernel::{id::UserId, refusal::Stop, secret::Secret, text::Identifier},
};
use utoipa::ToSchema;

use super::view::{Page, Paging, UserView};
use crate::http::{
    caller::Admin,
    error::{ErrorBody, Failure},
    input::{Id, Parameters, PathId, With},
};

/// A user to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserCreate)]
pub(crate) struct Create {
    /// By what the user is found: e-mail addresses, phone numbers, user names; 1 to 20.
    identifiers: Vec<String>,
    /// A password to begin with; without one the user cannot sign in by password.
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret<String>>,
    /// What to call the user.
    #[serde(default)]
    name: Option<String>,
    /// Roles.
    #[serde(default)]
    roles: Vec<String>,
    /// Scopes.
    #[serde(default)]
    scopes: Vec<String>,
}

/// What to change of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserUpdate)]
pub(crate) struct Update {
    /// What to call the user.
    name: Option<String>,
    /// The roles, all of them.
    roles: Option<Vec<String>>,
    /// The scopes, all of them.
    scopes: Option<Vec<String>>,
    /// `active` or `suspended`. Suspending ends all sessions.
    status: Option<Status>,
    /// Claims that the app adds to tokens, all of them.
    custom_claims: Option<Map<String, Value>>,
}

/// What an administrator can make of a user's status.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Active,
    Suspended,
}

impl From<Update> for user::Update {
    fn from(update: Update) -> Self {
        let status = update.status.map(|status| match status {
            Status::Active => UserStatus::Active,
            Status::Suspended => UserStatus::Suspended,
        });
        let Update { name, roles, scopes, custom_claims, .. } = update;
        Self { name, roles, scopes, status, custom_claims }
    }
}

/// Lists users, oldest first.
#[utoipa::path(get, path = "/users", tag = "users", params(Paging), security(("bearer" = [])), responses(
    (status = 200, body = Page<UserView>),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
))]
pub(crate) async fn list(
    Admin { deps, .. }: Admin,
    Parameters(paging): Parameters<Paging>,
) -> Result<Answer<Page<UserView>>, Failure> {
    let limit = paging.limit()?;
    let page = user::list(&deps, paging.cursor, limit).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for user in page.items {
        items.push(UserView::read(&deps, user).await?);
    }
    Ok(Answer(usso_core::store::Page { items, next: page.next }.into()))
}

/// Creates a user.
#[utoipa::path(post, path = "/users", tag = "users", request_body = Create, security(("bearer" = [])), responses(
    (status = 201, body = UserView),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 409, body = ErrorBody, description = "`user.identifier_taken`"),
    (status = 422, body = ErrorBody, description = "`identifier.invalid`, `user.invalid`, or a code of the password policy"),
))]
pub(crate) async fn create(
    With(Admin { deps, caller }, body): With<Admin, Create>,
) -> Result<(StatusCode, Answer<UserView>), Failure> {
    let identifiers: Result<Vec<Identifier>, _> =
        body.identifiers.iter().map(|text| Identifier::parse(text)).collect();
    let identifiers =
        identifiers.map_err(|reason| Failure::refused(&password::Refused::Identifier(reason)))?;
    user_admin::check_grant(&caller, &body.roles).map_err(|refused| Failure::refused(&refused))?;
    let name = body.name.unwrap_or_default();
    let new = NewUser { identifiers, name, roles: body.roles, scopes: body.scopes };
    let user = password::create(&deps, new, body.secret, caller.user.id).await?;
    Ok((StatusCode::CREATED, Answer(UserView::read(&deps, user).await?)))
}

/// Shows a user.
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = String, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = UserView),
    (status = 404, body = ErrorBody, description = "`user.unknown`"),
))]
pub(crate) async fn read(
    Admin { deps, .. }: Admin,
    Id(id): Id<UserId>,
) -> Result<Answer<UserView>, Failure> {
    let user = user::read(&deps, id).await?.record;
    Ok(Answer(UserView::read(&deps, user).await?))
}

/// Changes a user.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = String, Path)), request_body = Update,
    security(("bearer" = [])), responses(
    (status = 200, body = UserView),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 404, body = ErrorBody, description = "`user.unknown`"),
    (status = 409, body = ErrorBody, description = "`user.changed`, `user.own_account`"),
    (status = 422, body = ErrorBody, description = "`user.invalid`, `request.invalid`"),
))]
pub(crate) async fn update(
    Id(id): Id<UserId>,
    With(Admin { deps, caller }, body): With<Admin, Update>,
) -> Result<Answer<UserView>, Failure> {
    let user = user_admin::update(&deps, &caller, id, body.into()).await?;
    Ok(Answer(UserView::read(&deps, user).await?))
}

/// Deletes a user: identifiers are free again, credentials and sessions are gone.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", params(("id" = String, Path)),
    security(("bearer" = [])), responses(
    (status = 204, description = "The user is gone."),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 404, body = ErrorBody, description = "`user.unknown`"),
    (status = 409, body = ErrorBody, description = "`user.changed`, `user.own_account`"),
))]
pub(crate) async fn delete(
    Admin { deps, caller }: Admin,
    Id(id): Id<UserId>,
) -> Result<StatusCode, Failure> {
    user_admin::delete(&deps, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all sessions of a user.
#[utoipa::path(delete, path = "/users/{id}/sessions", tag = "users", params(("id" = String, Path)),
    security(("bearer" = [])), responses(
    (status = 204, description = "All sessions of the user are over."),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 404, body = ErrorBody, description = "`user.unknown`"),
))]
pub(crate) async fn end_sessions(
    Admin { deps, caller }: Admin,
    Id(id): Id<UserId>,
) -> Result<StatusCode, Failure> {
    user_admin::end_sessions(&deps, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl PathId for UserId {
    fn read(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|_| Stop::Refused(user::Refused::Unknown).into())
    }
}
