//! The configured issuers: by exact name, or by a pattern with the tenant in it.

use std::collections::HashMap;
use std::fmt;
use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, UnitWeighter};

use crate::error::{ConfigError, VerifyError};
use crate::issuer::Issuer;

/// Gives the issuer of a tenant, if there is that tenant.
type Resolve = dyn Fn(&str) -> Option<Issuer> + Send + Sync;

/// Every issuer of a verifier.
#[derive(Default)]
pub(crate) struct Issuers {
    named: HashMap<String, Arc<Issuer>>,
    patterns: Vec<Box<dyn Family>>,
}

/// Issuers that are named alike but for the tenant.
pub(crate) struct Pattern {
    text: String,
    before: String,
    after: String,
    capacity: usize,
    resolve: Box<Resolve>,
    found: Cache<String, Found, UnitWeighter, RandomState, Pushed>,
    pushed: Pushed,
    pace: Mutex<Pace>,
}

/// A tenant's issuer, and until when it is used without asking for the tenant again.
#[derive(Clone)]
struct Found {
    issuer: Arc<Issuer>,
    until: u64,
}

/// Notices that a tenant was pushed out by another.
#[derive(Clone, Default)]
struct Pushed(Arc<AtomicBool>);

impl Lifecycle<String, Found> for Pushed {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: String, _: Found) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How many issuers were made since when.
///
/// A tenant that is pushed out takes the cooldown of its keys along. Without this bound, whoever
/// writes many tenants into unsigned tokens could turn each into a request for keys.
#[derive(Default)]
struct Pace {
    since: u64,
    made: usize,
}

impl Issuers {
    pub(crate) fn add(&mut self, issuer: Issuer) -> Result<(), ConfigError> {
        issuer.check()?;
        if self.named.contains_key(&issuer.name) {
            return Err(ConfigError::IssuerDuplicate(issuer.name));
        }
        self.named.insert(issuer.name.clone(), Arc::new(issuer));
        Ok(())
    }

    pub(crate) fn add_pattern(&mut self, pattern: Box<dyn Family>) {
        self.patterns.push(pattern);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.patterns.is_empty()
    }

    /// Finds the issuer of this exact name.
    pub(crate) fn find(&self, name: &str, now: u64) -> Result<Arc<Issuer>, VerifyError> {
        if let Some(issuer) = self.named.get(name) {
            return Ok(Arc::clone(issuer));
        }
        let mut patterns = self.patterns.iter();
        patterns
            .find_map(|pattern| pattern.find(name, now))
            .unwrap_or(Err(VerifyError::UnknownIssuer))
    }

    /// Forgets the tenants that were found.
    pub(crate) fn clear(&self) {
        self.patterns.iter().for_each(|pattern| pattern.clear());
    }

    /// Says whether a tenant was pushed out since this was last asked.
    pub(crate) fn pushed_out(&self) -> bool {
        self.patterns.iter().filter(|pattern| pattern.pushed_out()).count() > 0
    }
}

/// Issuers that are found by a part of their name. What is never made is not linked: a browser that
/// knows its issuers by name does not load the code for others.
pub(crate) trait Family: Send + Sync {
    fn text(&self) -> &str;

    /// Finds a tenant's issuer; `None` if there is no such tenant.
    fn find(&self, name: &str, now: u64) -> Option<Result<Arc<Issuer>, VerifyError>>;

    fn clear(&self);

    /// Says whether a tenant was pushed out since this was last asked.
    fn pushed_out(&self) -> bool;
}

impl Pattern {
    pub(crate) fn new(
        text: String,
        capacity: usize,
        resolve: Box<Resolve>,
    ) -> Result<Self, ConfigError> {
        let Some((before, after)) = text.split_once(PLACEHOLDER) else {
            return Err(ConfigError::PatternInvalid(text));
        };
        // A bare placeholder would let the token choose the whole host.
        if capacity == 0 {
            return Err(ConfigError::PatternInvalid(text));
        }
        let anchored = before.starts_with("https://") || before.starts_with("http://");
        if !anchored || after.contains(PLACEHOLDER) {
            return Err(ConfigError::PatternInvalid(text));
        }
        let (before, after) = (before.to_owned(), after.to_owned());
        let (pace, pushed) = (Mutex::default(), Pushed::default());
        // In one part: of several, one would fill and push tenants out while another has room.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(capacity)
            .weight_capacity(u64::try_from(capacity).unwrap_or(u64::MAX))
            .build()
            .map_err(|_| ConfigError::PatternInvalid(text.clone()))?;
        let hash = RandomState::new();
        let found = Cache::with_options(options, UnitWeighter, hash, pushed.clone());
        Ok(Self { text, before, after, capacity, resolve, found, pushed, pace })
    }

    /// Takes a new tenant in, at most as many in half a minute as are kept.
    fn make(&self, tenant: &str, issuer: Issuer, now: u64) -> Result<Arc<Issuer>, VerifyError> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        // Of many that resolve at once, all use the first one's issuer and so one source of keys.
        if let Some(found) = self.found.get(tenant) {
            return Ok(found.issuer);
        }
        if now.abs_diff(pace.since) >= PACE_SECONDS {
            *pace = Pace { since: now, made: 0 };
        }
        if pace.made >= self.capacity {
            return Err(VerifyError::KeysUnavailable);
        }
        pace.made += 1;
        let (issuer, until) = (Arc::new(issuer), now.saturating_add(TENANT_SECONDS));
        self.found.insert(tenant.to_owned(), Found { issuer: Arc::clone(&issuer), until });
        Ok(issuer)
    }
}

impl Family for Pattern {
    fn text(&self) -> &str {
        &self.text
    }

    fn find(&self, name: &str, now: u64) -> Option<Result<Arc<Issuer>, VerifyError>> {
        let tenant = name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        if !is_label(tenant) {
            return None;
        }
        let known = self.found.get(tenant);
        if let Some(Found { issuer, until }) = &known
            && (*until - TENANT_SECONDS..*until).contains(&now)
        {
            return Some(Ok(Arc::clone(issuer)));
        }
        let Some(issuer) = (self.resolve)(tenant).filter(|issuer| issuer.name == name) else {
            self.found.remove(tenant);
            return None;
        };
        issuer.check().ok()?;
        let until = now.saturating_add(TENANT_SECONDS);
        if let Some(Found { issuer, .. }) = known {
            // The tenant is still there; its keys stay as they are.
            let found = Found { issuer: Arc::clone(&issuer), until };
            self.found.insert(tenant.to_owned(), found);
            return Some(Ok(issuer));
        }
        Some(self.make(tenant, issuer, now))
    }

    fn clear(&self) {
        self.found.clear();
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = Pace::default();
    }

    fn pushed_out(&self) -> bool {
        let Pushed(flag) = &self.pushed;
        flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::Relaxed)
    }
}

/// Says whether a tenant's part of a name is one DNS label, in lower case.
fn is_label(tenant: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&tenant.len())
        && tenant.bytes().all(inside)
        && !tenant.starts_with('-')
        && !tenant.ends_with('-')
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.patterns.iter().map(|pattern| pattern.text());
        f.debug_set().entries(self.named.keys()).entries(patterns).finish()
    }
}

/// How long a tenant counts as there before `resolve` is asked again.
const TENANT_SECONDS: u64 = 60;

const PACE_SECONDS: u64 = 30;

const PLACEHOLDER: &str = "{tenant}";
