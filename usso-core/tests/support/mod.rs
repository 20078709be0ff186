//! A world to test in: a clock moved by hand, seeded bytes, cheap hashing, any store.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod gate;
mod whole;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use usso_core::{
    Config, Deps, Ports, StartError, Usso,
    directory::{
        tenant::{self, NewTenant, Settings, Tenant, Update},
        user::{NewUser, User},
    },
    flow::{audit, password},
    kernel::{
        custody::MasterKey,
        event::{Event, Origin},
        hashing,
        id::{TenantId, UserId},
        refusal::{Refusal, Stop},
        secret::Secret,
        testing::{HandClock, SeededEntropy},
        text::Identifier,
        time::UnixTime,
    },
    session::{
        self, RefreshToken, Tokens, refresh,
        token::{self, Caller},
    },
    store::{Memory, Sqlite, SqliteOptions, Store},
};

pub(crate) use gate::{Gated, Verb};
pub(crate) use whole::{assert_whole, count_of};

/// A password that the policy likes.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Another one.
pub(crate) const OTHER: &str = "purple monkey dishwasher 42";
/// The password of nobody.
pub(crate) const WRONG: &str = "not the password of anyone";
/// Where requests come from unless a test says otherwise.
pub(crate) const HOME: &str = "192.0.2.1";
/// The smallest step of time.
/// How long a repetition counts as the twin of a refresh.
pub(crate) const TWINS: Duration = Duration::from_secs(1);
pub(crate) const MOMENT: Duration = Duration::from_millis(1);
/// How many callers race.
pub(crate) const RACERS: usize = 16;

/// No two engines draw the same bytes, as no two machines do.
static SEED: AtomicU64 = AtomicU64::new(1);

/// One engine and what it stands on.
pub(crate) struct World {
    pub(crate) usso: Usso,
    pub(crate) clock: HandClock,
    pub(crate) store: Store,
    /// The store, where it is in memory.
    pub(crate) memory: Memory,
    config: Config,
    directory: Option<TempDir>,
}

impl World {
    /// Starts on a store in memory.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts on a store in memory, with other settings of the installation.
    pub(crate) async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let memory = Memory::new();
        let mut config = config();
        adjust(&mut config);
        let mut world = Self::on(Store::new(memory.clone()), config).await;
        world.memory = memory;
        world
    }

    /// Starts on a SQLite file that goes with the world.
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(file_in(directory.path()), &SqliteOptions::default()).unwrap();
        let mut world = Self::on(Store::new(sqlite), config()).await;
        world.directory = Some(directory);
        world
    }

    /// Starts one world on each kind of store.
    pub(crate) async fn on_each_store() -> [Self; 2] {
        [Self::new().await, Self::sqlite().await]
    }

    /// Starts on a store in memory whose calls can be held up.
    pub(crate) async fn gated() -> (Self, Gated) {
        let gated = Gated::default();
        let world = Self::on(Store::new(gated.clone()), config()).await;
        (world, gated)
    }

    async fn on(store: Store, config: Config) -> Self {
        let clock = HandClock::at(UnixTime::from_seconds(1_800_000_000));
        let usso = Usso::start(config.clone(), ports(&store, &clock)).await;
        Self { usso: usso.unwrap(), clock, store, memory: Memory::new(), config, directory: None }
    }

    /// Starts another engine on the same store, as after a restart or on another machine.
    pub(crate) async fn again(&self, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.config.clone();
        adjust(&mut config);
        let usso = Usso::start(config.clone(), ports(&self.store, &self.clock)).await;
        Self {
            usso: usso.unwrap(),
            clock: self.clock.clone(),
            store: self.store.clone(),
            memory: self.memory.clone(),
            config,
            directory: None,
        }
    }

    /// Where the SQLite files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// A request of the default tenant.
    pub(crate) async fn deps(&self) -> Deps {
        self.deps_of(TenantId::DEFAULT).await
    }

    /// A request of the default tenant from another address.
    pub(crate) async fn deps_from(&self, address: &str) -> Deps {
        from(self.deps().await, address)
    }

    /// A request of a tenant.
    pub(crate) async fn deps_of(&self, tenant: TenantId) -> Deps {
        let tenant = self.usso.tenant(tenant).await.unwrap().unwrap();
        let address = Some(HOME.parse().unwrap());
        let origin = Origin { address, ..Origin::default() };
        self.usso.deps(tenant, origin)
    }

    /// Creates a tenant.
    pub(crate) async fn tenant(&self, slug: &str, settings: Settings) -> Tenant {
        let new = NewTenant { slug: slug.to_owned(), settings, ..NewTenant::default() };
        tenant::create(&self.deps().await, new, actor()).await.unwrap()
    }

    /// Changes settings of the default tenant.
    pub(crate) async fn set(&self, settings: Json) {
        let update =
            Update { settings: settings.as_object().unwrap().clone(), ..Update::default() };
        tenant::update(&self.deps().await, TenantId::DEFAULT, update, actor()).await.unwrap();
    }

    /// Registers a user of the default tenant with [`PASSWORD`].
    pub(crate) async fn register(&self, name: &str) -> (User, Tokens) {
        register(&self.deps().await, name, PASSWORD).await.unwrap()
    }

    /// Signs a user of the default tenant in with [`PASSWORD`].
    pub(crate) async fn sign_in(&self, name: &str) -> Result<Tokens, Stop<password::Refused>> {
        sign_in(&self.deps().await, name, PASSWORD).await
    }

    /// Exchanges the refresh token.
    pub(crate) async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, Stop<session::Refused>> {
        refresh_in(&self.deps().await, tokens).await
    }

    /// Who is behind the access token.
    pub(crate) async fn caller(&self, tokens: &Tokens) -> Result<Caller, Stop<session::Refused>> {
        token::authenticate(&self.deps().await, &tokens.access_token).await
    }

    /// What the refresh token and the access token are answered with.
    pub(crate) async fn probe(&self, tokens: &Tokens) -> [&'static str; 2] {
        let refreshed = code(&self.refresh(tokens).await);
        [refreshed, code(&self.caller(tokens).await)]
    }

    /// Creates a user with roles, signs it in, and says who it is.
    pub(crate) async fn caller_with(&self, name: &str, roles: &[&str]) -> (Caller, Tokens) {
        caller_in(&self.deps().await, name, roles).await
    }
}

/// What both tokens of a session that is over are answered with.
pub(crate) const DEAD: [&str; 2] = ["session.refresh_not_valid", "session.ended"];
/// What both tokens of a session that lives are answered with.
pub(crate) const ALIVE: [&str; 2] = ["ok", "ok"];

pub(crate) fn config() -> Config {
    let mut config = Config::new("https://sso.example");
    config.hashing = hashing::Config::cheap();
    config.hashing.waiting = 1000;
    config
}

pub(crate) fn ports(store: &Store, clock: &HandClock) -> Ports {
    Ports {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::SeqCst))),
        ..Ports::new(store.clone(), master_key(7))
    }
}

pub(crate) fn master_key(byte: u8) -> MasterKey {
    MasterKey::new(&Secret::new([byte; 32])).unwrap()
}

pub(crate) fn file_in(directory: &Path) -> PathBuf {
    directory.join("usso.db")
}

/// Somebody who does what a test needs done.
pub(crate) fn actor() -> UserId {
    UserId::from_bytes([9; 16])
}

pub(crate) fn from(mut deps: Deps, address: &str) -> Deps {
    deps.origin.address = Some(address.parse::<IpAddr>().unwrap());
    deps
}

/// One moment less than a duration.
pub(crate) fn almost(duration: Duration) -> Duration {
    duration.checked_sub(MOMENT).unwrap()
}

pub(crate) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// The text of a refresh token, as a client that kept it would send it again.
pub(crate) fn copy(tokens: &Tokens) -> RefreshToken {
    RefreshToken::new(tokens.refresh_token.expose().to_owned())
}

pub(crate) async fn register(
    deps: &Deps,
    name: &str,
    password: &str,
) -> Result<(User, Tokens), Stop<password::Refused>> {
    password::register(deps, name, secret(password), String::new()).await
}

pub(crate) async fn sign_in(
    deps: &Deps,
    name: &str,
    password: &str,
) -> Result<Tokens, Stop<password::Refused>> {
    let signed_in = password::sign_in(deps, name, secret(password)).await;
    signed_in.map(|(_, tokens)| tokens)
}

pub(crate) async fn refresh_in(
    deps: &Deps,
    tokens: &Tokens,
) -> Result<Tokens, Stop<session::Refused>> {
    let refreshed = refresh::refresh(deps, &tokens.refresh_token).await;
    refreshed.map(|(_, tokens)| tokens)
}

pub(crate) async fn caller_in(deps: &Deps, name: &str, roles: &[&str]) -> (Caller, Tokens) {
    let new = NewUser {
        identifiers: vec![Identifier::parse(name).unwrap()],
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..NewUser::default()
    };
    password::create(deps, new, Some(secret(PASSWORD)), actor()).await.unwrap();
    let tokens = sign_in(deps, name, PASSWORD).await.unwrap();
    let caller = token::authenticate(deps, &tokens.access_token).await;
    (caller.unwrap(), tokens)
}

/// `ok`, or the public code of what stopped the operation.
pub(crate) fn code<T, R: Refusal>(result: &Result<T, Stop<R>>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Stop::Refused(refused)) => refused.code(),
        Err(Stop::Fault(fault)) => fault.code(),
    }
}

/// The whole audit log of a tenant, newest first.
pub(crate) async fn events(deps: &Deps) -> Vec<Event> {
    let mut events = Vec::new();
    let mut cursor = None;
    loop {
        let query = audit::Query { cursor, limit: 200, ..audit::Query::default() };
        let page = audit::query(deps, query).await.unwrap();
        events.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return events;
        }
    }
}

/// The types in the audit log of a tenant, oldest first; those of one moment in alphabetical order.
pub(crate) async fn kinds(deps: &Deps) -> Vec<&'static str> {
    let mut kinds: Vec<_> =
        events(deps).await.iter().map(|event| (event.at, event.kind.as_str())).collect();
    kinds.sort_unstable();
    kinds.into_iter().map(|(_, kind)| kind).collect()
}

/// Runs `count` callers at once.
pub(crate) async fn all_at_once<F>(count: usize, caller: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let callers: JoinSet<_> = (0..count).map(caller).collect();
    callers.join_all().await
}

/// How many answers were `wanted`.
pub(crate) fn count(codes: &[&str], wanted: &str) -> usize {
    codes.iter().filter(|code| **code == wanted).count()
}

/// Makes `attempts` with a wrong password and says how each was answered.
pub(crate) async fn guess(deps: &Deps, name: &str, attempts: usize) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for _ in 0..attempts {
        codes.push(code(&sign_in(deps, name, WRONG).await));
    }
    codes
}

/// Changes the password of whoever has `tokens`.
pub(crate) async fn change(
    world: &World,
    tokens: &Tokens,
    current: &str,
    new: &str,
) -> Result<Tokens, Stop<password::Refused>> {
    let caller = world.caller(tokens).await.unwrap();
    let deps = world.deps().await;
    password::change(&deps, &caller, secret(current), secret(new)).await
}
