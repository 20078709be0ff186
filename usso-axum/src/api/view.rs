//! What answers look like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use usso_core::{
    Deps,
    directory::{
        credential,
        identifier::{self, IdentifierRecord},
        tenant::{Settings, Tenant, TenantStatus},
        user::{User, UserStatus},
    },
    kernel::{event::Event, refusal::Fault, time::UnixTime},
    session::{Session, Tokens, keys::StoredKey},
    store::{self, PAGE_MAX},
};
use utoipa::{IntoParams, ToSchema};

use crate::http::error::Failure;

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The entries, in order.
    items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    next: Option<String>,
}

impl<T> From<store::Page<T>> for Page<T> {
    fn from(page: store::Page<T>) -> Self {
        Self { items: page.items, next: page.next }
    }
}

/// Which page of a list is wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// The `next` of the page before.
    pub(crate) cursor: Option<String>,
    /// How many entries at most, 1 to 200; default 50.
    pub(crate) limit: Option<usize>,
}

impl Paging {
    pub(crate) fn limit(&self) -> Result<usize, Failure> {
        page_limit(self.limit)
    }
}

/// The limit of a page, 50 unless asked for.
pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, Failure> {
    let limit = limit.unwrap_or(50);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    let message = "A field is missing, unknown or of the wrong type.";
    let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    Err(Failure::new(status, "request.invalid", message).detail("limit must be 1 to 200"))
}

/// Tokens of a session, as OAuth spells them (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// A signed JWT, `typ` `at+jwt`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// The life of the access token in seconds.
    expires_in: u64,
    /// Exchanged for the next tokens, once. Absent when it was set as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The life of the refresh token in seconds, if it is not used.
    refresh_expires_in: u64,
    /// The session.
    session_id: String,
    /// Who signed in. Absent after a refresh; ask `me`.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView>,
}

impl TokenView {
    pub(crate) fn new(tokens: &Tokens, user: Option<UserView>, with_refresh_token: bool) -> Self {
        Self {
            access_token: tokens.access_token.clone(),
            token_type: "Bearer",
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: with_refresh_token.then(|| tokens.refresh_token.expose().to_owned()),
            refresh_expires_in: tokens.refresh_expires_in.as_secs(),
            session_id: tokens.session.to_string(),
            user,
        }
    }
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    /// The user's id.
    id: String,
    /// The same, under the name that USSO's clients know.
    uid: String,
    /// The tenant.
    tenant_id: String,
    /// What to call the user.
    name: String,
    /// `active`, `pending` or `suspended`.
    status: &'static str,
    /// Whether the user may sign in.
    is_active: bool,
    /// Roles.
    roles: Vec<String>,
    /// Scopes granted to the user itself.
    scopes: Vec<String>,
    /// Claims that the app adds to tokens.
    custom_claims: Map<String, Value>,
    /// By what the user is found.
    identifiers: Vec<IdentifierView>,
    /// By which methods the user can sign in.
    credential_methods: Vec<&'static str>,
    /// Since when, RFC 3339.
    created_at: String,
    /// When it last changed, RFC 3339.
    updated_at: String,
}

/// By what a user is found.
#[derive(Serialize, ToSchema)]
pub(crate) struct IdentifierView {
    /// `email`, `phone` or `username`.
    r#type: &'static str,
    /// In canonical form.
    identifier: String,
    /// When its owner proved to hold it, RFC 3339.
    verified_at: Option<String>,
}

impl UserView {
    /// Reads what belongs to the user's view and is stored elsewhere.
    pub(crate) async fn read(deps: &Deps, user: User) -> Result<Self, Fault> {
        let identifiers = identifier::of_user(deps, user.id).await?;
        let credentials = credential::of_user(deps, user.id).await?;
        Ok(Self {
            id: user.id.to_string(),
            uid: user.id.to_string(),
            tenant_id: deps.tenant.id.to_string(),
            is_active: user.is_active(),
            status: status(user.status),
            name: user.name,
            roles: user.roles,
            scopes: user.scopes,
            custom_claims: user.custom_claims,
            identifiers: identifiers.into_iter().map(|found| found.record.into()).collect(),
            credential_methods: credentials
                .iter()
                .map(|found| found.record.method.as_str())
                .collect(),
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        })
    }
}

fn status(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Pending => "pending",
        UserStatus::Suspended => "suspended",
        _ => "deleted",
    }
}

impl From<IdentifierRecord> for IdentifierView {
    fn from(record: IdentifierRecord) -> Self {
        Self {
            r#type: record.kind().as_str(),
            identifier: record.identifier.as_str().to_owned(),
            verified_at: record.verified_at.map(|time| time.to_string()),
        }
    }
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// The session's id.
    id: String,
    /// Whether it is the session that asks.
    current: bool,
    /// How the user signed in.
    methods: Vec<&'static str>,
    /// From which address it was last used.
    ip: Option<String>,
    /// With which program it was last used.
    user_agent: String,
    /// When the user signed in, RFC 3339.
    authenticated_at: String,
    /// When it was last refreshed, RFC 3339.
    last_used_at: String,
    /// When it ends unless it is refreshed, RFC 3339.
    expires_at: String,
}

impl SessionView {
    pub(crate) fn new(session: &Session, current: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            current: session.id == current.id,
            methods: session.methods.iter().map(|method| method.as_str()).collect(),
            ip: session.device.address.map(|address| address.to_string()),
            user_agent: session.device.user_agent.clone(),
            authenticated_at: session.authenticated_at.to_string(),
            last_used_at: session.last_used_at.to_string(),
            expires_at: session.idle_until.min(session.lifetime.end()).to_string(),
        }
    }
}

/// A tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantView {
    /// The tenant's id.
    id: String,
    /// Its short name.
    slug: String,
    /// What people call it.
    name: String,
    /// `active` or `suspended`.
    status: &'static str,
    /// Host names under which it is found.
    domains: Vec<String>,
    /// Its settings.
    #[schema(value_type = Object)]
    settings: Settings,
    /// Since when, RFC 3339.
    created_at: String,
    /// When it last changed, RFC 3339.
    updated_at: String,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.to_string(),
            slug: tenant.slug,
            name: tenant.name,
            status: if tenant.status == TenantStatus::Active { "active" } else { "suspended" },
            domains: tenant.domains,
            settings: tenant.settings,
            created_at: tenant.created_at.to_string(),
            updated_at: tenant.updated_at.to_string(),
        }
    }
}

/// A signing key, without its private part.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// Hex SHA-256 of the public key.
    kid: String,
    /// What it signs with.
    alg: &'static str,
    /// `next`, `current` or `retired`.
    state: &'static str,
    /// Since when it is published, RFC 3339.
    created_at: String,
    /// Since when it signs or signed, RFC 3339.
    activated_at: Option<String>,
    /// When it leaves the JWKS, RFC 3339.
    published_until: Option<String>,
}

impl KeyView {
    pub(crate) fn new(key: &StoredKey, state: &'static str) -> Self {
        let text = |time: Option<UnixTime>| time.map(|time| time.to_string());
        Self {
            kid: key.kid.clone(),
            alg: key.algorithm.as_str(),
            state,
            created_at: key.created_at.to_string(),
            activated_at: text(key.activated_at),
            published_until: text(key.published_until),
        }
    }
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Sorts by time.
    id: String,
    /// What happened, such as `session.opened`.
    r#type: &'static str,
    /// When, RFC 3339.
    at: String,
    /// Who did it; null when nobody was verified.
    actor: Option<String>,
    /// What it was done to.
    subject: Option<String>,
    /// The session concerned.
    session_id: Option<String>,
    /// From which address.
    ip: Option<String>,
    /// With which program.
    user_agent: Option<String>,
    /// By which request.
    request_id: Option<String>,
    /// More, by type.
    detail: BTreeMap<String, String>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let text = |text: String| if text.is_empty() { None } else { Some(text) };
        Self {
            id: event.id.to_string(),
            r#type: event.kind.as_str(),
            at: event.at.to_string(),
            actor: text(event.actor),
            subject: text(event.subject),
            session_id: event.session.map(|session| session.to_string()),
            ip: event.origin.address.map(|address| address.to_string()),
            user_agent: text(event.origin.user_agent),
            request_id: text(event.origin.request_id),
            detail: event.detail,
        }
    }
}
