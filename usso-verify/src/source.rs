//! Where the keys of an issuer come from.

use std::fmt;
use std::sync::Arc;

use crate::fetch::BoxFuture;
use crate::jwks::Engine;
use crate::key_set::KeySet;

/// Gives the keys of an issuer.
///
/// A fixed set is an `Arc<KeySet>`. A set that is fetched is another implementation: it answers
/// from its last snapshot, and fetches beside the request path.
pub trait KeySource: Send + Sync {
    /// Gives the keys that are good at `now`, without waiting; `None` while there are none to trust:
    /// never fetched, or too old. `now` is in seconds since the epoch.
    fn keys(&self, now: u64) -> Option<Arc<KeySet>>;

    /// Gives a number that differs from every earlier one when [`keys`](Self::keys) no longer
    /// answers as it did then; `None` when it answers with `None` or the keys are
    /// [overdue](Self::is_overdue).
    ///
    /// A token that was verified before is verified again when this number changed. It is asked
    /// for each such token and should cost nanoseconds. Who keeps it beside what the keys said asks
    /// for it first and for the keys second.
    fn generation(&self, now: u64) -> Option<u64>;

    /// Says whether there are keys, but nobody has asked for a long time whether they still hold:
    /// then wait for [`refresh`](Self::refresh) with [`Need::Stale`] before trusting them.
    ///
    /// # Security
    ///
    /// Otherwise a process that slept would accept a key that was withdrawn meanwhile.
    fn is_overdue(&self, now: u64) -> bool {
        let _ = now;
        false
    }

    /// Asks for other keys, or says why not. Does not wait itself, and starts at most one request
    /// at a time.
    fn refresh(&self, need: Need<'_>, now: u64) -> Refresh {
        let _ = (need, now);
        Refresh::Now(Refreshed::Settled)
    }
}

/// What [`KeySource::refresh`] gives.
#[must_use]
pub enum Refresh {
    /// There is nothing to wait for.
    Now(Refreshed),
    /// Wait for this, then ask for the [`keys`](KeySource::keys) once more.
    Wait(BoxFuture<'static, Refreshed>),
}

/// What is known of an issuer's keys after [`KeySource::refresh`].
///
/// # Security
///
/// The three must not be taken for one another: who trusts overdue keys because a source is busy
/// accepts a key that was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refreshed {
    /// The issuer should be asked, but cannot be now: too many wait already. Nothing may be
    /// concluded from the keys at hand.
    Busy,
    /// The issuer was asked, a moment ago or just now, and gave no good answer. The keys at hand
    /// must do, and nobody knows of others.
    Failed,
    /// The issuer has answered, a moment ago or just now: a key that is not there is unknown.
    Settled,
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(refreshed) => f.debug_tuple("Now").field(refreshed).finish(),
            Self::Wait(_) => f.debug_tuple("Wait").finish_non_exhaustive(),
        }
    }
}

/// Why a verifier wants other keys than it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need<'k> {
    /// There are no keys at all.
    Keys,
    /// There is no key of this name, taken from a token that nothing vouches for.
    Kid(&'k str),
    /// A signature does not fit the key of this name: it may have been replaced under its name.
    Replacement(&'k str),
    /// The keys are [overdue](KeySource::is_overdue).
    Stale,
}

impl KeySource for Box<dyn KeySource> {
    fn keys(&self, now: u64) -> Option<Arc<KeySet>> {
        self.as_ref().keys(now)
    }

    fn generation(&self, now: u64) -> Option<u64> {
        self.as_ref().generation(now)
    }

    fn is_overdue(&self, now: u64) -> bool {
        self.as_ref().is_overdue(now)
    }

    fn refresh(&self, need: Need<'_>, now: u64) -> Refresh {
        self.as_ref().refresh(need, now)
    }
}

/// Keys that somebody else fetches.
impl KeySource for Arc<Engine> {
    fn keys(&self, now: u64) -> Option<Arc<KeySet>> {
        self.as_ref().keys(now)
    }

    fn generation(&self, now: u64) -> Option<u64> {
        self.as_ref().generation(now)
    }

    fn is_overdue(&self, now: u64) -> bool {
        self.as_ref().is_overdue(now)
    }
}

impl KeySource for Arc<KeySet> {
    fn keys(&self, _now: u64) -> Option<Arc<KeySet>> {
        Some(Self::clone(self))
    }

    fn generation(&self, _now: u64) -> Option<u64> {
        Some(0)
    }
}
