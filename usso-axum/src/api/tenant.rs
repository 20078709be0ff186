//! `tenants`: for administrators of the installation.

use axum::{Json as Answer, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use usso_core::{
    directory::tenant::{self, NewTenant, Settings, TenantStatus},
    kernel::{id::TenantId, refusal::Stop},
};
use utoipa::ToSchema;

use super::view::{Page, Paging, TenantView};
use crate::http::{
    caller::Superadmin,
    error::{ErrorBody, Failure},
    input::{Id, Parameters, PathId, With},
};

/// A tenant to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantCreate)]
pub(crate) struct Create {
    /// A short name for URLs: lower-case letters, digits and inner hyphens, up to 63.
    slug: String,
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// Host names under which it is found.
    #[serde(default)]
    domains: Vec<String>,
    /// Its settings; absent ones take their defaults.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Settings,
}

/// What to change of a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantUpdate)]
pub(crate) struct Update {
    /// What people call it.
    name: Option<String>,
    /// The host names, all of them.
    domains: Option<Vec<String>>,
    /// The settings to change; absent ones stay, null ones take their defaults.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// `active` or `suspended`.
    #[schema(value_type = Option<String>)]
    status: Option<TenantStatus>,
}

/// Lists tenants, oldest first.
#[utoipa::path(get, path = "/tenants", tag = "tenants", params(Paging), security(("bearer" = [])), responses(
    (status = 200, body = Page<TenantView>),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
))]
pub(crate) async fn list(
    Superadmin { deps, .. }: Superadmin,
    Parameters(paging): Parameters<Paging>,
) -> Result<Answer<Page<TenantView>>, Failure> {
    let limit = paging.limit()?;
    Ok(Answer(tenant::list(&deps, paging.cursor, limit).await?.map(TenantView::from).into()))
}

/// Creates a tenant.
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = Create, security(("bearer" = [])), responses(
    (status = 201, body = TenantView),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 409, body = ErrorBody, description = "`tenant.slug_taken`, `tenant.domain_taken`"),
    (status = 422, body = ErrorBody, description = "`tenant.invalid`, `tenant.invalid_setting`, `request.invalid`"),
))]
pub(crate) async fn create(
    With(Superadmin { deps, caller }, body): With<Superadmin, Create>,
) -> Result<(StatusCode, Answer<TenantView>), Failure> {
    let Create { slug, name, domains, settings } = body;
    let new = NewTenant { name: name.unwrap_or_else(|| slug.clone()), slug, domains, settings };
    let tenant = tenant::create(&deps, new, caller.user.id).await.map_err(name_setting)?;
    Ok((StatusCode::CREATED, Answer(tenant.into())))
}

/// Shows a tenant.
#[utoipa::path(get, path = "/tenants/{id}", tag = "tenants", params(("id" = String, Path)),
    security(("bearer" = [])), responses(
    (status = 200, body = TenantView),
    (status = 404, body = ErrorBody, description = "`tenant.unknown`"),
))]
pub(crate) async fn read(
    Superadmin { deps, .. }: Superadmin,
    Id(id): Id<TenantId>,
) -> Result<Answer<TenantView>, Failure> {
    Ok(Answer(tenant::read(&deps, id).await?.record.into()))
}

/// Changes a tenant.
#[utoipa::path(patch, path = "/tenants/{id}", tag = "tenants", params(("id" = String, Path)), request_body = Update,
    security(("bearer" = [])), responses(
    (status = 200, body = TenantView),
    (status = 404, body = ErrorBody, description = "`tenant.unknown`"),
    (status = 409, body = ErrorBody, description = "`tenant.changed`, `tenant.default`, `tenant.domain_taken`"),
    (status = 422, body = ErrorBody, description = "`tenant.invalid`, `tenant.invalid_setting`, `request.invalid`"),
))]
pub(crate) async fn update(
    Id(id): Id<TenantId>,
    With(Superadmin { deps, caller }, body): With<Superadmin, Update>,
) -> Result<Answer<TenantView>, Failure> {
    let Update { name, domains, settings, status } = body;
    let settings = settings.unwrap_or_default();
    let update = tenant::Update { name, domains, settings, status };
    let tenant = tenant::update(&deps, id, update, caller.user.id).await.map_err(name_setting)?;
    Ok(Answer(tenant.into()))
}

/// Says which setting is out of its range.
fn name_setting(stop: Stop<tenant::Refused>) -> Failure {
    let field = match &stop {
        Stop::Refused(tenant::Refused::InvalidSetting(field)) => Some(*field),
        _ => None,
    };
    let failure = Failure::from(stop);
    match field {
        Some(field) => failure.detail(format!("settings.{field}")),
        None => failure,
    }
}

impl PathId for TenantId {
    fn read(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|_| Failure::refused(&tenant::Refused::Unknown))
    }
}
