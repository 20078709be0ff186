//! The engine: ports and settings put together, and tenants found for requests.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;

use crate::{
    config::Config,
    deps::Deps,
    directory::tenant::{self, Tenant},
    kernel::{
        custody::Custody,
        entropy::{Entropy, SystemEntropy},
        event::Origin,
        hashing::Hasher,
        id::TenantId,
        limit::Reached,
        refusal::{Fault, Stop},
        text,
        time::{Clock, SystemClock, UnixTime},
    },
    schema::MIGRATIONS,
    session::keys::{self, LoadedKeys},
    store::{Find, Scope, Store},
};

/// How many tenants are remembered.
const TENANTS_CACHED: u64 = 10_000;
/// How long another instance's change of a tenant may stay unseen.
const TENANT_FRESH: Duration = Duration::from_secs(5);
/// How long another instance's key rotation may stay unseen. Keys stay published for longer.
const KEYS_FRESH: Duration = Duration::from_secs(30);
const PURGE_AT_ONCE: usize = 1000;

/// The outside that the engine works with.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Where the records are.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where private keys are protected.
    pub custody: Arc<dyn Custody>,
}

impl Ports {
    /// Takes time and randomness from the operating system.
    pub fn new(store: Store, custody: impl Custody + 'static) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            custody: Arc::new(custody),
        }
    }
}

/// Why the engine does not start.
#[non_exhaustive]
pub enum StartError {
    /// A setting is wrong; the text names it.
    Config(String),
    /// A port failed.
    Fault(Fault),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) => f.write_str(text),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// As it is displayed: a `main` that returns it prints this.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StartError {}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What is remembered between requests. Everything in it can be lost at any time.
pub(crate) struct Caches {
    tenants: Cache<TenantId, Option<Arc<Tenant>>>,
    slugs: Cache<String, Option<TenantId>>,
    hosts: Cache<String, Option<TenantId>>,
    pub(crate) keys: Cache<TenantId, Arc<LoadedKeys>>,
    pub(crate) reached: Reached,
    events: AtomicU16,
}

impl Caches {
    fn new() -> Self {
        let of = |fresh| Cache::builder().max_capacity(TENANTS_CACHED).time_to_live(fresh);
        Self {
            tenants: of(TENANT_FRESH).build(),
            slugs: Cache::builder().max_capacity(TENANTS_CACHED).time_to_live(TENANT_FRESH).build(),
            hosts: Cache::builder().max_capacity(TENANTS_CACHED).time_to_live(TENANT_FRESH).build(),
            keys: Cache::builder().max_capacity(TENANTS_CACHED).time_to_live(KEYS_FRESH).build(),
            reached: Reached::new(),
            events: AtomicU16::new(0),
        }
    }

    /// Counts the events of this process, so that they sort as they happened. Wraps around.
    pub(crate) fn next_event(&self) -> u16 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    /// Forgets a tenant whose record changed, so that this process sees the change at once.
    pub(crate) fn forget_tenant(&self, id: TenantId) {
        self.tenants.invalidate(&id);
        self.keys.invalidate(&id);
        self.slugs.invalidate_all();
        self.hosts.invalidate_all();
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caches(..)")
    }
}

/// By what a request names its tenant, most binding first.
#[derive(Clone, Copy, Debug, Default)]
pub struct TenantHint<'a> {
    /// The id or slug in the path, as in `/t/{tenant}/…`.
    pub path: Option<&'a str>,
    /// The host name that was asked for, with or without port.
    pub host: Option<&'a str>,
    /// The id or slug in the `X-Tenant-ID` header.
    pub header: Option<&'a str>,
}

/// The identity engine. Cheap to clone; clones are one engine.
#[derive(Clone, Debug)]
pub struct Usso {
    config: Arc<Config>,
    ports: Ports,
    hasher: Hasher,
    caches: Arc<Caches>,
}

impl Usso {
    /// Checks the settings, migrates the database, makes the default tenant and its first signing
    /// key, and opens the key to see that custody and database belong together.
    ///
    /// # Errors
    ///
    /// [`StartError::Config`] names a setting that is wrong; [`StartError::Fault`] if a port failed:
    /// among others for a database of a newer version and for keys sealed under another master key.
    pub async fn start(config: Config, ports: Ports) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        let hasher = Hasher::new(&config.hashing).map_err(StartError::Config)?;
        ports.store.migrate(MIGRATIONS).await?;
        let usso =
            Self { config: Arc::new(config), ports, hasher, caches: Arc::new(Caches::new()) };
        let now = usso.ports.clock.now();
        let tenant =
            tenant::ensure_default(&usso.ports.store, now).await.map_err(|stop| match stop {
                Stop::Fault(fault) => StartError::Fault(fault),
                Stop::Refused(refused) => {
                    StartError::Config(format!("the default tenant: {refused:?}"))
                }
            })?;
        keys::load(&usso.deps(Arc::new(tenant), Origin::default())).await?;
        Ok(usso)
    }

    /// The settings of the installation.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What operations on behalf of one request of `tenant` work with.
    #[must_use]
    pub fn deps(&self, tenant: Arc<Tenant>, origin: Origin) -> Deps {
        Deps {
            tenant,
            store: self.ports.store.clone(),
            clock: Arc::clone(&self.ports.clock),
            entropy: Arc::clone(&self.ports.entropy),
            custody: Arc::clone(&self.ports.custody),
            hasher: self.hasher.clone(),
            config: Arc::clone(&self.config),
            origin,
            received_at: self.ports.clock.now(),
            caches: Arc::clone(&self.caches),
        }
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.ports.clock.now()
    }

    /// Reads a tenant, up to five seconds old where another instance changed it.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed.
    pub async fn tenant(&self, id: TenantId) -> Result<Option<Arc<Tenant>>, Fault> {
        if let Some(known) = self.caches.tenants.get(&id) {
            return Ok(known);
        }
        let found = tenant::find(&self.ports.store, id).await?;
        let found = found.map(|found| Arc::new(found.record));
        self.caches.tenants.insert(id, found.clone());
        Ok(found)
    }

    /// Finds the tenant that a request is for: by path, else by a host name of a tenant, else by
    /// header, else the default tenant.
    ///
    /// A path or header that names no tenant gives `None`. A host name that is no tenant's own does
    /// not decide; where it is one, a header that names another tenant gives `None`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed.
    pub async fn find_tenant(&self, hint: TenantHint<'_>) -> Result<Option<Arc<Tenant>>, Fault> {
        let host = match hint.host {
            Some(host) => self.host(host).await?,
            None => None,
        };
        let named = match hint.path.or(hint.header) {
            Some(name) => Some(self.named(name).await?),
            None => None,
        };
        match (named, host) {
            (Some(None), _) => Ok(None),
            (Some(Some(named)), Some(host)) if named != host => Ok(None),
            (Some(Some(id)), _) | (None, Some(id)) => self.tenant(id).await,
            (None, None) => self.tenant(TenantId::DEFAULT).await,
        }
    }

    async fn named(&self, name: &str) -> Result<Option<TenantId>, Fault> {
        if let Ok(id) = TenantId::parse(name) {
            return Ok(Some(id));
        }
        if name.len() > 63 {
            return Ok(None);
        }
        if let Some(known) = self.caches.slugs.get(name) {
            return Ok(known);
        }
        let found = tenant::find_slug(&self.ports.store, name).await?.map(|tenant| tenant.id);
        self.caches.slugs.insert(name.to_owned(), found);
        Ok(found)
    }

    async fn host(&self, host: &str) -> Result<Option<TenantId>, Fault> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let name = name.strip_suffix('.').unwrap_or(name);
        let Ok(name) = text::domain_name(name) else {
            return Ok(None);
        };
        if let Some(known) = self.caches.hosts.get(&name) {
            return Ok(known);
        }
        let found = tenant::find_domain(&self.ports.store, &name).await?;
        self.caches.hosts.insert(name, found);
        Ok(found)
    }

    /// Removes expired sessions, counters and audit entries, a thousand at a time so that requests
    /// are not held up. Call it once a minute; returns how many went.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed.
    pub async fn purge(&self) -> Result<usize, Fault> {
        let mut purged = 0;
        loop {
            let went = self.ports.store.purge(self.ports.clock.now(), PURGE_AT_ONCE).await?;
            purged += went;
            if went < PURGE_AT_ONCE {
                return Ok(purged);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Seals what an earlier master key sealed under the present one, for all tenants; returns for
    /// how many. Afterwards the earlier master key is not needed any more.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store or custody failed; what was sealed anew stays so.
    pub async fn reseal(&self) -> Result<usize, Fault> {
        let mut resealed = 0;
        let mut cursor = None;
        loop {
            let find = Find::all().after(cursor);
            let page = self.ports.store.find::<Tenant>(&Scope::Platform, find).await?;
            for found in page.items {
                let deps = self.deps(Arc::new(found.record), Origin::default());
                resealed += usize::from(keys::reseal(&deps).await?);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(resealed);
            }
        }
    }

    /// Brings everything to where backups look for it. Call it when the process is about to end.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed; what was acknowledged is durable all the same.
    pub async fn checkpoint(&self) -> Result<(), Fault> {
        self.ports.store.checkpoint().await
    }

    /// Answers if the store can be read.
    ///
    /// # Errors
    ///
    /// [`Fault`] if it cannot.
    pub async fn ping(&self) -> Result<(), Fault> {
        self.ports.store.ping().await
    }
}
