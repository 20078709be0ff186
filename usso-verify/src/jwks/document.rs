//! Reading a JWKS that somebody sent.

use std::sync::Arc;

use serde_json::Value;

use super::report::Failure;
use crate::error::KeyError;
use crate::json::{self, Limits};
use crate::jwk::Jwk;
use crate::key::VerifyingKey;
use crate::key_set::KeySet;

/// A key of a JWKS that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Its name, if it has one.
    pub kid: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

/// Why a key of a JWKS is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// Another key has the same name: neither is used.
    DuplicateKid,
    /// The key itself is not usable.
    Key(KeyError),
}

/// What a JWKS contains.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) keys: Arc<KeySet>,
    pub(super) skipped: Arc<[Skipped]>,
}

impl Document {
    /// Reads a whole body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        let mut members = json::parse_object(body, Limits::default()).map_err(Failure::Document)?;
        match json::take(&mut members, "keys") {
            Some(Value::Array(entries)) => Self::prepare(entries),
            _ => Err(Failure::KeysMissing),
        }
    }

    /// Prepares every usable key and says what is wrong with the others.
    pub(super) fn prepare(entries: Vec<Value>) -> Result<Self, Failure> {
        if entries.len() > MAX_KEYS {
            return Err(Failure::TooManyKeys);
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for entry in entries {
            match key(entry) {
                Ok(key) => keys.push(key),
                Err(bad) => skipped.push(bad),
            }
        }
        let set = KeySet::new(keys.clone());
        if set.is_empty() {
            return Err(Failure::NoUsableKey);
        }
        let lost = keys.iter().map(VerifyingKey::kid).filter(|kid| set.get(kid).is_none());
        skipped.extend(
            lost.map(|kid| Skipped { kid: Some(kid.to_owned()), reason: SkipReason::DuplicateKid }),
        );
        Ok(Self { keys: Arc::new(set), skipped: skipped.into() })
    }

    /// Says whether both contain the same keys under the same names, for the same algorithms.
    pub(super) fn has_keys_of(&self, other: &Self) -> bool {
        self.keys.to_jwks() == other.keys.to_jwks()
    }
}

fn key(entry: Value) -> Result<VerifyingKey, Skipped> {
    let skipped = |kid, error| Skipped { kid, reason: SkipReason::Key(error) };
    if !entry.is_object() {
        return Err(skipped(None, KeyError::Encoding));
    }
    let jwk = Jwk::try_from(entry).map_err(|_| skipped(None, KeyError::Encoding))?;
    VerifyingKey::from_jwk(&jwk).map_err(|error| skipped(jwk.kid, error))
}

const MAX_KEYS: usize = 100;
