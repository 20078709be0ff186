//! The memory of used proofs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// A proof that is about to be used, all of whose other checks passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Use<'a> {
    /// Thumbprint of the proof's key.
    pub jkt: &'a str,
    /// Name the client gave the proof, unique under its key.
    pub jti: &'a str,
    /// Last second at which this use must still be remembered.
    pub until: u64,
}

impl Use<'_> {
    /// Gives a short name for key and proof together, for stores that want keys of one size.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        // A thumbprint never has a dot: no two pairs write the same text.
        Sha256::digest(format!("{}.{}", self.jkt, self.jti)).into()
    }
}

/// What a replay cache found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Remembered {
    /// The use is the first one and is remembered now.
    First,
    /// The proof was used before.
    Again,
    /// The use could not be remembered: no room, or no answer. The proof is refused.
    Unavailable,
}

/// Remembers the proofs that were used.
///
/// The call is synchronous, because the usual cache is in memory and takes no time. One that asks
/// another machine (`SET … NX EX` in Redis, `INSERT … ON CONFLICT DO NOTHING` in SQL) lets several
/// servers share it; under async, run the whole check where blocking is allowed.
///
/// # Security
///
/// `remember` is one atomic step. A look-up followed by an insertion would let two requests with
/// one proof both pass.
///
/// # Spec
///
/// RFC 9449 §11.1.
pub trait ReplayCache: Send + Sync {
    /// Remembers a use unless it already is.
    fn remember(&self, proof: &Use<'_>, now: u64) -> Remembered;
}

impl<T: ReplayCache + ?Sized> ReplayCache for Arc<T> {
    fn remember(&self, proof: &Use<'_>, now: u64) -> Remembered {
        self.as_ref().remember(proof, now)
    }
}

/// A replay cache in the memory of one process.
///
/// Each use takes some 200 bytes until it may be forgotten.
///
/// # Security
///
/// Nothing is forgotten early, so no flood of proofs makes room for a replay. A full cache refuses
/// instead, and that must not let one client shut out the others: a use is remembered only after
/// the proof's key was found to be the access token's, so strangers cannot fill the cache, and
/// one key may hold only its share of it (a sixteenth by default). A client that exceeds its share
/// is refused alone. Filling the cache takes valid tokens bound to as many keys as there are
/// shares; limit what one account may obtain, or raise the capacity.
pub struct MemoryReplayCache {
    capacity: usize,
    per_key: usize,
    uses: Mutex<Uses>,
}

type Hash = [u8; 32];

#[derive(Default)]
struct Uses {
    seen: HashSet<Hash>,
    held: HashMap<Hash, usize>,
    /// Uses and their keys by the second until which they are remembered.
    ends: BTreeMap<u64, Vec<(Hash, Hash)>>,
}

impl MemoryReplayCache {
    /// Makes a cache for `capacity` uses, a sixteenth of them (at least one) for one key.
    ///
    /// Uses are remembered for little more than the maximum age of a proof: take that many seconds
    /// times the requests per second.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, per_key: (capacity / 16).max(1), uses: Mutex::default() }
    }

    /// Sets how many uses one key may hold.
    #[must_use]
    pub fn per_key(mut self, per_key: usize) -> Self {
        self.per_key = per_key;
        self
    }
}

impl Default for MemoryReplayCache {
    /// Makes a cache for 262,144 uses: some 50 MB when full.
    fn default() -> Self {
        Self::new(1 << 18)
    }
}

impl ReplayCache for MemoryReplayCache {
    fn remember(&self, proof: &Use<'_>, now: u64) -> Remembered {
        let (id, key) = (proof.id(), Sha256::digest(proof.jkt).into());
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.forget_before(now);
        if uses.seen.contains(&id) {
            return Remembered::Again;
        }
        let held = uses.held.get(&key).copied().unwrap_or_default();
        if uses.seen.len() >= self.capacity || held >= self.per_key {
            return Remembered::Unavailable;
        }
        uses.seen.insert(id);
        uses.held.insert(key, held + 1);
        uses.ends.entry(proof.until).or_default().push((id, key));
        Remembered::First
    }
}

impl Uses {
    /// Each use is forgotten once, so this costs as much as remembering did.
    fn forget_before(&mut self, now: u64) {
        while let Some(oldest) = self.ends.first_entry().filter(|oldest| *oldest.key() < now) {
            for (id, key) in oldest.remove() {
                self.seen.remove(&id);
                let left = self.held.get(&key).map_or(0, |held| held.saturating_sub(1));
                if left == 0 {
                    self.held.remove(&key);
                } else {
                    self.held.insert(key, left);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryReplayCache, Remembered, ReplayCache, Use};

    fn remember(cache: &MemoryReplayCache, jkt: &str, jti: &str, now: u64) -> Remembered {
        cache.remember(&Use { jkt, jti, until: now + 10 }, now)
    }

    #[test]
    fn a_use_is_remembered_until_its_last_second_and_forgotten_after_it() {
        let cache = MemoryReplayCache::new(100);
        assert_eq!(remember(&cache, "k", "a", 0), Remembered::First);
        assert_eq!(remember(&cache, "k", "a", 10), Remembered::Again);
        assert_eq!(remember(&cache, "k", "a", 11), Remembered::First);
    }

    #[test]
    fn one_name_under_two_keys_is_two_uses() {
        let cache = MemoryReplayCache::new(100);
        assert_eq!(remember(&cache, "k", "a", 0), Remembered::First);
        assert_eq!(remember(&cache, "l", "a", 0), Remembered::First);
        assert_eq!(remember(&cache, "k", "b", 0), Remembered::First);
    }

    #[test]
    fn a_full_cache_refuses_and_forgets_nothing() {
        let cache = MemoryReplayCache::new(2).per_key(2);
        for (jkt, jti) in [("k", "a"), ("l", "b")] {
            assert_eq!(remember(&cache, jkt, jti, 0), Remembered::First);
        }
        assert_eq!(remember(&cache, "m", "c", 10), Remembered::Unavailable);
        assert_eq!(remember(&cache, "k", "a", 10), Remembered::Again);
        assert_eq!(remember(&cache, "m", "c", 11), Remembered::First);
    }

    #[test]
    fn a_key_that_used_up_its_share_does_not_shut_out_another() {
        let cache = MemoryReplayCache::new(32);
        for (jti, verdict) in
            [("a", Remembered::First), ("b", Remembered::First), ("c", Remembered::Unavailable)]
        {
            assert_eq!(remember(&cache, "greedy", jti, 0), verdict);
        }
        assert_eq!(remember(&cache, "modest", "a", 0), Remembered::First);
        assert_eq!(remember(&cache, "greedy", "c", 11), Remembered::First);
    }

    #[test]
    fn forgetting_leaves_nothing_behind() {
        let cache = MemoryReplayCache::new(1000);
        for now in 0..1000 {
            assert_eq!(remember(&cache, &now.to_string(), "a", now * 3), Remembered::First);
        }
        let uses = cache.uses.lock().unwrap();
        assert_eq!((uses.seen.len(), uses.held.len(), uses.ends.len()), (4, 4, 4));
    }
}
