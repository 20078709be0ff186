//! Tenants: the wall between customers, each with typed settings of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use usso_verify::Algorithm;

use crate::{
    deps::Deps,
    kernel::{
        event::EventType,
        id::{TenantId, UserId},
        refusal::{Fault, Refusal, Stop},
        text,
        time::UnixTime,
    },
    store::{
        Batch, CommitError, ConflictKind, Find, Index, IndexKind, Page, Record, Scope, Store,
        Table, Value, Versioned,
    },
};

const SLUG_MAX: usize = 63;
const NAME_MAX: usize = 200;
const DOMAINS_MAX: usize = 20;
const ORIGINS_MAX: usize = 50;
const AUDIENCES_MAX: usize = 20;

/// Whether a tenant works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TenantStatus {
    /// Works.
    Active,
    /// Nobody signs in and no session is continued; its data stays.
    Suspended,
}

/// Who may create an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Registration {
    /// Only administrators.
    Closed,
    /// Anyone who knows the address.
    #[default]
    Open,
}

/// The settings of a tenant. Unknown fields are refused, absent ones take their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Life of access tokens in seconds; default 900, 60..=86,400.
    pub access_token_seconds: u64,
    /// From where browsers may call, as exact origins such as `https://app.example.com`; default
    /// none, up to 50.
    pub allowed_origins: Vec<String>,
    /// The `aud` of access tokens; default the tenant's issuer, up to 20.
    pub audience: Vec<String>,
    /// The `iss` of tokens; default the installation's issuer, followed by `/t/` and the tenant id
    /// for other tenants than the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The least length of a password in characters; default 8, 8..=64 (NIST SP 800-63B section
    /// 3.1.1.2).
    pub password_min_length: usize,
    /// The least `zxcvbn` strength of a password; default 2, 0..=4.
    pub password_min_strength: u8,
    /// How long in seconds after a refresh the same token may be sent again by a client that missed
    /// the answer; default 10, 0..=60.
    pub refresh_grace_seconds: u64,
    /// Who may create an account; default anyone.
    pub registration: Registration,
    /// How long in seconds a session lives at most; default 2,592,000 (30 days), 300..=31,536,000.
    pub session_seconds: u64,
    /// How long in seconds a session lives without being refreshed; default 1,209,600 (14 days),
    /// 300..=31,536,000.
    pub session_idle_seconds: u64,
    /// The algorithm of new signing keys; default `EdDSA`; also `ES256` and `RS256`. Takes effect
    /// with the second rotation after the change, or at once for a tenant without keys.
    pub signing_algorithm: Algorithm,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_seconds: 900,
            allowed_origins: Vec::new(),
            audience: Vec::new(),
            issuer: None,
            password_min_length: 8,
            password_min_strength: 2,
            refresh_grace_seconds: 10,
            registration: Registration::Open,
            session_seconds: 2_592_000,
            session_idle_seconds: 1_209_600,
            signing_algorithm: Algorithm::EdDsa,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Refused> {
        let bad = |field| Err(Refused::InvalidSetting(field));
        if !(60..=86_400).contains(&self.access_token_seconds) {
            return bad("access_token_seconds");
        }
        if self.allowed_origins.len() > ORIGINS_MAX
            || !self.allowed_origins.iter().all(|origin| is_origin(origin))
        {
            return bad("allowed_origins");
        }
        let audience =
            |text: &String| (1..=200).contains(&text.len()) && !text.contains(char::is_control);
        if self.audience.len() > AUDIENCES_MAX || !self.audience.iter().all(audience) {
            return bad("audience");
        }
        if self.issuer.as_ref().is_some_and(|issuer| check_issuer(issuer).is_err()) {
            return bad("issuer");
        }
        if !(8..=64).contains(&self.password_min_length) {
            return bad("password_min_length");
        }
        if self.password_min_strength > 4 {
            return bad("password_min_strength");
        }
        if self.refresh_grace_seconds > 60 {
            return bad("refresh_grace_seconds");
        }
        if !(300..=31_536_000).contains(&self.session_seconds) {
            return bad("session_seconds");
        }
        if !(300..=31_536_000).contains(&self.session_idle_seconds) {
            return bad("session_idle_seconds");
        }
        if !matches!(self.signing_algorithm, Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256)
        {
            return bad("signing_algorithm");
        }
        Ok(())
    }
}

/// Scheme, host and port of `https://host[:port]` or `http://host[:port]`, with nothing after it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        (1..=260).contains(&host.len())
            && host
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c))
    })
}

/// Checks that an issuer is an `http` or `https` URL without query, fragment or final slash (OpenID
/// Connect Discovery 1.0 section 3).
///
/// # Errors
///
/// A sentence that says what is wrong.
pub fn check_issuer(issuer: &str) -> Result<(), &'static str> {
    let rest = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://"));
    let rest = rest.ok_or("an issuer begins with https:// or http://")?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || issuer.len() > 500 {
        return Err("an issuer has a host and at most 500 characters");
    }
    if issuer.ends_with('/') || issuer.contains(['?', '#', '@']) {
        return Err("an issuer has no final slash, query, fragment or user name");
    }
    if !issuer.chars().all(|c| c.is_ascii_graphic()) {
        return Err("an issuer has visible ASCII characters only");
    }
    Ok(())
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// Never reused.
    pub id: TenantId,
    /// A short name for URLs and people: lower-case letters, digits and inner hyphens, up to 63.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// Whether it works.
    pub status: TenantStatus,
    /// Host names under which it is found; no two tenants share one.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Its settings.
    #[serde(default)]
    pub settings: Settings,
    /// Since when.
    pub created_at: UnixTime,
    /// When it last changed.
    pub updated_at: UnixTime,
}

impl Record for Tenant {
    const TABLE: &'static Table = &Table {
        name: "tenant",
        indexes: &[Index { name: "slug", kind: IndexKind::Text, unique: true }],
    };

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<Option<Value>> {
        vec![Some(Value::text(&self.slug))]
    }
}

/// That a host name leads to a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The host name in ASCII, lower case, without port.
    pub name: String,
    /// Whose.
    pub tenant: TenantId,
}

impl Record for Domain {
    const TABLE: &'static Table = &Table { name: "domain", indexes: &[] };

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// Why an operation on tenants was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Another change of the tenant came first; read it again.
    Changed,
    /// The default tenant cannot be suspended.
    Default,
    /// A host name belongs to another tenant.
    DomainTaken,
    /// The slug, the name or a host name has a wrong form.
    Invalid,
    /// A setting is out of its range.
    InvalidSetting(&'static str),
    /// A setting has an unknown name or a value of the wrong type.
    InvalidSettings,
    /// The slug belongs to another tenant.
    SlugTaken,
    /// There is no such tenant.
    Unknown,
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Changed => "tenant.changed",
            Self::Default => "tenant.default",
            Self::DomainTaken => "tenant.domain_taken",
            Self::Invalid => "tenant.invalid",
            Self::InvalidSetting(_) | Self::InvalidSettings => "tenant.invalid_setting",
            Self::SlugTaken => "tenant.slug_taken",
            Self::Unknown => "tenant.unknown",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Changed | Self::Default | Self::DomainTaken | Self::SlugTaken => 409,
            Self::Invalid | Self::InvalidSetting(_) | Self::InvalidSettings => 422,
            Self::Unknown => 404,
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Changed => "The tenant was changed at the same time. Read it again and repeat.",
            Self::Default => "The default tenant cannot be suspended.",
            Self::DomainTaken => "A host name belongs to another tenant.",
            Self::Invalid => "The slug, the name or a host name has a wrong form.",
            Self::InvalidSetting(_) => "A setting is out of its range.",
            Self::InvalidSettings => "A setting has an unknown name or a value of the wrong type.",
            Self::SlugTaken => "The slug belongs to another tenant.",
            Self::Unknown => "There is no such tenant.",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// A tenant to create.
#[derive(Clone, Debug, Default)]
pub struct NewTenant {
    /// The slug.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// Host names.
    pub domains: Vec<String>,
    /// Settings.
    pub settings: Settings,
}

/// What to change of a tenant; absent fields stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// What people call it.
    pub name: Option<String>,
    /// The host names, all of them.
    pub domains: Option<Vec<String>>,
    /// The settings to change, by name; null puts a setting back to its default.
    pub settings: Map<String, Json>,
    /// Active or suspended.
    pub status: Option<TenantStatus>,
}

/// Creates a tenant. Its signing keys come with its first use.
///
/// # Errors
///
/// [`Refused::Invalid`], [`Refused::InvalidSetting`], [`Refused::SlugTaken`],
/// [`Refused::DomainTaken`], [`Stop::Fault`] if the store failed.
pub async fn create(deps: &Deps, new: NewTenant, actor: UserId) -> Result<Tenant, Stop<Refused>> {
    let now = deps.clock.now();
    let tenant = build(TenantId::new(now, &*deps.entropy)?, new, now).map_err(Stop::Refused)?;
    let event = deps.event(EventType::TenantCreated)?.by(actor).on(tenant.id);
    insert(&deps.store, &tenant, Batch::new().insert(&deps.scope(), &event)).await?;
    // That there was no such slug or host name may be remembered.
    deps.caches.forget_tenant(tenant.id);
    Ok(tenant)
}

/// Makes sure that the default tenant exists, and reads it.
pub(crate) async fn ensure_default(store: &Store, now: UnixTime) -> Result<Tenant, Stop<Refused>> {
    if let Some(found) = find(store, TenantId::DEFAULT).await? {
        return Ok(found.record);
    }
    let new = NewTenant {
        slug: "default".to_owned(),
        name: "Default".to_owned(),
        ..NewTenant::default()
    };
    let tenant = build(TenantId::DEFAULT, new, now).map_err(Stop::Refused)?;
    match insert(store, &tenant, Batch::new()).await {
        // Another process was first.
        Err(Stop::Refused(_)) => {
            let found = find(store, TenantId::DEFAULT).await?;
            found.map(|found| found.record).ok_or(Stop::Refused(Refused::Unknown))
        }
        done => done.map(|()| tenant),
    }
}

fn build(id: TenantId, new: NewTenant, now: UnixTime) -> Result<Tenant, Refused> {
    let tenant = Tenant {
        id,
        slug: new.slug,
        name: new.name,
        status: TenantStatus::Active,
        domains: canonical_domains(new.domains)?,
        settings: new.settings,
        created_at: now,
        updated_at: now,
    };
    check(&tenant)?;
    Ok(tenant)
}

async fn insert(store: &Store, tenant: &Tenant, batch: Batch) -> Result<(), Stop<Refused>> {
    let batch =
        tenant.domains.iter().fold(batch.insert(&Scope::Platform, tenant), |batch, name| {
            batch.insert(&Scope::Platform, &Domain { name: name.clone(), tenant: tenant.id })
        });
    store.commit(batch).await.map_err(refuse)
}

/// Reads a tenant by its id.
pub(crate) async fn find(store: &Store, id: TenantId) -> Result<Option<Versioned<Tenant>>, Fault> {
    store.get::<Tenant>(&Scope::Platform, id).await
}

/// Reads a tenant by its slug.
pub(crate) async fn find_slug(store: &Store, slug: &str) -> Result<Option<Tenant>, Fault> {
    let found = store.find_one::<Tenant>(&Scope::Platform, "slug", Value::text(slug)).await?;
    Ok(found.map(|found| found.record))
}

/// Reads to which tenant a host name leads.
pub(crate) async fn find_domain(store: &Store, name: &str) -> Result<Option<TenantId>, Fault> {
    Ok(store.get::<Domain>(&Scope::Platform, name).await?.map(|found| found.record.tenant))
}

/// Reads a tenant.
///
/// # Errors
///
/// [`Refused::Unknown`], or [`Stop::Fault`] if the store failed.
pub async fn read(deps: &Deps, id: TenantId) -> Result<Versioned<Tenant>, Stop<Refused>> {
    find(&deps.store, id).await?.ok_or(Stop::Refused(Refused::Unknown))
}

/// Lists tenants, oldest first.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn list(
    deps: &Deps,
    cursor: Option<String>,
    limit: usize,
) -> Result<Page<Tenant>, Fault> {
    let page =
        deps.store.find::<Tenant>(&Scope::Platform, Find::all().limit(limit).after(cursor)).await?;
    Ok(page.map(|found| found.record))
}

/// Changes a tenant.
///
/// # Errors
///
/// [`Refused::Unknown`], [`Refused::Invalid`], [`Refused::InvalidSetting`], [`Refused::Default`],
/// [`Refused::DomainTaken`], [`Refused::Changed`], [`Stop::Fault`] if the store failed.
pub async fn update(
    deps: &Deps,
    id: TenantId,
    update: Update,
    actor: UserId,
) -> Result<Tenant, Stop<Refused>> {
    let Versioned { record: before, version } = read(deps, id).await?;
    let mut after = before.clone();
    after.name = update.name.unwrap_or(after.name);
    after.settings = merge(&after.settings, update.settings).map_err(Stop::Refused)?;
    after.status = update.status.unwrap_or(after.status);
    after.updated_at = deps.clock.now();
    if let Some(domains) = update.domains {
        after.domains = canonical_domains(domains).map_err(Stop::Refused)?;
    }
    check(&after).map_err(Stop::Refused)?;
    if id == TenantId::DEFAULT && after.status != TenantStatus::Active {
        return Err(Stop::Refused(Refused::Default));
    }
    let event = deps.event(EventType::TenantUpdated)?.by(actor).on(id);
    let mut batch =
        Batch::new().insert(&deps.scope(), &event).replace(&Scope::Platform, &after, version);
    for name in before.domains.iter().filter(|name| !after.domains.contains(name)) {
        // A domain row is never changed, so its version is the first one.
        batch = batch.remove::<Domain>(&Scope::Platform, name, 1);
    }
    for name in after.domains.iter().filter(|name| !before.domains.contains(name)) {
        batch = batch.insert(&Scope::Platform, &Domain { name: name.clone(), tenant: id });
    }
    deps.store.commit(batch).await.map_err(refuse)?;
    deps.caches.forget_tenant(id);
    Ok(after)
}

/// Changes the named settings and leaves the others.
fn merge(settings: &Settings, changes: Map<String, Json>) -> Result<Settings, Refused> {
    let Ok(Json::Object(mut merged)) = serde_json::to_value(settings) else {
        return Err(Refused::Invalid);
    };
    for (name, value) in changes {
        match value {
            Json::Null => merged.remove(&name),
            value => merged.insert(name, value),
        };
    }
    serde_json::from_value(Json::Object(merged)).map_err(|_| Refused::InvalidSettings)
}

fn refuse(error: CommitError) -> Stop<Refused> {
    match error {
        CommitError::Fault(fault) => Stop::Fault(fault),
        CommitError::Conflict(conflict) => Stop::Refused(match conflict.kind {
            ConflictKind::Taken if conflict.table == Domain::TABLE.name => Refused::DomainTaken,
            ConflictKind::Taken => Refused::SlugTaken,
            ConflictKind::Changed => Refused::Changed,
        }),
    }
}

fn canonical_domains(domains: Vec<String>) -> Result<Vec<String>, Refused> {
    let canonical: Result<Vec<String>, _> =
        domains.into_iter().map(|name| text::domain_name(&name)).collect();
    let mut canonical = canonical.map_err(|_| Refused::Invalid)?;
    canonical.sort();
    canonical.dedup();
    Ok(canonical)
}

fn check(tenant: &Tenant) -> Result<(), Refused> {
    let slug = &tenant.slug;
    let letters = slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let ends = slug.starts_with('-') || slug.ends_with('-');
    let name =
        tenant.name.chars().count() <= NAME_MAX && !tenant.name.chars().any(char::is_control);
    if !letters
        || ends
        || !(1..=SLUG_MAX).contains(&slug.len())
        || !name
        || tenant.domains.len() > DOMAINS_MAX
    {
        return Err(Refused::Invalid);
    }
    tenant.settings.check()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let settings = |text: &str| serde_json::from_str::<Settings>(text).unwrap().check();
        for (field, json) in [
            ("access_token_seconds", r#"{"access_token_seconds": 59}"#),
            ("allowed_origins", r#"{"allowed_origins": ["https://a.example/path"]}"#),
            ("allowed_origins", r#"{"allowed_origins": ["*"]}"#),
            ("audience", r#"{"audience": [""]}"#),
            ("issuer", r#"{"issuer": "https://a.example/"}"#),
            ("password_min_length", r#"{"password_min_length": 7}"#),
            ("password_min_strength", r#"{"password_min_strength": 5}"#),
            ("refresh_grace_seconds", r#"{"refresh_grace_seconds": 61}"#),
            ("session_seconds", r#"{"session_seconds": 1}"#),
            ("session_idle_seconds", r#"{"session_idle_seconds": 1}"#),
            ("signing_algorithm", r#"{"signing_algorithm": "PS256"}"#),
        ] {
            assert_eq!(settings(json), Err(Refused::InvalidSetting(field)), "{json}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"no_such_setting": 1}"#).is_err());
    }

    #[test]
    fn issuers_are_plain_urls() {
        assert!(check_issuer("http://localhost:8000").is_ok());
        assert!(check_issuer("https://sso.example.com/t/org").is_ok());
        for bad in [
            "localhost",
            "https://",
            "https://a/",
            "https://a?b",
            "https://u@a",
            "ftp://a",
            "https://a b",
        ] {
            assert!(check_issuer(bad).is_err(), "{bad}");
        }
    }
}
