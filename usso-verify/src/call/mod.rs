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
#[cfg_attr(target_family = "wasm", path = "no_keys.rs")]
mod keys;
mod needed;
mod refusal;
mod signature;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use config::Setup;
pub use function::call;
pub use keys::ApiKey;
pub use needed::Needed;
pub use refusal::Refusal;
pub use signature::{Question, Signatures, Signed};

use keys::Keys;
use serde_json::{Map, Value};

use crate::claims::UserData;
use crate::clock::Clock;
use crate::dpop;
use crate::error::VerifyError;
use crate::fetch::{FetchError, Request, Response};
use crate::guard::{self, Guard, Head, Headers, Rule};
use crate::json::{self, Limits};
use crate::jwks::{Attempt, Decision, Engine, ImportError, Progress};
use crate::opaque::{Error, LookupFailed};
use crate::presented::Presented;
use crate::principal::Principal;
use crate::source::{Need, Refreshed};
use crate::verifier::{Moment, Verifier, refusal};

/// A verifier that is driven from outside.
pub struct Calls {
    verifier: Verifier,
    clock: CallClock,
    guard: Guard,
    engines: Vec<(String, Arc<Engine>)>,
    attempts: Mutex<Vec<(u64, Attempt)>>,
    keys: Option<Keys>,
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
    /// Look this API key up in the app, give what came of it to [`Calls::looked_up`] under this
    /// number, and ask again with [`Calls::verify_fetched`].
    LookUp(u64, ApiKey),
    /// The request of this number is under way: when it is done, ask again with
    /// [`Calls::verify_fetched`]. A number that is not [under way](Calls::is_under_way) (any more) is
    /// done.
    Wait(u64),
    /// Have the platform verify this signature, [add](Signatures::add) the outcome to the others of
    /// this request, and ask again with them beside the token.
    Sign(Box<Question>),
    /// The token is not good, or nobody can tell.
    Refused(Refusal),
}

/// What there is to do about an API key.
#[cfg_attr(target_family = "wasm", expect(dead_code, reason = "there are no keys"))]
enum Asking {
    Done(Result<Arc<UserData>, Error>),
    Fetch(u64, Request),
    LookUp(u64, ApiKey),
    Wait(u64),
}

/// Whether a call may ask for something, or that was just fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    MayBeFetched,
    IsFetched,
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
        let mut setup = Setup::read(config)?;
        let (keys, guard) = (setup.api_keys()?, setup.guard());
        let verifier = setup.build(clock.clone(), |issuer, location, policy| {
            let engine = Arc::new(Engine::new(location, policy)?);
            engines.push((issuer.to_owned(), Arc::clone(&engine)));
            Ok(Box::new(engine))
        })?;
        let guard = guard(verifier.clone())?;
        Ok(Self { verifier, clock, guard, engines, attempts: Mutex::default(), keys })
    }

    /// Gives the length above which tokens are refused unread, in bytes.
    #[must_use]
    pub fn max_token_bytes(&self) -> usize {
        self.verifier.shared.max_token_bytes
    }

    /// Verifies a token as of `now`, in seconds since the epoch.
    pub fn verify(&self, presented: &Presented<'_>, now: u64) -> Answer {
        self.judge(presented, now, Wanted::MayBeFetched)
    }

    /// Verifies a token after what it wanted was fetched, or could not be.
    pub fn verify_fetched(&self, presented: &Presented<'_>, now: u64) -> Answer {
        self.judge(presented, now, Wanted::IsFetched)
    }

    /// Gives the verdict on a token that was verified before, which takes no time; `None` if it is not
    /// remembered.
    pub fn recalled(&self, presented: &Presented<'_>, now: u64) -> Option<Answer> {
        self.clock.set(now);
        let verdict = self.verifier.recalled(presented, Moment::of(now))?;
        Some(verdict.map_or_else(|error| self.refused_or_asked(presented, error), Answer::Caller))
    }

    /// Finds the credential of a request and gives what `then` makes of it, such as
    /// [`verify`](Self::verify) does; `None` if there is none. See [`guard`] for where it may be.
    pub fn present<H: Headers>(
        &self,
        head: &Head<'_, H>,
        then: impl FnOnce(&Presented<'_>) -> Answer,
    ) -> Option<Answer> {
        let answer = self.guard.present(head, then);
        answer.unwrap_or_else(|refusal| Some(Answer::Refused(refusal.into())))
    }

    /// Requires that there is a caller and that they may do what the rule asks for; see
    /// [`Guard::check`].
    ///
    /// # Errors
    ///
    /// [`Refusal`], with a code of [`guard::Refusal`].
    pub fn check(
        &self,
        caller: Option<&Principal>,
        rule: &Rule,
        parameter: impl Fn(&str) -> Option<String>,
        now: u64,
    ) -> Result<(), Refusal> {
        self.clock.set(now);
        let caller = caller.ok_or(guard::Refusal::Missing)?;
        Ok(self.guard.check(caller, rule, parameter)?)
    }

    /// Gives a caller of claims for which the program vouches: those of a caller it verified before.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with a `token.…` code if they are not those of a token.
    pub fn vouched(&self, claims: &str) -> Result<Principal, Refusal> {
        let read = json::parse_object(claims.as_bytes(), Limits::default());
        let user = UserData::try_from(read.map_err(|_| VerifyError::Malformed)?)?;
        Ok(self.verifier.principal(user, claims.to_owned()))
    }

    /// Says how a refusal looks. One that is about a configuration or a call is a mistake of the
    /// program.
    #[must_use]
    pub fn answer<H: Headers>(&self, refusal: &Refusal, head: &Head<'_, H>) -> guard::Answer {
        let refusal = refusal.cause.as_ref().unwrap_or(&guard::Refusal::GuardMissing);
        self.guard.answer(refusal, head)
    }

    /// Gives the headers to add to the answer of a request that was let in; see
    /// [`Guard::response_headers`].
    pub fn response_headers(
        &self,
        request: &impl Headers,
        optional: bool,
    ) -> Vec<(&'static str, String)> {
        self.guard.response_headers(request, optional)
    }

    /// Takes in what came of a request. If it gives another one, that is to be sent under the same
    /// number; else the number is done.
    pub fn fetched(
        &self,
        number: u64,
        result: Result<Response, FetchError>,
        now: u64,
    ) -> Option<Request> {
        if let (Some(keys), Some(question)) = (&self.keys, self.question_of(number)) {
            keys.fetched(question, result, now);
            return None;
        }
        // Held until the keys are in their place: who waits finds one or the other.
        let mut attempts = self.attempts();
        let attempt = taken(&mut attempts, number)?;
        let engine = self.engines.get(usize::try_from(number >> 32).ok()?)?;
        match engine.1.conclude(attempt, result, now) {
            Progress::Done(_) => None,
            Progress::Send(attempt) => {
                let request = attempt.request().clone();
                attempts.push((number, attempt));
                Some(request)
            }
        }
    }

    /// Takes in what the app knows of an API key: its claims, `None` if there is no such key, an error
    /// if it could not look.
    pub fn looked_up(
        &self,
        number: u64,
        claims: Result<Option<Map<String, Value>>, LookupFailed>,
        now: u64,
    ) {
        if let (Some(keys), Some(question)) = (&self.keys, self.question_of(number)) {
            keys.looked_up(question, claims, now);
        }
    }

    /// Says whether the request of this number is still to be answered.
    #[must_use]
    pub fn is_under_way(&self, number: u64) -> bool {
        match (&self.keys, self.question_of(number)) {
            (Some(keys), Some(question)) => keys.is_under_way(question),
            _ => self.attempts().iter().any(|(own, _)| *own == number),
        }
    }

    /// Gives the requests that are due although no token asks for them, to be sent ahead of time.
    pub fn due(&self, now: u64) -> Vec<(u64, Request)> {
        let engines = self.engines.iter().enumerate();
        let mut attempts = self.attempts();
        let due = engines.filter_map(|(at, (_, engine))| match engine.begin_ahead(now) {
            Decision::Fetch(attempt) => Some(keep(&mut attempts, at, attempt)),
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
        self.keys.iter().for_each(Keys::clear);
    }

    /// Counts the tokens that are remembered.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.verifier.cached_tokens()
    }

    fn judge(&self, presented: &Presented<'_>, now: u64, keys: Wanted) -> Answer {
        self.clock.set(now);
        if let Some(keys_at_hand) = &self.keys
            && presented.is_opaque()
            && let Some(answer) = self.judge_key(keys_at_hand, presented, now, keys)
        {
            return answer;
        }
        if let Some(answer) = self.recalled(presented, now) {
            return answer;
        }
        let unsigned = match self.verifier.start(*presented) {
            Ok(unsigned) => unsigned,
            Err(error) => return self.refused_or_wanted(presented, error, now, keys),
        };
        if keys == Wanted::MayBeFetched
            && unsigned.is_overdue()
            && let Some(answer) = self.wanted(presented, VerifyError::KeysUnavailable, now)
        {
            return answer;
        }
        let (key, signatures) = (unsigned.key(), &presented.signatures);
        let (message, signature) = (unsigned.message(), unsigned.signature());
        let Some(good) = signatures.judge(signatures.token, key, message, signature) else {
            let (message, signature) = (message.to_vec(), signature.to_vec());
            let question = Question::new(Signed::Token, key, message, signature);
            return Answer::Sign(Box::new(question));
        };
        match unsigned.finish(good, now) {
            Ok(principal) => Answer::Caller(principal),
            Err(error) => self.refused_or_wanted(presented, error, now, keys),
        }
    }

    /// Judges what is no signed token; `None` if it is no key by its form either.
    fn judge_key(
        &self,
        keys: &Keys,
        presented: &Presented<'_>,
        now: u64,
        wanted: Wanted,
    ) -> Option<Answer> {
        if presented.is_signed_key() {
            return Some(refused(VerifyError::Opaque(Error::Unrecognised)));
        }
        let if_asked = wanted == Wanted::IsFetched;
        let numbered = |question| number(self.engines.len(), question);
        Some(match keys.ask(presented.token, presented.origin, if_asked, now) {
            Asking::Done(Err(Error::Unrecognised)) => return None,
            Asking::Done(verdict) => {
                let principal = self.verifier.vouched(presented, verdict, now);
                let judged = principal.and_then(|caller| keys.judge(&caller).map(|()| caller));
                judged.map_or_else(refused, Answer::Caller)
            }
            Asking::Fetch(question, request) => Answer::Fetch(numbered(question), request),
            Asking::LookUp(question, key) => Answer::LookUp(numbered(question), key),
            Asking::Wait(question) => Answer::Wait(numbered(question)),
        })
    }

    /// The number among the questions about API keys, of one of those.
    fn question_of(&self, number: u64) -> Option<u64> {
        let at = usize::try_from(number >> 32).ok()?;
        (at == self.engines.len()).then_some(number & 0xffff_ffff)
    }

    fn refused_or_wanted(
        &self,
        presented: &Presented<'_>,
        error: VerifyError,
        now: u64,
        keys: Wanted,
    ) -> Answer {
        let wanted = match keys {
            Wanted::MayBeFetched => self.wanted(presented, error, now),
            Wanted::IsFetched => None,
        };
        wanted.unwrap_or_else(|| {
            let failing = self.verifier.with_need(presented.token, error, now, |issuer, _| {
                self.engine(issuer).is_some_and(|(_, engine)| engine.is_failing())
            });
            let refreshed =
                if failing == Some(true) { Refreshed::Failed } else { Refreshed::Settled };
            self.refused_or_asked(presented, refusal(error, refreshed))
        })
    }

    /// Has the platform verify the signature of a proof, if that is why it is not good.
    fn refused_or_asked(&self, presented: &Presented<'_>, error: VerifyError) -> Answer {
        let unasked = || {
            let (signatures, proof) = (&presented.signatures, presented.dpop?.proof);
            let (key, message, signature) = self.verifier.dpop().left_to_platform(proof)?;
            let verdict = signatures.judge(signatures.proof, &key, &message, &signature);
            verdict.is_none().then_some((key, message, signature))
        };
        match error {
            VerifyError::Dpop(dpop::Error::Signature) => match unasked() {
                Some((key, message, signature)) => {
                    let question = Question::new(Signed::Proof, &key, message, signature);
                    Answer::Sign(Box::new(question))
                }
                None => refused(error),
            },
            _ => refused(error),
        }
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
        // Held until the attempt is kept, so that whoever is told to wait finds it under way.
        let mut attempts = self.attempts();
        match engine.begin(need, now) {
            Decision::Fetch(attempt) => {
                let (number, request) = keep(&mut attempts, at, attempt);
                Some(Answer::Fetch(number, request))
            }
            Decision::Wait(id) => Some(Answer::Wait(number(at, id))),
            // The keys changed a moment ago: there is nothing to wait for.
            Decision::Again => Some(Answer::Wait(0)),
            Decision::Failed | Decision::Refuse => None,
        }
    }

    fn engine(&self, issuer: &str) -> Option<&(String, Arc<Engine>)> {
        self.engines.iter().find(|(name, _)| name == issuer)
    }

    fn attempts(&self) -> MutexGuard<'_, Vec<(u64, Attempt)>> {
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

/// Takes an attempt out.
fn taken(attempts: &mut Vec<(u64, Attempt)>, number: u64) -> Option<Attempt> {
    let at = attempts.iter().position(|(own, _)| *own == number)?;
    Some(attempts.swap_remove(at).1)
}

fn keep(attempts: &mut Vec<(u64, Attempt)>, engine: usize, attempt: Attempt) -> (u64, Request) {
    let (number, request) = (number(engine, attempt.id()), attempt.request().clone());
    // One attempt at a time for each engine: an older one was given up.
    attempts.retain(|(other, _)| other >> 32 != number >> 32);
    attempts.push((number, attempt));
    (number, request)
}

fn refused(error: VerifyError) -> Answer {
    Answer::Refused(Refusal::from(error))
}
