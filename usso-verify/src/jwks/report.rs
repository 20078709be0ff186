//! What a key source tells about itself.

use std::fmt;
use std::sync::Arc;

use super::document::{SkipReason, Skipped};
use crate::fetch::FetchError;
use crate::json;

/// Why an attempt to fetch the keys changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody brought an answer: the task that fetched was dropped, or too much time went by.
    Abandoned,
    /// The metadata is that of another issuer.
    DiscoveryIssuer,
    /// The metadata has no `jwks_uri`, or one that is not `https`.
    DiscoveryJwksUri,
    /// The body is not one strict JSON object.
    Document(json::Error),
    /// There was no answer.
    Fetch(FetchError),
    /// The document has no array `keys`.
    KeysMissing,
    /// Not one key of the set can be used. It may be a slip, so the old keys stay for a while, but
    /// no longer than a set may be fresh at most.
    NoUsableKey,
    /// The answer has this status instead of 200.
    Status(u16),
    /// The set has more than 100 keys.
    TooManyKeys,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned => "the request was given up",
            Self::DiscoveryIssuer => "the metadata is of another issuer",
            Self::DiscoveryJwksUri => "the metadata names no https address of a jwks",
            Self::Document(error) => return write!(f, "the document is not sound: {error}"),
            Self::Fetch(error) => return error.fmt(f),
            Self::KeysMissing => "the document has no array of keys",
            Self::NoUsableKey => "the set has no usable key",
            Self::Status(status) => return write!(f, "the answer has status {status}"),
            Self::TooManyKeys => "the set has too many keys",
        })
    }
}

impl std::error::Error for Failure {}

/// Something that happened to a key source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwksEvent {
    /// An attempt failed; the old keys stay.
    FetchFailed(Failure),
    /// An attempt began.
    FetchStarted,
    /// A sound set arrived, changed or not.
    FetchSucceeded,
    /// A key of a set that arrived cannot be used. Told when the set is new or differs.
    KeySkipped(SkipReason),
    /// The issuer said that its set did not change.
    NotModified,
    /// The keys are others than before.
    SetChanged {
        /// The number of the new set.
        generation: u64,
        /// How many keys it has.
        keys: usize,
    },
    /// Keys are used past their time because the issuer cannot be asked. Told once after each
    /// attempt.
    StaleServed {
        /// Seconds since the last good answer.
        age: u64,
    },
    /// A token's unknown `kid` did not cause a fetch.
    UnknownKidSuppressed,
}

impl JwksEvent {
    /// Gives the name of the event, for a metric's label.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FetchFailed(_) => "fetch_failed",
            Self::FetchStarted => "fetch_started",
            Self::FetchSucceeded => "fetch_succeeded",
            Self::KeySkipped(_) => "key_skipped",
            Self::NotModified => "not_modified",
            Self::SetChanged { .. } => "set_changed",
            Self::StaleServed { .. } => "stale_served",
            Self::UnknownKidSuppressed => "unknown_kid_suppressed",
        }
    }

    /// Says whether somebody should look into it.
    #[must_use]
    pub const fn is_trouble(&self) -> bool {
        matches!(self, Self::FetchFailed(_) | Self::KeySkipped(_) | Self::StaleServed { .. })
    }
}

/// Is told what happens. Must return quickly: it runs where the event happens.
pub type Observer = Arc<dyn Fn(&JwksEvent) + Send + Sync>;

/// Whether a key source can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// There were never any keys.
    Empty,
    /// The keys are too old to be trusted.
    Expired,
    /// The keys are fresh.
    Fresh,
    /// The keys are past their time and are fetched before they are trusted.
    Overdue,
    /// The keys are past their time and are used because the issuer cannot be asked.
    Stale,
}

/// The condition of a key source. Times are in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Until when no token can cause a fetch.
    pub cooldown_until: u64,
    /// How many attempts failed since the last good answer.
    pub failures: u32,
    /// When the last good answer was asked for.
    pub fetched_at: Option<u64>,
    /// How many attempts there were.
    pub fetches: u64,
    /// Until when the keys are fresh.
    pub fresh_until: Option<u64>,
    /// The number of the set.
    pub generation: Option<u64>,
    /// How many keys there are.
    pub keys: usize,
    /// Why the last failed attempt failed, and when it began.
    pub last_failure: Option<(Failure, u64)>,
    /// From when the next attempt is due without a token asking for it.
    pub next_refresh: u64,
    /// The keys that the issuer publishes and that cannot be used.
    pub skipped: Vec<Skipped>,
    /// How often keys were asked for past their time.
    pub stale_served: u64,
    /// Whether there are keys to trust.
    pub state: State,
    /// Until when the keys are trusted while the issuer cannot be asked.
    pub trusted_until: Option<u64>,
}
