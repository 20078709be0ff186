//! The verifier: every check, in order.
//!
//! 1. Size, three segments, header (see [`token`](crate::token)).
//! 2. The configured issuer that `iss` names; `typ` and `alg` as it accepts them.
//! 3. Its key by `kid`; the key's algorithm.
//! 4. The signature. Nothing else of the claims is looked at before.
//! 5. Types of the claims, audience, kind of token, times.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::UserData;
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, VerifyError};
use crate::issuer::{Issuer, pick};
use crate::token::Unverified;

/// Verifies access tokens locally. Cheap to clone; clones share everything.
///
/// # Examples
///
/// See the crate's first page.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    issuers: HashMap<String, Issuer>,
    leeway: u64,
    max_token_bytes: usize,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Starts the configuration of a verifier.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder {
            issuers: Vec::new(),
            leeway: Duration::from_secs(30),
            max_token_bytes: 8192,
            clock: Arc::new(SystemClock),
        }
    }

    /// Verifies a token (without `Bearer`) at the time the clock tells.
    ///
    /// Never blocks and never performs I/O.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], every variant; the first check that fails decides.
    ///
    /// # Security
    ///
    /// The key comes from the configuration and the algorithm from the key, never from the token.
    /// Base64url is accepted in one spelling only, but anyone can turn an ECDSA signature into a
    /// second valid one: recognise a token by its `jti`, not by its text.
    ///
    /// # Spec
    ///
    /// RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3, RFC 9068 §4.
    pub fn verify(&self, token: &str) -> Result<UserData, VerifyError> {
        self.verify_at(token, self.shared.clock.now())
    }

    /// Verifies a token as of `now`, in seconds since the epoch.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_at(&self, token: &str, now: u64) -> Result<UserData, VerifyError> {
        if token.len() > self.shared.max_token_bytes {
            return Err(VerifyError::TooLarge);
        }
        let token = Unverified::read(token)?;
        let issuer = self.shared.issuers.get(token.claimed_issuer()?);
        let issuer = issuer.ok_or(VerifyError::UnknownIssuer)?;
        issuer.judge_header(&token.header)?;
        let keys = issuer.keys(now)?;
        let key = pick(&keys, &token.header)?;
        let claims = UserData::try_from(token.authenticate(key)?)?;
        issuer.judge_claims(&claims)?;
        judge_times(&claims, self.shared.leeway, now)?;
        Ok(claims)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuers", &self.shared.issuers.keys())
            .field("leeway", &self.shared.leeway)
            .field("max_token_bytes", &self.shared.max_token_bytes)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`Verifier`].
#[must_use = "call `build` to get the verifier"]
pub struct VerifierBuilder {
    issuers: Vec<Issuer>,
    leeway: Duration,
    max_token_bytes: usize,
    clock: Arc<dyn Clock>,
}

impl VerifierBuilder {
    /// Accepts tokens of this issuer too. At least one is needed; no two of one name.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Sets how far clocks may differ: `exp` counts as this much later, `nbf` and `iat` as this
    /// much earlier. Default 30 seconds, at most 120; a fraction of a second is dropped.
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets the length in bytes above which a token is refused unread. Default 8192, at most 1 MiB.
    pub const fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Sets the clock. Default: that of the operating system.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings and makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], every variant.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        if self.leeway > MAX_LEEWAY {
            return Err(ConfigError::LeewayTooLong);
        }
        if self.max_token_bytes > MAX_TOKEN_LIMIT {
            return Err(ConfigError::TokenLimitTooLarge);
        }
        if self.issuers.is_empty() {
            return Err(ConfigError::IssuerMissing);
        }
        let mut issuers = HashMap::with_capacity(self.issuers.len());
        for issuer in self.issuers {
            issuer.check()?;
            match issuers.entry(issuer.name.clone()) {
                Entry::Vacant(entry) => entry.insert(issuer),
                Entry::Occupied(_) => return Err(ConfigError::IssuerDuplicate(issuer.name)),
            };
        }
        Ok(Verifier {
            shared: Arc::new(Shared {
                issuers,
                leeway: self.leeway.as_secs(),
                max_token_bytes: self.max_token_bytes,
                clock: self.clock,
            }),
        })
    }
}

impl fmt::Debug for VerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierBuilder")
            .field("issuers", &self.issuers)
            .field("leeway", &self.leeway)
            .field("max_token_bytes", &self.max_token_bytes)
            .finish_non_exhaustive()
    }
}

/// A token lives from `nbf` until just before `exp`, each moved outwards by the leeway.
fn judge_times(claims: &UserData, leeway: u64, now: u64) -> Result<(), VerifyError> {
    let latest_start = now.saturating_add(leeway);
    if now >= claims.exp.saturating_add(leeway) {
        return Err(VerifyError::Expired);
    }
    if claims.nbf.is_some_and(|start| start > latest_start) {
        return Err(VerifyError::NotYetValid);
    }
    if claims.iat.is_some_and(|issued| issued > latest_start) {
        return Err(VerifyError::IssuedInFuture);
    }
    Ok(())
}

const MAX_LEEWAY: Duration = Duration::from_secs(120);
const MAX_TOKEN_LIMIT: usize = 1 << 20;
