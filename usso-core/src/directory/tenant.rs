//! Tenants: the wall between customers, each with typed settings of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub(crate) use super::settings::check_audience;
use super::settings::merge;
pub use super::settings::{Registration, Settings, check_issuer};
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

impl Tenant {
    /// Whether people may sign in and keep sessions.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == TenantStatus::Active
    }
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
