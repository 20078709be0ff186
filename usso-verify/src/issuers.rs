//! The configured issuers: by exact name, or by a pattern with the tenant in it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::error::{ConfigError, VerifyError};
use crate::issuer::Issuer;

/// Gives the issuer of a tenant, if there is that tenant.
type Resolve = dyn Fn(&str) -> Option<Issuer> + Send + Sync;

/// Every issuer of a verifier.
#[derive(Default)]
pub(crate) struct Issuers {
    named: HashMap<String, Arc<Issuer>>,
    patterns: Vec<Pattern>,
}

/// Issuers that are named alike but for the tenant.
pub(crate) struct Pattern {
    text: String,
    before: String,
    after: String,
    resolve: Box<Resolve>,
    found: Cache<String, Arc<Issuer>>,
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

    pub(crate) fn add_pattern(&mut self, pattern: Pattern) {
        self.patterns.push(pattern);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.patterns.is_empty()
    }

    /// Finds the issuer of this exact name.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Issuer>, VerifyError> {
        if let Some(issuer) = self.named.get(name) {
            return Ok(Arc::clone(issuer));
        }
        self.patterns
            .iter()
            .find_map(|pattern| pattern.find(name))
            .ok_or(VerifyError::UnknownIssuer)
    }
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
        let anchored = before.starts_with("https://") || before.starts_with("http://");
        if !anchored || after.contains(PLACEHOLDER) {
            return Err(ConfigError::PatternInvalid(text));
        }
        let (before, after) = (before.to_owned(), after.to_owned());
        Ok(Self { text, before, after, resolve, found: Cache::new(capacity) })
    }

    fn find(&self, name: &str) -> Option<Arc<Issuer>> {
        let tenant = name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        if !is_label(tenant) {
            return None;
        }
        if let Some(issuer) = self.found.get(tenant) {
            return Some(issuer);
        }
        let issuer = (self.resolve)(tenant)?;
        if issuer.name != name || issuer.check().is_err() {
            return None;
        }
        // Of two that resolve at once, both use the same issuer and so one source of keys.
        self.found.get_or_insert_with(tenant, || Ok::<_, ()>(Arc::new(issuer))).ok()
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
        let patterns = self.patterns.iter().map(|pattern| &pattern.text);
        f.debug_set().entries(self.named.keys()).entries(patterns).finish()
    }
}

const PLACEHOLDER: &str = "{tenant}";
