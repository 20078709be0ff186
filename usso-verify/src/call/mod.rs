//! The one surface for other languages: calls in, answers out.
//!
//! The Python and WebAssembly packages are thin layers over this module, so that one token gets one
//! verdict and one code in every language. Nothing here blocks, reads a clock or performs I/O: what
//! must be fetched, or signed for by the platform's own cryptography, is an [`Answer`] that the
//! caller acts on before it asks again.
//!
//! ```
//! use usso_verify::call::{Answer, Calls};
//!
//! let calls = Calls::new(
//!     r#"{"issuers": [{"issuer": "https://sso.example", "audience": "https://api.example"}]}"#,
//! )?;
//! // No keys yet: the first answer is a request to send.
//! # let token = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjIwMjYifQ.\
//! # eyJpc3MiOiJodHRwczovL3Nzby5leGFtcGxlIiwic3ViIjoidXNlcjoxIiwiYXVkIjoiaHR0cHM6Ly9hcGkuZXhhbXBsZSI\
//! # sImV4cCI6MjUzNDAyMzAwNzk5LCJ0b2tlbl90eXBlIjoiYWNjZXNzIiwic2NvcGVzIjpbInJlYWQ6ZmlsZXMiXX0.\
//! # 7z4C3iy-tloITTMIBN8jbVr0HVL7moa8M2vdG_ycAsmcDD9oyymlN7LSHOi544_Hj-cTA5PqpBTVxQp2JPKqBA";
//! let Answer::Fetch(_, request) = calls.verify(&token.into(), 1_750_000_000) else { panic!() };
//! assert_eq!(request.url, "https://sso.example/.well-known/openid-configuration");
//! # Ok::<(), usso_verify::call::Refusal>(())
//! ```

mod config;
mod function;
mod refusal;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use config::Setup;
pub use function::call;
pub use refusal::Refusal;

use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::error::VerifyError;
use crate::fetch::{FetchError, Request, Response};
use crate::jwk::Jwk;
use crate::jwks::{Attempt, Decision, Engine, ImportError, Progress};
use crate::presented::Presented;
use crate::principal::Principal;
use crate::source::{Need, Refreshed};
use crate::verifier::{Moment, Unsigned, Verifier, refusal};

/// A verifier that is driven from outside.
pub struct Calls {
    verifier: Verifier,
    clock: CallClock,
    engines: Vec<(String, Arc<Engine>)>,
    attempts: Mutex<HashMap<u64, Attempt>>,
}

/// What a call comes to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The token is good.
    Caller(Principal),
    /// Send this, give what came of it to [`Calls::fetched`] under this number, and ask again with
    /// [`Calls::verify_fetched`].
    Fetch(u64, Request),
    /// The request of this number is under way: when it is done, ask again with
    /// [`Calls::verify_fetched`]. A number that is not under way (any more) is done.
    Wait(u64),
    /// Have the platform verify this signature and give the outcome to [`Calls::signed`].
    Sign(Box<Question>),
    /// The token is not good, or nobody can tell.
    Refused(Refusal),
}

/// A signature for the platform to verify.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Question {
    /// The algorithm, which is the key's.
    pub algorithm: Algorithm,
    /// The key.
    pub jwk: Jwk,
    /// The key's RFC 7638 thumbprint, which [`Calls::signed`] wants back.
    pub thumbprint: String,
    /// What was signed.
    pub message: Vec<u8>,
    /// The signature, as JWS has it.
    pub signature: Vec<u8>,
}

/// Whether a call may ask for keys, or they were just fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    MayBeFetched,
    AreFetched,
}

impl Calls {
    /// Makes a verifier from its configuration in JSON; see [`Setup`].
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the code `config.invalid`, whose message names the field.
    pub fn new(config: &str) -> Result<Self, Refusal> {
        let mut engines = Vec::new();
        let clock = CallClock::default();
        let verifier = Setup::read(config)?.build(clock.clone(), |issuer, location, policy| {
            let engine = Arc::new(Engine::new(location, policy)?);
            engines.push((issuer.to_owned(), Arc::clone(&engine)));
            Ok(Box::new(engine))
        })?;
        Ok(Self { verifier, clock, engines, attempts: Mutex::default() })
    }

    /// Verifies a token as of `now`, in seconds since the epoch.
    pub fn verify(&self, presented: &Presented<'_>, now: u64) -> Answer {
        self.answer(presented, now, Keys::MayBeFetched)
    }

    /// Verifies a token after the keys that it wanted were fetched, or could not be.
    pub fn verify_fetched(&self, presented: &Presented<'_>, now: u64) -> Answer {
        self.answer(presented, now, Keys::AreFetched)
    }

    /// Goes on after [`Answer::Sign`]: `good` says whether the signature is that key's.
    pub fn signed(
        &self,
        presented: &Presented<'_>,
        thumbprint: &str,
        good: bool,
        now: u64,
    ) -> Answer {
        self.clock.set(now);
        let unsigned = match self.verifier.start(*presented) {
            Ok(unsigned) => unsigned,
            Err(error) => return refused(error),
        };
        // The keys may have changed since the platform was asked.
        if unsigned.key().thumbprint() != thumbprint {
            return refused(VerifyError::UnknownKey);
        }
        if !good && let Some(answer) = self.wanted(presented, VerifyError::Signature, now) {
            return answer;
        }
        match unsigned.finish(good, now) {
            Ok(principal) => Answer::Caller(principal),
            Err(error) => refused(error),
        }
    }

    /// Takes in what came of a request. If it gives another one, that is to be sent under the same
    /// number; else the number is done.
    pub fn fetched(
        &self,
        number: u64,
        result: Result<Response, FetchError>,
        now: u64,
    ) -> Option<Request> {
        let attempt = self.attempts().remove(&number)?;
        let engine = self.engines.get(usize::try_from(number >> 32).ok()?)?;
        match engine.1.conclude(attempt, result, now) {
            Progress::Done(_) => None,
            Progress::Send(attempt) => {
                let request = attempt.request().clone();
                self.attempts().insert(number, attempt);
                Some(request)
            }
        }
    }

    /// Gives the requests that are due although no token asks for them, to be sent ahead of time.
    pub fn due(&self, now: u64) -> Vec<(u64, Request)> {
        let engines = self.engines.iter().enumerate();
        let due = engines.filter_map(|(at, (_, engine))| match engine.begin_ahead(now) {
            Decision::Fetch(attempt) => Some(self.keep(at, attempt)),
            Decision::Again | Decision::Failed | Decision::Refuse | Decision::Wait(_) => None,
        });
        due.collect()
    }

    /// Writes the keys of an issuer for another process or a later start; `None` if there are none.
    #[must_use]
    pub fn export(&self, issuer: &str) -> Option<Vec<u8>> {
        self.engine(issuer)?.1.export()
    }

    /// Takes in what [`export`](Self::export) wrote.
    ///
    /// # Errors
    ///
    /// [`ImportError`], every variant; an unknown issuer counts as another one's snapshot.
    pub fn import(&self, issuer: &str, bytes: &[u8], now: u64) -> Result<(), ImportError> {
        self.engine(issuer).ok_or(ImportError::OtherSource)?.1.import(bytes, now)
    }

    /// Forgets every token that was verified before.
    pub fn clear_cache(&self) {
        self.verifier.clear_cache();
    }

    fn answer(&self, presented: &Presented<'_>, now: u64, keys: Keys) -> Answer {
        self.clock.set(now);
        if let Some(verdict) = self.verifier.recalled(presented, Moment::of(now)) {
            return verdict.map_or_else(refused, Answer::Caller);
        }
        let unsigned = match self.verifier.start(*presented) {
            Ok(unsigned) => unsigned,
            Err(error) => return self.refused_or_wanted(presented, error, now, keys),
        };
        if keys == Keys::MayBeFetched
            && unsigned.is_overdue()
            && let Some(answer) = self.wanted(presented, VerifyError::KeysUnavailable, now)
        {
            return answer;
        }
        if unsigned.key().is_platform() {
            return question(&unsigned);
        }
        let good = unsigned.is_signed();
        match unsigned.finish(good, now) {
            Ok(principal) => Answer::Caller(principal),
            Err(error) => self.refused_or_wanted(presented, error, now, keys),
        }
    }

    fn refused_or_wanted(
        &self,
        presented: &Presented<'_>,
        error: VerifyError,
        now: u64,
        keys: Keys,
    ) -> Answer {
        let wanted = match keys {
            Keys::MayBeFetched => self.wanted(presented, error, now),
            Keys::AreFetched => None,
        };
        wanted.unwrap_or_else(|| {
            let failing = self.verifier.with_need(presented.token, error, now, |issuer, _| {
                self.engine(issuer).is_some_and(|(_, engine)| engine.is_failing())
            });
            let refreshed =
                if failing == Some(true) { Refreshed::Failed } else { Refreshed::Settled };
            refused(refusal(error, refreshed))
        })
    }

    /// Says what to fetch so that an error may go away.
    fn wanted(&self, presented: &Presented<'_>, error: VerifyError, now: u64) -> Option<Answer> {
        self.verifier.with_need(presented.token, error, now, |issuer, need| {
            let at = self.engines.iter().position(|(name, _)| name == issuer)?;
            self.begin(at, need, now)
        })?
    }

    fn begin(&self, at: usize, need: Need<'_>, now: u64) -> Option<Answer> {
        let (_, engine) = self.engines.get(at)?;
        match engine.begin(need, now) {
            Decision::Fetch(attempt) => {
                let (number, request) = self.keep(at, attempt);
                Some(Answer::Fetch(number, request))
            }
            Decision::Wait(id) => Some(Answer::Wait(number(at, id))),
            // The keys changed a moment ago: there is nothing to wait for.
            Decision::Again => Some(Answer::Wait(0)),
            Decision::Failed | Decision::Refuse => None,
        }
    }

    fn keep(&self, at: usize, attempt: Attempt) -> (u64, Request) {
        let (number, request) = (number(at, attempt.id()), attempt.request().clone());
        let mut attempts = self.attempts();
        // One attempt at a time for each engine: an older one was given up.
        attempts.retain(|other, _| other >> 32 != number >> 32);
        attempts.insert(number, attempt);
        (number, request)
    }

    fn engine(&self, issuer: &str) -> Option<&(String, Arc<Engine>)> {
        self.engines.iter().find(|(name, _)| name == issuer)
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<u64, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// The time of the last call.
#[derive(Clone, Default)]
struct CallClock(Arc<AtomicU64>);

impl CallClock {
    fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for CallClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Numbers an attempt among those of all engines; small enough for a JavaScript number.
fn number(engine: usize, attempt: u64) -> u64 {
    u64::try_from(engine).unwrap_or_default() << 32 | (attempt & 0xffff_ffff)
}

fn question(unsigned: &Unsigned<'_, '_>) -> Answer {
    let key = unsigned.key();
    Answer::Sign(Box::new(Question {
        algorithm: key.algorithm(),
        jwk: key.to_jwk(),
        thumbprint: key.thumbprint(),
        message: unsigned.message().to_vec(),
        signature: unsigned.signature().to_vec(),
    }))
}

fn refused(error: VerifyError) -> Answer {
    Answer::Refused(Refusal::from(error))
}
