//! Tokens that were verified, so that the next request with one of them costs nanoseconds.
//!
//! 1. A token is found by its whole text: two tokens never share an entry, whatever anybody sends.
//! 2. Only good tokens are kept, so nothing that anybody can make up takes room.
//! 3. What may change is not trusted from here: the verifier looks at the time, the revocations and
//!    the keys again on every hit.
//! 4. Entries and bytes are bounded; a value never changes.
//!
//! In front of the shared cache lies a small one per thread, about: a counter that all threads
//! increment would otherwise make one busy token slower with every thread.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::principal::Principal;

/// How much of the verified tokens is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCache {
    entries: usize,
    bytes: usize,
    max_token_bytes: usize,
    max_seconds: u64,
}

impl TokenCache {
    /// Remembers 10,000 tokens in at most 32 MiB, each for five minutes at most.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: 10_000, bytes: 32 << 20, max_token_bytes: 8192, max_seconds: 300 }
    }

    /// Remembers nothing: every token is verified from its signature on.
    #[must_use]
    pub const fn off() -> Self {
        Self { entries: 0, ..Self::new() }
    }

    /// Sets how many tokens are remembered.
    #[must_use]
    pub const fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Sets how many bytes the tokens and their claims may take, about. Beside that, up to 64 of
    /// them stay with each of the small caches in front, two for each processor.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the length above which a token is not remembered.
    #[must_use]
    pub const fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Sets after how many seconds a token's signature is verified again.
    #[must_use]
    pub const fn max_seconds(mut self, seconds: u64) -> Self {
        self.max_seconds = seconds;
        self
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

/// The verified tokens of one verifier.
pub(crate) struct Tokens {
    settings: TokenCache,
    /// Made with the first token, so that a verifier that never sees one stays small.
    state: OnceLock<State>,
}

struct State {
    hash: TailHash,
    shared: Cache<Arc<str>, Entry, Weigh, TailHash, DefaultLifecycle<Arc<str>, Entry>>,
    fronts: Box<[Front]>,
}

#[derive(Clone)]
struct Entry {
    token: Arc<str>,
    principal: Principal,
    /// First second in which it is no longer used.
    until: u64,
}

/// Says whether two texts are the same. WebAssembly has no instruction for it, and its library goes
/// byte by byte.
fn same(one: &str, other: &str) -> bool {
    if cfg!(not(target_family = "wasm")) || one.len() != other.len() {
        return one == other;
    }
    let ((one, rest), (other, other_rest)) =
        (one.as_bytes().as_chunks::<8>(), other.as_bytes().as_chunks::<8>());
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    rest == other_rest && one.iter().map(word).eq(other.iter().map(word))
}

/// A line of its own in every processor's cache.
#[repr(align(128))]
#[derive(Default)]
struct Front(Mutex<Vec<Slot>>);

#[derive(Default)]
struct Slot {
    /// The token last found for this slot in the shared cache.
    candidate: u64,
    held: Option<Entry>,
}

impl Tokens {
    pub(crate) const fn new(settings: TokenCache) -> Self {
        Self { settings, state: OnceLock::new() }
    }

    /// Finds a token that was verified before and that `is_good` still vouches for.
    pub(crate) fn find(
        &self,
        token: &str,
        now: u64,
        is_good: impl Fn(&Principal) -> bool,
    ) -> Option<Principal> {
        let state = self.state.get()?;
        let hash = state.hash.of(token.as_bytes());
        let mut slots = state.front();
        let slot = slots.as_mut().and_then(|slots| slots.get_mut(slot_of(hash)));
        let is_good = |entry: &Entry| now < entry.until && is_good(&entry.principal);
        let mut slot = slot;
        if let Some(Slot { held, .. }) = &mut slot
            && let Some(entry) = held.as_ref().filter(|entry| same(&entry.token, token))
        {
            if is_good(entry) {
                return Some(entry.principal.clone());
            }
            *held = None;
        }
        let entry = state.shared.get(token).filter(is_good)?;
        if let Some(slot) = slot {
            slot.offer(hash, &entry);
        } else if let Some(slots) = &mut slots {
            slots.resize_with(SLOTS, Slot::default);
        }
        Some(entry.principal)
    }

    /// Remembers a token that was just verified.
    pub(crate) fn remember(&self, token: &str, principal: &Principal, now: u64) {
        let settings = &self.settings;
        if settings.entries == 0 || token.len() > settings.max_token_bytes {
            return;
        }
        let Some(state) = self.state() else {
            return;
        };
        let until = principal.voucher().end.min(now.saturating_add(settings.max_seconds));
        let token: Arc<str> = token.into();
        let entry = Entry { token: Arc::clone(&token), principal: principal.clone(), until };
        state.shared.insert(token, entry);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let Some(state) = self.state.get() else {
            return;
        };
        state.shared.clear();
        for front in &state.fronts {
            front.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Counts the tokens in the shared cache.
    pub(crate) fn len(&self) -> usize {
        self.state.get().map_or(0, |state| state.shared.len())
    }

    fn state(&self) -> Option<&State> {
        if let Some(state) = self.state.get() {
            return Some(state);
        }
        let made = State::new(&self.settings)?;
        Some(self.state.get_or_init(|| made))
    }
}

impl State {
    fn new(settings: &TokenCache) -> Option<Self> {
        let hash = TailHash { key: RandomState::new().hash_one("token cache") | 1 };
        let capacity = u64::try_from(settings.bytes).unwrap_or(u64::MAX);
        // The shared cache has several parts, which do not fill evenly.
        let room = settings.entries.saturating_add(settings.entries / 8);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(room)
            .weight_capacity(capacity)
            .build()
            .ok()?;
        let least = capacity / u64::try_from(room).unwrap_or(u64::MAX).max(1);
        let weigh = Weigh { least };
        let shared = Cache::with_options(options, weigh, hash, DefaultLifecycle::default());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let fronts = (2 * threads).next_power_of_two().min(MAX_FRONTS);
        let fronts = std::iter::repeat_with(Front::default).take(fronts).collect();
        Some(Self { hash, shared, fronts })
    }

    /// Gives the front of this thread, unless a thread that has the same one is at it: then the
    /// shared cache answers, too.
    fn front(&self) -> Option<MutexGuard<'_, Vec<Slot>>> {
        match self.fronts.get(THREAD.with(|at| *at) % self.fronts.len())?.0.try_lock() {
            Ok(slots) => Some(slots),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Slot {
    /// Takes a token in when it was the last one asked for, too: a token that is asked for once
    /// does not push out one that is asked for all the time.
    fn offer(&mut self, hash: u64, entry: &Entry) {
        if self.candidate == hash && entry.token.len() <= MAX_FRONT_TOKEN {
            // A counter of its own: clones made from here touch no other thread's.
            let principal = entry.principal.detached();
            self.held = Some(Entry { principal, ..entry.clone() });
        }
        self.candidate = hash;
    }
}

/// Weighs an entry: what it takes, or its share of the room if that is more, which bounds the
/// number of entries.
#[derive(Clone)]
struct Weigh {
    least: u64,
}

impl Weighter<Arc<str>, Entry> for Weigh {
    fn weight(&self, token: &Arc<str>, entry: &Entry) -> u64 {
        let bytes = ENTRY_BYTES + token.len() + entry.principal.verified().weight();
        u64::try_from(bytes).unwrap_or(u64::MAX).max(self.least)
    }
}

/// Hashes the end of a token: the end of a signature, which nobody can choose for a token that is
/// accepted. A forged token that hashes alike costs one comparison and finds nothing.
#[derive(Clone, Copy)]
struct TailHash {
    key: u64,
}

impl TailHash {
    fn of(self, token: &[u8]) -> u64 {
        let tail = token.last_chunk::<24>().copied().unwrap_or_default();
        let [a, b, c] = [0, 8, 16].map(|at| {
            let bytes = tail.get(at..).and_then(|rest| rest.first_chunk::<8>());
            u64::from_le_bytes(bytes.copied().unwrap_or_default())
        });
        let product = u128::from(b ^ self.key) * u128::from((a ^ self.key.rotate_left(32)) | 1);
        #[expect(clippy::cast_possible_truncation, reason = "folds both halves")]
        let folded = (product >> 64) as u64 ^ product as u64;
        (folded ^ c).wrapping_mul(self.key)
    }
}

impl BuildHasher for TailHash {
    type Hasher = Tail;

    fn build_hasher(&self) -> Tail {
        Tail { hash: *self, value: 0 }
    }
}

/// The hasher of one token.
struct Tail {
    hash: TailHash,
    value: u64,
}

impl Hasher for Tail {
    fn write(&mut self, bytes: &[u8]) {
        self.value = self.hash.of(bytes);
    }

    // The mark at the end of a text says nothing about which text it is.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.value
    }
}

thread_local! {
    /// Which front a thread uses; threads take turns.
    static THREAD: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
}

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

fn slot_of(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or_default() % SLOTS
}

/// What the cache itself takes for an entry, about.
const ENTRY_BYTES: usize = 160;

const SLOTS: usize = 64;
const MAX_FRONTS: usize = 64;
const MAX_FRONT_TOKEN: usize = 2048;
