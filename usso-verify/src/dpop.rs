//! DPoP on the side of a server: is the sender of this request the holder of the token's key?
//!
//! A DPoP-bound access token is worth nothing without the private key whose thumbprint it carries
//! in `cnf.jkt`. Each request proves that key anew, with a small signed token in the header `DPoP`.
//! Verify the access token first, then the proof:
//!
//! 1. The request has exactly one `DPoP` header ([`only_header`]).
//! 2. It is short enough; three segments of strict base64url, JSON objects without duplicates.
//! 3. Neither `crit` nor `b64`; `typ` is `dpop+jwt`; `alg` is accepted, and is that of the embedded
//!    key; the key is public and sound. Its `kid` is ignored.
//! 4. The key's thumbprint is the access token's `cnf.jkt`. Before the signature, so that no
//!    stranger's key costs a verification.
//! 5. The signature is that key's. Nothing of the claims is looked at before.
//! 6. `jti`, `htm`, `htu` and `iat` are there and have their types.
//! 7. `htm` is the method, `htu` the address, both sides without query and fragment.
//! 8. now − `max_age` − leeway ≤ `iat` ≤ now + leeway.
//! 9. `nonce` is a good one, if the verifier was given [`Nonces`].
//! 10. `ath` is the access token's hash.
//! 11. The proof was not used before. Last, so that only proofs that would be accepted are
//!     remembered.
//!
//! # Security
//!
//! - Build `uri` from the server's configured public address and the path of the request; a `Host`
//!   or `X-Forwarded-*` header that a client can choose makes `htu` worthless.
//! - A token with `cnf.jkt` must be refused when it comes with the scheme `Bearer`: otherwise a
//!   thief just leaves the proof out.
//! - A proof covers neither the body nor the query.
//!
//! # Spec
//!
//! RFC 9449.

mod error;
mod nonce;
mod proof;
mod replay;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use error::{ConfigError, Error};
pub use nonce::{Nonces, RotatingNonces};
pub use replay::{MemoryReplayCache, Remembered, ReplayCache, Use};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::header::Sent;
use crate::key::VerifyingKey;
use crate::presented::Signatures;
use crate::uri::HttpUri;

/// A proof and the request it came with. `Debug` prints neither the proof nor the address, whose
/// query may hold a secret.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// Value of the header `DPoP`, see [`only_header`].
    pub proof: &'a str,
    /// Method of the request, as sent: `GET`.
    pub method: &'a str,
    /// Absolute public address of the request; query and fragment are ignored.
    pub uri: &'a str,
    /// What the proof was sent with.
    pub with: With<'a>,
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof")
            .field("method", &self.method)
            .field("with", &self.with)
            .finish_non_exhaustive()
    }
}

/// What a proof was sent with.
#[derive(Clone, Copy)]
pub enum With<'a> {
    /// A request to a protected resource.
    AccessToken {
        /// The access token as it was sent.
        token: &'a str,
        /// The claim `cnf.jkt` of the token, after the token was verified.
        jkt: &'a str,
    },
    /// A request to a token endpoint, where the key is not bound to anything yet. For a refresh
    /// token or a code that is bound, call [`Confirmed::check_binding`].
    NoAccessToken,
}

impl fmt::Debug for With<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessToken { jkt, .. } => {
                f.debug_struct("AccessToken").field("jkt", jkt).finish_non_exhaustive()
            }
            Self::NoAccessToken => f.write_str("NoAccessToken"),
        }
    }
}

/// A proof that held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmed {
    /// Thumbprint of the proof's key (RFC 7638): the `cnf.jkt` of tokens bound to it.
    pub jkt: String,
    /// Name of the proof.
    pub jti: String,
    /// When the client says it made the proof, seconds since the epoch; a fraction is dropped.
    pub iat: u64,
    /// The nonce in the proof: a good one if the verifier demands nonces, else anything.
    pub nonce: Option<String>,
}

impl Confirmed {
    /// Checks that something is bound to the proof's key.
    ///
    /// [`Verifier::check`] does this for an access token; at a token endpoint it is for the key of
    /// a refresh token or for the `dpop_jkt` of a code.
    ///
    /// # Errors
    ///
    /// [`Error::Binding`] if `jkt` is another key's thumbprint.
    ///
    /// # Spec
    ///
    /// RFC 9449 §5, §6.1, §10.
    pub fn check_binding(&self, jkt: &str) -> Result<(), Error> {
        // Both are public values: a comparison that takes its time tells nothing.
        if self.jkt == jkt { Ok(()) } else { Err(Error::Binding) }
    }
}

/// Gives the only value of a header, for a request's `DPoP` fields.
///
/// # Errors
///
/// [`Error::Missing`] without a value, [`Error::Multiple`] with several, [`Error::Malformed`] if it
/// is not ASCII.
///
/// # Security
///
/// With several proofs, a proxy and a server could each look at another one.
///
/// # Spec
///
/// RFC 9449 §4.3 step 1.
pub fn only_header<'h, V>(values: impl IntoIterator<Item = &'h V>) -> Result<&'h str, Error>
where
    V: AsRef<[u8]> + ?Sized + 'h,
{
    match Sent::of(values) {
        Sent::Never => Err(Error::Missing),
        Sent::Once(value) if value.is_ascii() => {
            str::from_utf8(value).map_err(|_| Error::Malformed)
        }
        Sent::Once(_) => Err(Error::Malformed),
        Sent::Repeatedly => Err(Error::Multiple),
    }
}

/// Verifies proofs. Cheap to clone; clones share everything.
///
/// ```
/// use usso_verify::dpop::{Error, Proof, Verifier, With};
///
/// let verifier = Verifier::builder().build()?;
/// let request = Proof {
///     proof: "not a proof",
///     method: "GET",
///     uri: "https://api.example/files",
///     with: With::AccessToken { token: "Kz~8mXK1EalYznwH", jkt: "0ZcOCORZNYy-DWpqq30" },
/// };
/// assert_eq!(verifier.check(&request, 1_750_000_000), Err(Error::Malformed));
/// # Ok::<(), usso_verify::dpop::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    algorithms: Vec<Algorithm>,
    max_age: u64,
    leeway: u64,
    max_proof_bytes: usize,
    replay: Arc<dyn ReplayCache>,
    nonces: Option<Arc<dyn Nonces>>,
}

impl Verifier {
    /// Starts the configuration of a verifier.
    pub fn builder() -> Builder {
        Builder {
            algorithms: Algorithm::ALL.to_vec(),
            max_age: Duration::from_secs(60),
            leeway: Duration::from_secs(5),
            max_proof_bytes: 8192,
            replay: None,
            nonces: None,
        }
    }

    /// Gives the accepted algorithms, for [`Challenge::dpop`](crate::challenge::Challenge::dpop).
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.shared.algorithms
    }

    /// Gives the nonce to send in the header `DPoP-Nonce`, with a refusal for want of a good nonce
    /// and, so that clients are ahead of the next rotation, with every other response.
    ///
    /// `None` if the verifier demands no nonces.
    #[must_use]
    pub fn nonce(&self, now: u64) -> Option<String> {
        self.shared.nonces.as_ref().and_then(|nonces| nonces.current(now))
    }

    /// Checks a proof at the time `now`, in seconds since the epoch, and uses it up.
    ///
    /// Blocks only if the replay cache does.
    ///
    /// # Errors
    ///
    /// [`Error`], every variant but [`Error::Missing`] and [`Error::Multiple`]; the first check
    /// that fails decides.
    ///
    /// # Security
    ///
    /// Without an access token, a signature by any key costs the server time; with one, check the
    /// token before, and only its own key's signature is verified.
    ///
    /// # Spec
    ///
    /// RFC 9449 §4.3, §7.1, §11.1.
    pub fn check(&self, request: &Proof<'_>, now: u64) -> Result<Confirmed, Error> {
        self.check_signed(request, Signatures::default(), now)
    }

    /// Checks a proof with what the platform said of its signature, if it was asked.
    pub(crate) fn check_signed(
        &self,
        request: &Proof<'_>,
        signatures: Signatures<'_>,
        now: u64,
    ) -> Result<Confirmed, Error> {
        let shared = &*self.shared;
        if request.proof.len() > shared.max_proof_bytes {
            return Err(Error::TooLarge);
        }
        let bound = match request.with {
            With::AccessToken { jkt, .. } => Some(jkt),
            With::NoAccessToken => None,
        };
        let unsigned = proof::Unsigned::read(request.proof, &shared.algorithms, bound)?;
        let proof::Unsigned { key, message, signature, .. } = &unsigned;
        let signed = signatures.judge(signatures.proof, key, message.as_bytes(), signature);
        let (claims, jkt) = unsigned.finish(signed == Some(true))?;
        judge_request(&claims, request)?;
        shared.judge_time(claims.iat, now)?;
        shared.judge_nonce(claims.nonce.as_deref(), now)?;
        judge_token(claims.ath.as_deref(), request.with)?;
        shared.use_up(&jkt, &claims, now)?;
        Ok(Confirmed { jkt, jti: claims.jti, iat: claims.iat, nonce: claims.nonce })
    }

    /// Gives key, message and signature of a proof if the platform must verify it.
    pub(crate) fn left_to_platform(&self, proof: &str) -> Option<(VerifyingKey, Vec<u8>, Vec<u8>)> {
        let unsigned = proof::Unsigned::read(proof, &self.shared.algorithms, None).ok()?;
        let proof::Unsigned { key, message, signature, .. } = unsigned;
        key.is_platform().then(|| (key, message.as_bytes().to_vec(), signature))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Shared {
    fn judge_time(&self, iat: u64, now: u64) -> Result<(), Error> {
        if iat > now.saturating_add(self.leeway) {
            return Err(Error::IssuedInFuture);
        }
        if now.saturating_sub(iat) > self.max_age + self.leeway {
            return Err(Error::TooOld);
        }
        Ok(())
    }

    fn judge_nonce(&self, nonce: Option<&str>, now: u64) -> Result<(), Error> {
        let Some(nonces) = &self.nonces else {
            return Ok(());
        };
        let good = nonce.is_some_and(|nonce| nonces.accepts(nonce, now));
        if good { Ok(()) } else { Err(Error::Nonce) }
    }

    /// Remembers a use one leeway longer than the proof lives, for servers that share a cache but
    /// not quite their time, and for a clock that is set back.
    fn use_up(&self, jkt: &str, claims: &proof::Claims, now: u64) -> Result<(), Error> {
        let until = claims.iat.saturating_add(self.max_age + 2 * self.leeway);
        match self.replay.remember(&Use { jkt, jti: &claims.jti, until }, now) {
            Remembered::First => Ok(()),
            Remembered::Again => Err(Error::Replayed),
            Remembered::Unavailable => Err(Error::ReplayUnavailable),
        }
    }
}

fn judge_request(claims: &proof::Claims, request: &Proof<'_>) -> Result<(), Error> {
    if claims.htm != request.method {
        return Err(Error::Method);
    }
    let normalized = |uri| HttpUri::parse(uri).and_then(|uri| uri.normalized());
    let requested = normalized(request.uri).ok_or(Error::RequestUri)?;
    let proven = normalized(&claims.htu).ok_or(Error::ClaimInvalid("htu"))?;
    if proven == requested { Ok(()) } else { Err(Error::Uri) }
}

fn judge_token(ath: Option<&str>, with: With<'_>) -> Result<(), Error> {
    let With::AccessToken { token, .. } = with else {
        return Ok(());
    };
    let ath = ath.ok_or(Error::ClaimMissing("ath"))?;
    let hash = base64url::encode(&Sha256::digest(token));
    if ath == hash { Ok(()) } else { Err(Error::AccessToken) }
}

/// Settings of a [`Verifier`].
#[must_use]
pub struct Builder {
    algorithms: Vec<Algorithm>,
    max_age: Duration,
    leeway: Duration,
    max_proof_bytes: usize,
    replay: Option<Arc<dyn ReplayCache>>,
    nonces: Option<Arc<dyn Nonces>>,
}

impl Builder {
    /// Sets the accepted algorithms. Default: every [`Algorithm`], all of them asymmetric.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets how old a proof may be. Default 60 seconds, 1 to 300; fractions are dropped.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets by how much the clocks may differ. Default 5 seconds, at most 60; fractions are
    /// dropped.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets the longest proof that is read. Default 8192 bytes, at most 65,536.
    pub fn max_proof_bytes(mut self, bytes: usize) -> Self {
        self.max_proof_bytes = bytes;
        self
    }

    /// Sets where uses are remembered. Default: a [`MemoryReplayCache`] of its own.
    ///
    /// # Security
    ///
    /// Several servers that accept the same tokens at one address must share a cache, or a proof
    /// can be used once on each.
    pub fn replay_cache(mut self, cache: impl ReplayCache + 'static) -> Self {
        self.replay = Some(Arc::new(cache));
        self
    }

    /// Demands a nonce in every proof. Default: none is demanded.
    ///
    /// Keep an `Arc` of a [`RotatingNonces`] to rotate it.
    pub fn nonces(mut self, nonces: impl Nonces + 'static) -> Self {
        self.nonces = Some(Arc::new(nonces));
        self
    }

    /// Checks the settings and makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], every variant.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        if self.algorithms.is_empty() {
            return Err(ConfigError::AlgorithmsEmpty);
        }
        if self.leeway > MAX_LEEWAY {
            return Err(ConfigError::LeewayTooLong);
        }
        if !(Duration::from_secs(1)..=MAX_MAX_AGE).contains(&self.max_age) {
            return Err(ConfigError::MaxAgeOutOfRange);
        }
        if self.max_proof_bytes > MAX_PROOF_LIMIT {
            return Err(ConfigError::ProofLimitTooLarge);
        }
        let shared = Shared {
            algorithms: self.algorithms,
            max_age: self.max_age.as_secs(),
            leeway: self.leeway.as_secs(),
            max_proof_bytes: self.max_proof_bytes,
            replay: self.replay.unwrap_or_else(|| Arc::new(MemoryReplayCache::default())),
            nonces: self.nonces,
        };
        Ok(Verifier { shared: Arc::new(shared) })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("algorithms", &self.algorithms)
            .field("max_age", &self.max_age)
            .field("leeway", &self.leeway)
            .field("max_proof_bytes", &self.max_proof_bytes)
            .finish_non_exhaustive()
    }
}

const MAX_LEEWAY: Duration = Duration::from_secs(60);
const MAX_MAX_AGE: Duration = Duration::from_secs(300);
const MAX_PROOF_LIMIT: usize = 1 << 16;
