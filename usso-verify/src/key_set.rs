//! Sets of keys, found by name.

use std::sync::Arc;

use crate::jwk::Jwks;
use crate::key::VerifyingKey;

/// The keys of one issuer, each with a name of its own.
///
/// # Security
///
/// When two keys share a `kid`, neither is in the set: a token cannot be made to match the one its
/// forger controls, and a rotation that reuses a name is noticed through [`skipped`](Self::skipped).
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// Sorted by `kid`, all different.
    keys: Vec<Arc<VerifyingKey>>,
    skipped: usize,
    /// Whether the only key is meant whatever name a token gives.
    is_pinned: bool,
}

impl KeySet {
    /// Prepares every usable key of a JWKS. A bad or unknown key is skipped and counted: it does
    /// not spoil the others.
    #[must_use]
    pub fn from_jwks(jwks: &Jwks) -> Self {
        let keys = jwks.keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok());
        let mut set = Self::new(keys.collect());
        set.skipped = jwks.keys.len() - set.keys.len();
        set
    }

    /// Makes a set of prepared keys.
    #[must_use]
    pub fn new(mut keys: Vec<VerifyingKey>) -> Self {
        let given = keys.len();
        keys.sort_by(|a, b| a.kid().cmp(b.kid()));
        let keys: Vec<_> = keys
            .chunk_by(|a, b| a.kid() == b.kid())
            .filter(|same| same.len() == 1)
            .flatten()
            .cloned()
            .map(Arc::new)
            .collect();
        Self { skipped: given - keys.len(), keys, is_pinned: false }
    }

    /// Makes a set of one key, which is meant whatever `kid` a token gives: for an issuer whose key
    /// is written down rather than published. `kid` is a hint (RFC 7515 §4.1.4), no part of the proof.
    #[must_use]
    pub fn pinned(key: VerifyingKey) -> Self {
        Self { is_pinned: true, ..Self::new(vec![key]) }
    }

    /// Finds a key by its exact name.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.shared(kid).map(|key| &**key)
    }

    pub(crate) fn shared(&self, kid: &str) -> Option<&Arc<VerifyingKey>> {
        if self.is_pinned {
            return self.only_shared();
        }
        let at = self.keys.binary_search_by(|key| key.kid().cmp(kid)).ok()?;
        self.keys.get(at)
    }

    /// Gives the key of a set that has exactly one.
    #[must_use]
    pub fn only(&self) -> Option<&VerifyingKey> {
        self.only_shared().map(|key| &**key)
    }

    pub(crate) fn only_shared(&self) -> Option<&Arc<VerifyingKey>> {
        if let [key] = self.keys.as_slice() { Some(key) } else { None }
    }

    /// Counts the keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Says whether there is no key.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Counts the keys that were offered and refused.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Goes through the keys in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter().map(|key| &**key)
    }

    /// Gives the set as a JWKS to publish.
    #[must_use]
    pub fn to_jwks(&self) -> Jwks {
        Jwks { keys: self.iter().map(VerifyingKey::to_jwk).collect() }
    }
}
