//! A set of keys with its times, and how it moves between processes.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::Document;
use super::policy::Policy;
use crate::json::{self, Limits};
use crate::jwk::Jwk;

/// A set of keys as of its last good answer. Never changed, only replaced.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) document: Document,
    pub(super) etag: Option<String>,
    pub(super) fresh_until: u64,
    pub(super) generation: u64,
    /// After this, the keys are not used any more.
    pub(super) trusted_until: u64,
    pub(super) url: String,
    /// When the last good answer was asked for.
    pub(super) validated_at: u64,
}

impl Snapshot {
    /// Sets the times after an answer that was asked for at `at` and is fresh for `window` seconds.
    pub(super) fn validated(mut self, at: u64, window: u64, policy: &Policy) -> Self {
        self.validated_at = at;
        self.fresh_until = at.saturating_add(window);
        let trusted_until = at.saturating_add(policy.hard_age.as_secs());
        self.trusted_until = trusted_until.max(self.fresh_until);
        self
    }

    /// Writes the set for another process.
    pub(super) fn export(&self, source: &str) -> Option<Vec<u8>> {
        let parcel = Parcel {
            version: VERSION,
            source: source.to_owned(),
            jwks_uri: self.url.clone(),
            etag: self.etag.clone(),
            fetched_at: self.validated_at,
            fresh_until: self.fresh_until,
            keys: self.document.keys.to_jwks().keys,
        };
        serde_json::to_vec(&parcel).ok()
    }
}

/// Reads what [`Snapshot::export`] wrote and judges it like an answer of the issuer, by this
/// process's own policy.
pub(super) fn import(
    bytes: &[u8],
    source: &str,
    policy: &Policy,
    now: u64,
) -> Result<Snapshot, ImportError> {
    if bytes.len() > MAX_PARCEL {
        return Err(ImportError::Malformed);
    }
    let parcel: Parcel<Value> =
        json::from_slice(bytes, Limits::default()).map_err(|_| ImportError::Malformed)?;
    if parcel.version != VERSION {
        return Err(ImportError::Malformed);
    }
    if parcel.source != source {
        return Err(ImportError::OtherSource);
    }
    if parcel.fetched_at > now {
        return Err(ImportError::FromFuture);
    }
    let window = parcel.fresh_until.saturating_sub(parcel.fetched_at);
    let window = window.clamp(policy.min_fresh.as_secs(), policy.max_fresh.as_secs());
    let snapshot = Snapshot {
        document: Document::prepare(parcel.keys).map_err(|_| ImportError::NoUsableKey)?,
        etag: parcel.etag.filter(|etag| is_etag(etag)),
        fresh_until: 0,
        generation: 0,
        trusted_until: 0,
        url: parcel.jwks_uri,
        validated_at: 0,
    };
    let snapshot = snapshot.validated(parcel.fetched_at, window, policy);
    if now < snapshot.trusted_until { Ok(snapshot) } else { Err(ImportError::TooOld) }
}

/// Says whether a value can be sent back in `If-None-Match`.
pub(super) fn is_etag(text: &str) -> bool {
    (2..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why an exported set was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImportError {
    /// It was fetched later than now.
    FromFuture,
    /// It is not an exported set, or is longer than 128 KiB.
    Malformed,
    /// It has no usable key, or too many keys.
    NoUsableKey,
    /// It is not newer than what is there.
    NotNewer,
    /// It is that of another issuer or address.
    OtherSource,
    /// It is older than the hard age.
    TooOld,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromFuture => "the exported set is from the future",
            Self::Malformed => "not an exported set",
            Self::NoUsableKey => "the exported set has no usable key, or too many keys",
            Self::NotNewer => "the exported set is not newer than the present one",
            Self::OtherSource => "the exported set is of another issuer",
            Self::TooOld => "the exported set is too old",
        })
    }
}

impl std::error::Error for ImportError {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parcel<K = Jwk> {
    version: u8,
    source: String,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    fetched_at: u64,
    fresh_until: u64,
    keys: Vec<K>,
}

const MAX_PARCEL: usize = 128 << 10;
const VERSION: u8 = 1;
