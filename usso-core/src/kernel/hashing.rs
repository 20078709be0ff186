//! Password hashing: Argon2id under a memory and concurrency budget, off the async threads.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    entropy::Entropy,
    refusal::{Fault, FaultKind, Stop},
    secret::Secret,
};

const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;
/// A stored hash may not ask for more than this: a hostile import would otherwise stop the server.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const ITERATIONS_MAX: u32 = 20;
/// How many different parameters of stored hashes are remembered.
const SEEN_MAX: usize = 4;

/// The cost of a hash and the budget for all hashes together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Memory of one hash in KiB; default 19,456 (OWASP's first recommendation), 8..=262,144.
    pub memory_kib: u32,
    /// Passes over the memory; default 2, 1..=20.
    pub iterations: u32,
    /// Lanes; default 1, 1..=16.
    pub parallelism: u32,
    /// How many hashes run at once; default the number of processors, 1..=1,024. Times
    /// `memory_kib` it is the memory that hashing ever takes.
    pub concurrent: usize,
    /// How many more may wait; default 32, 0..=100,000. Beyond that callers are told to come back.
    pub waiting: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            concurrent: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            waiting: 32,
        }
    }
}

impl Config {
    /// The cheapest parameters there are: for tests only.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn cheap() -> Self {
        Self { memory_kib: 8, iterations: 1, ..Self::default() }
    }

    fn check(&self) -> Result<Params, String> {
        let within = |name: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(format!("hashing.{name} is {value}; it must be {low} to {high}"))
        };
        within("memory_kib", self.memory_kib as usize, 8, MEMORY_KIB_MAX as usize)?;
        within("iterations", self.iterations as usize, 1, ITERATIONS_MAX as usize)?;
        within("parallelism", self.parallelism as usize, 1, 16)?;
        within("concurrent", self.concurrent, 1, 1024)?;
        within("waiting", self.waiting, 0, 100_000)?;
        Params::new(self.memory_kib, self.iterations, self.parallelism, Some(OUTPUT_LEN))
            .map_err(|error| format!("hashing.memory_kib and hashing.parallelism: {error}"))
    }
}

/// A password hash in PHC string format, as stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// What comparing a password with a stored hash found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is the right one.
    pub matches: bool,
    /// Whether the hash was made with other parameters than those configured now.
    pub outdated: bool,
}

/// Too many passwords are being hashed; the caller should come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Busy {
    /// How long to wait before trying again.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);
}

/// A place in a budget. Dropping it frees it.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// Work on blocking threads, of which so much runs at once, so much waits, and no more.
struct Gate {
    /// Running and waiting work together.
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Gate {
    fn new(config: &Config) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.concurrent + config.waiting)),
            running: Arc::new(Semaphore::new(config.concurrent)),
        }
    }

    fn place(&self) -> Result<Place, Busy> {
        Arc::clone(&self.places).try_acquire_owned().map(Place).map_err(|_| Busy)
    }

    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|_| fault("the hasher was closed"))?;
        let done = tokio::task::spawn_blocking(move || {
            // Both end with the thread's work, not with a caller that gives up waiting.
            let _held = (place, running);
            work()
        });
        done.await.map_err(|error| fault(&error.to_string()))
    }
}

/// Hashes passwords within a budget. Cheap to clone; clones share the budget.
///
/// # Security
///
/// An Argon2id hash takes 19 MiB for 20 ms. Without a bound, a few hundred parallel sign-ins take
/// the machine down; here the ones over the budget are refused at once.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    params: Params,
    hashes: Gate,
    estimates: Gate,
    /// The parameters that stored hashes were seen to have, today's first.
    seen: Mutex<Vec<Params>>,
    /// Memory blocks of finished hashes. Kept, because freed blocks of this size fragment the
    /// heap of common allocators into hundreds of megabytes.
    pool: Mutex<Vec<Vec<Block>>>,
    /// What passwords of unknown accounts are compared with, so that they cost the same.
    nobody: PasswordHash,
}

impl Hasher {
    /// Checks the configuration and prepares the budget. Memory is taken with the first hash.
    ///
    /// # Errors
    ///
    /// A sentence that names the field that is out of range.
    pub fn new(config: &Config) -> Result<Self, String> {
        let params = config.check()?;
        let nobody = encode(&params, &[0; SALT_LEN], &[0; OUTPUT_LEN]);
        Ok(Self(Arc::new(Inner {
            seen: Mutex::new(vec![params.clone()]),
            params,
            hashes: Gate::new(config),
            estimates: Gate::new(config),
            pool: Mutex::new(Vec::with_capacity(config.concurrent)),
            nobody,
        })))
    }

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    ///
    /// [`Busy`] when the budget is used up, [`Fault`] if randomness or a thread failed.
    pub async fn hash(
        &self,
        password: Secret<String>,
        entropy: &dyn Entropy,
    ) -> Result<PasswordHash, Stop<Busy>> {
        let place = self.place().map_err(Stop::Refused)?;
        Ok(self.hash_in(place, password, entropy).await?)
    }

    /// Takes a place in the budget before other work is done for the hash.
    ///
    /// # Errors
    ///
    /// [`Busy`] when the budget is used up.
    pub fn place(&self) -> Result<Place, Busy> {
        self.0.hashes.place()
    }

    /// Runs other costly work on passwords, under a bound of its own: it cannot keep sign-ins out.
    ///
    /// # Errors
    ///
    /// [`Busy`] when that bound is reached, [`Fault`] if a thread failed.
    pub(crate) async fn estimate<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stop<Busy>> {
        let place = self.0.estimates.place().map_err(Stop::Refused)?;
        Ok(self.0.estimates.run(place, work).await?)
    }

    /// Hashes a password in a place taken before.
    ///
    /// # Errors
    ///
    /// [`Fault`] if randomness or a thread failed.
    pub async fn hash_in(
        &self,
        place: Place,
        password: Secret<String>,
        entropy: &dyn Entropy,
    ) -> Result<PasswordHash, Fault> {
        let mut salt = [0; SALT_LEN];
        entropy.fill(&mut salt)?;
        let inner = Arc::clone(&self.0);
        let work = move || {
            let output = inner.compute(&inner.params, &password, &salt)?;
            Ok(encode(&inner.params, &salt, &output))
        };
        self.0.hashes.run(place, work).await?
    }

    /// Compares a password with a stored hash, or with none: both take the same time.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the stored hash is damaged or a thread failed.
    ///
    /// # Security
    ///
    /// While hashes with several parameters are stored, whatever does not match is also hashed with
    /// the others: an unknown account costs as much as any known one.
    pub async fn verify_in(
        &self,
        place: Place,
        password: Secret<String>,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, Fault> {
        let (params, salt, expected) = decode(stored.unwrap_or(&self.0.nobody))?;
        let known = stored.is_some();
        let others = self.0.others(&params);
        let inner = Arc::clone(&self.0);
        let work = move || {
            let output = inner.compute(&params, &password, &salt)?;
            let equal: bool = output.ct_eq(&expected).into();
            let verdict = Verdict { matches: equal && known, outdated: params != inner.params };
            if !verdict.matches {
                others
                    .iter()
                    .try_for_each(|other| inner.compute(other, &password, &salt).map(drop))?;
            }
            Ok(verdict)
        };
        self.0.hashes.run(place, work).await?
    }
}

impl Inner {
    /// The parameters of stored hashes other than these, which are remembered.
    fn others(&self, params: &Params) -> Vec<Params> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(params) && seen.len() < SEEN_MAX {
            seen.push(params.clone());
        }
        seen.iter().filter(|known| *known != params).cloned().collect()
    }

    fn compute(
        &self,
        params: &Params,
        password: &Secret<String>,
        salt: &[u8],
    ) -> Result<[u8; OUTPUT_LEN], Fault> {
        let mut blocks =
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let needed = params.block_count();
        if blocks.len() < needed {
            blocks.resize(needed, Block::new());
        }
        let mut output = [0; OUTPUT_LEN];
        let memory = blocks.get_mut(..needed).unwrap_or_default();
        let hashed = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into_with_memory(
                password.expose().as_bytes(),
                salt,
                &mut output,
                memory,
            );
        // A hash with larger parameters than ours does not leave its memory in the pool.
        if blocks.len() <= self.params.block_count() {
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        }
        hashed.map_err(|error| fault(&error.to_string()))?;
        Ok(output)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("params", &self.0.params).finish_non_exhaustive()
    }
}

fn encode(params: &Params, salt: &[u8], output: &[u8]) -> PasswordHash {
    PasswordHash(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost(),
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    ))
}

/// Reads `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
fn decode(stored: &PasswordHash) -> Result<(Params, Vec<u8>, Vec<u8>), Fault> {
    read(&stored.0).ok_or_else(|| Fault::new(FaultKind::Corrupt, "a password hash cannot be read"))
}

fn read(text: &str) -> Option<(Params, Vec<u8>, Vec<u8>)> {
    let mut fields = text.strip_prefix("$argon2id$v=19$")?.split('$');
    let mut costs = fields.next()?.split(',');
    let mut cost = |name: &str, max: u32| {
        costs.next()?.strip_prefix(name)?.parse::<u32>().ok().filter(|cost| *cost <= max)
    };
    let (memory, iterations) = (cost("m=", MEMORY_KIB_MAX)?, cost("t=", ITERATIONS_MAX)?);
    let params = Params::new(memory, iterations, cost("p=", 16)?, Some(OUTPUT_LEN)).ok()?;
    let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    let output = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    (output.len() == OUTPUT_LEN && fields.next().is_none()).then_some((params, salt, output))
}

fn fault(detail: &str) -> Fault {
    Fault::new(FaultKind::Hashing, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::SeededEntropy;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    async fn verify(
        hasher: &Hasher,
        password: &str,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, Stop<Busy>> {
        let place = hasher.place().map_err(Stop::Refused)?;
        Ok(hasher.verify_in(place, secret(password), stored).await?)
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hasher = Hasher::new(&Config::cheap()).unwrap();
        let hash = hasher.hash(secret("right"), &SeededEntropy::new(1)).await.unwrap();
        assert!(verify(&hasher, "right", Some(&hash)).await.unwrap().matches);
        assert!(!verify(&hasher, "wrong", Some(&hash)).await.unwrap().matches);
        assert!(!verify(&hasher, "right", None).await.unwrap().matches);
    }

    #[tokio::test]
    async fn the_reference_vector_of_another_implementation_matches() {
        // From the Argon2 reference implementation's test.c: m = 256 KiB, t = 2, p = 1.
        let stored = PasswordHash(
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
                .to_owned(),
        );
        let hasher = Hasher::new(&Config::cheap()).unwrap();
        let verdict = verify(&hasher, "password", Some(&stored)).await.unwrap();
        assert_eq!(verdict, Verdict { matches: true, outdated: true });
    }

    #[tokio::test]
    async fn work_over_the_budget_is_refused_at_once() {
        let config = Config { concurrent: 1, waiting: 2, memory_kib: 4096, ..Config::cheap() };
        let hasher = Hasher::new(&config).unwrap();
        let results = futures_join((0..20).map(|_| {
            let hasher = hasher.clone();
            tokio::spawn(async move { verify(&hasher, "x", None).await })
        }))
        .await;
        let refused =
            results.iter().filter(|result| matches!(result, Err(Stop::Refused(Busy)))).count();
        assert!(refused > 0 && refused <= 17, "{refused} of 20 were refused");
        assert!(verify(&hasher, "x", None).await.is_ok(), "places are free again");
        assert_eq!(hasher.0.pool.lock().unwrap().len(), 1, "one hash at a time, one buffer");
    }

    async fn futures_join<T>(tasks: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
        let tasks: Vec<_> = tasks.collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    }

    #[tokio::test]
    async fn while_hashes_of_two_costs_are_stored_a_wrong_password_costs_both() {
        let (old, new) = (Config::cheap(), Config { iterations: 3, ..Config::cheap() });
        let hash = Hasher::new(&old).unwrap().hash(secret("right"), &SeededEntropy::new(1)).await;
        let hasher = Hasher::new(&new).unwrap();
        assert!(hasher.0.others(&hasher.0.params).is_empty());
        assert!(verify(&hasher, "right", Some(&hash.unwrap())).await.unwrap().matches);
        assert_eq!(hasher.0.others(&hasher.0.params), [old.check().unwrap()]);
        assert!(!verify(&hasher, "right", None).await.unwrap().matches);
    }

    #[tokio::test]
    async fn estimates_are_bounded_and_take_no_place_of_a_hash() {
        let config = Config { concurrent: 1, waiting: 0, ..Config::cheap() };
        let hasher = Hasher::new(&config).unwrap();
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        let (start, running) = tokio::sync::oneshot::channel();
        let work = move || {
            start.send(()).unwrap();
            wait.recv()
        };
        let held = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.estimate(work).await.is_ok() }
        });
        running.await.unwrap();
        assert!(matches!(hasher.estimate(|| ()).await, Err(Stop::Refused(Busy))));
        assert!(verify(&hasher, "x", None).await.is_ok(), "sign-ins go on");
        finish.send(()).unwrap();
        assert!(held.await.unwrap());
    }

    #[test]
    fn damaged_and_hostile_hashes_are_faults() {
        let good = encode(&Config::cheap().check().unwrap(), &[1; 16], &[2; 32]).0;
        assert!(read(&good).is_some());
        for bad in [
            good.replace("argon2id", "argon2i"),
            good.replace("v=19", "v=16"),
            good.replace("m=8", "m=4194304"),
            good.replace("t=1", "t=4000000"),
            good.replace("m=8", "m=-8"),
            format!("{good}$more"),
            good.chars().take(good.len() - 4).collect(),
            String::new(),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn fields_out_of_range_are_named() {
        let config = Config { memory_kib: 1, ..Config::default() };
        assert!(Hasher::new(&config).unwrap_err().contains("hashing.memory_kib"));
    }
}
