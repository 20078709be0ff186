//! A set of keys with its times, and how it moves between processes.

use std::fmt;

use serde_json::{Value, json};

use super::document::Document;
use super::policy::Policy;
use crate::fields::Fields;

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
        let keys = serde_json::to_value(self.document.keys.to_jwks().keys).ok()?;
        let parcel = json!({
            "version": VERSION,
            "source": source,
            "jwks_uri": self.url,
            "etag": self.etag,
            "fetched_at": self.validated_at,
            "fresh_until": self.fresh_until,
            "keys": keys,
        });
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
    let text = str::from_utf8(bytes).map_err(|_| ImportError::Malformed)?;
    let parcel = Parcel::read(text).map_err(|_| ImportError::Malformed)?;
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

struct Parcel {
    source: String,
    jwks_uri: String,
    etag: Option<String>,
    fetched_at: u64,
    fresh_until: u64,
    keys: Vec<Value>,
}

impl Parcel {
    fn read(text: &str) -> Result<Self, String> {
        let mut fields = Fields::parse(text)?;
        for name in ["version", "fetched_at", "fresh_until", "keys"] {
            fields.need(name);
        }
        if fields.number("version") != Some(VERSION) {
            fields.refuse("`version` is another one");
        }
        let parcel = Self {
            source: fields.needed_text("source"),
            jwks_uri: fields.needed_text("jwks_uri"),
            etag: fields.text("etag"),
            fetched_at: fields.number("fetched_at").unwrap_or_default(),
            fresh_until: fields.number("fresh_until").unwrap_or_default(),
            keys: fields.list("keys").unwrap_or_default(),
        };
        fields.end(parcel)
    }
}

const MAX_PARCEL: usize = 128 << 10;
const VERSION: u64 = 1;
