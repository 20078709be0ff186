//! The memory of used proofs.

use std::collections::{BTreeSet, HashMap};
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
    /// Remembers a use unless it already is. It may be forgotten once `until` has passed, and need
    /// not be.
    fn remember(&self, proof: &Use<'_>, now: u64) -> Remembered;
}

impl<T: ReplayCache + ?Sized> ReplayCache for Arc<T> {
    fn remember(&self, proof: &Use<'_>, now: u64) -> Remembered {
        self.as_ref().remember(proof, now)
    }
}

/// A replay cache in the memory of one process.
///
/// Each use takes some 250 bytes until it is forgotten, ten minutes after its end or sooner if the
/// room is needed.
///
/// # Security
///
/// What is remembered was used, whatever the time is. A clock that leaps ahead and back, or one
/// caller whose `now` is wrong, must not empty the cache for a replay: each new use makes it forget
/// at most four others, the oldest first, and until the room is needed only such as ended ten
/// minutes ago.
///
/// No flood of proofs makes room for a replay: a use that has not ended is not forgotten. A full
/// cache refuses instead, and that must not let one client shut out the others: a use is remembered
/// only after
/// the proof's key was found to be the access token's, so strangers cannot fill the cache, and
/// one key may hold only its share of it (a sixteenth by default). A client that exceeds its share
/// is refused alone. Filling the cache takes valid tokens bound to as many keys as there are
/// shares; limit what one account may obtain, or raise the capacity.
pub struct MemoryReplayCache {
    capacity: usize,
    per_key: usize,
    uses: Mutex<Uses>,
}

/// Half of a hash is enough here: who finds two of one value has spent 2^64 steps to have a proof of
/// their own refused.
type Short = [u8; 16];

#[derive(Default)]
struct Uses {
    /// The uses, and the key of each.
    seen: HashMap<Short, Short>,
    /// How many uses each key has.
    held: HashMap<Short, usize>,
    /// Each use twice, by its end: among all, and among those of its key.
    ends: BTreeSet<(Short, u64, Short)>,
}

impl MemoryReplayCache {
    /// Makes a cache for `capacity` uses, a sixteenth of them (at least one) for one key.
    ///
    /// Uses must be remembered for little more than the maximum age of a proof: take that many
    /// seconds times the requests per second.
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
    /// Makes a cache for 262,144 uses: some 65 MB when full.
    fn default() -> Self {
        Self::new(1 << 18)
    }
}

impl ReplayCache for MemoryReplayCache {
    fn remember(&self, proof: &Use<'_>, now: u64) -> Remembered {
        let (id, key) = (short(&proof.id()), short(&Sha256::digest(proof.jkt)));
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.seen.contains_key(&id) {
            return Remembered::Again;
        }
        // One more than comes in, so that the memory of a busy hour is given back.
        for _ in 0..2 {
            uses.forget_oldest(ALL, now.saturating_sub(GRACE));
        }
        if uses.held(&key) >= self.per_key {
            uses.forget_oldest(key, now);
        }
        if uses.seen.len() >= self.capacity {
            uses.forget_oldest(ALL, now);
        }
        if uses.seen.len() >= self.capacity || uses.held(&key) >= self.per_key {
            return Remembered::Unavailable;
        }
        uses.seen.insert(id, key);
        uses.ends.extend([ALL, key].map(|group| (group, proof.until, id)));
        *uses.held.entry(key).or_default() += 1;
        Remembered::First
    }
}

impl Uses {
    fn held(&self, key: &Short) -> usize {
        self.held.get(key).copied().unwrap_or_default()
    }

    /// Forgets the oldest use among all or among those of a key, if it ended before that time.
    fn forget_oldest(&mut self, group: Short, before: u64) {
        let first = self.ends.range((group, 0, Short::default())..).next().copied();
        if let Some((of, end, id)) = first
            && of == group
            && end < before
            && let Some(key) = self.seen.remove(&id)
        {
            for group in [ALL, key] {
                self.ends.remove(&(group, end, id));
            }
            let left = self.held(&key).saturating_sub(1);
            match left {
                0 => drop(self.held.remove(&key)),
                left => drop(self.held.insert(key, left)),
            }
        }
    }
}

fn short(hash: &[u8]) -> Short {
    std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default())
}

/// Stands for all keys; no hash is this.
const ALL: Short = [0; 16];

/// For how many seconds after its end a use is kept, unless the room is needed: longer than clocks
/// leap by mistake.
const GRACE: u64 = 600;

#[cfg(test)]
mod tests {
    use super::{MemoryReplayCache, Remembered, ReplayCache, Use};

    fn remember(cache: &MemoryReplayCache, jkt: &str, jti: &str, now: u64) -> Remembered {
        cache.remember(&Use { jkt, jti, until: now + 10 }, now)
    }

    #[test]
    fn what_is_remembered_was_used_whatever_the_time_is() {
        let cache = MemoryReplayCache::new(100);
        assert_eq!(remember(&cache, "k", "a", 1000), Remembered::First);
        for now in [1010, 1011, 0, 1000, 5000, 1 << 40] {
            assert_eq!(remember(&cache, "k", "a", now), Remembered::Again, "{now}");
        }
    }

    #[test]
    fn a_use_is_forgotten_ten_minutes_after_its_end_when_another_comes() {
        for (now, verdict) in [(610, Remembered::Again), (611, Remembered::First)] {
            let cache = MemoryReplayCache::new(100);
            assert_eq!(remember(&cache, "k", "a", 0), Remembered::First);
            assert_eq!(remember(&cache, "l", "b", now), Remembered::First);
            assert_eq!(remember(&cache, "k", "a", now), verdict);
        }
    }

    #[test]
    fn a_time_far_ahead_costs_a_few_of_the_oldest_uses_only() {
        let cache = MemoryReplayCache::new(100);
        for now in 0..90 {
            assert_eq!(remember(&cache, &now.to_string(), "a", now), Remembered::First);
        }
        assert_eq!(remember(&cache, "thief", "a", 1_000_000), Remembered::First);
        for now in 2..90 {
            assert_eq!(remember(&cache, &now.to_string(), "a", 90), Remembered::Again, "{now}");
        }
    }

    #[test]
    fn a_full_cache_gives_up_ended_uses_only_one_for_one_and_the_oldest_first() {
        let cache = MemoryReplayCache::new(3).per_key(3);
        for (jti, now) in [("c", 2), ("a", 0), ("b", 1)] {
            assert_eq!(remember(&cache, "k", jti, now), Remembered::First);
        }
        assert_eq!(remember(&cache, "l", "d", 300), Remembered::First);
        assert_eq!(remember(&cache, "k", "b", 3), Remembered::Again);
        assert_eq!(remember(&cache, "k", "c", 3), Remembered::Again);
        assert_eq!(remember(&cache, "k", "a", 3), Remembered::Unavailable);
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
        for name in 0..500_u64 {
            assert_eq!(remember(&cache, &name.to_string(), "a", 0), Remembered::First);
        }
        for now in 500..2000 {
            assert_eq!(remember(&cache, &now.to_string(), "a", now * 61), Remembered::First);
        }
        let uses = cache.uses.lock().unwrap();
        assert_eq!((uses.seen.len(), uses.held.len(), uses.ends.len()), (11, 11, 22));
    }
}
