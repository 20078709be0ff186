//! The settings of a verifier.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::dpop;
use crate::error::ConfigError;
use crate::issuer::Issuer;
use crate::issuers::{Family, Issuers, Pattern};
use crate::observe::Observer;
#[cfg(feature = "remote")]
use crate::opaque::Lookup;
use crate::revocation::Revocation;
use crate::scope::Matching;
use crate::token::Headers;
use crate::token_cache::{TokenCache, Tokens};
use crate::verifier::{Shared, Verifier};

/// The settings of a [`Verifier`].
#[must_use = "call `build` to get the verifier"]
pub struct VerifierBuilder {
    issuers: Vec<Issuer>,
    patterns: Vec<Result<Box<dyn Family>, ConfigError>>,
    leeway: Duration,
    max_token_bytes: usize,
    cache: TokenCache,
    matching: Matching,
    clock: Option<Arc<dyn Clock>>,
    dpop: Option<dpop::Verifier>,
    revocation: Option<Arc<dyn Revocation>>,
    observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "remote")]
    lookups: Vec<Lookup>,
}

impl VerifierBuilder {
    pub(crate) fn new() -> Self {
        Self {
            issuers: Vec::new(),
            patterns: Vec::new(),
            leeway: Duration::from_secs(30),
            max_token_bytes: 8192,
            cache: TokenCache::new(),
            matching: Matching::default(),
            clock: None,
            dpop: None,
            revocation: None,
            observer: None,
            #[cfg(feature = "remote")]
            lookups: Vec::new(),
        }
    }

    /// Accepts tokens of this issuer too. At least one is needed; no two of one name.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Accepts tokens of every issuer that is named like `pattern`, with one DNS label in the place
    /// of `{tenant}`, and for which `resolve` gives an issuer: the tenants that there are.
    ///
    /// `resolve` gets the label, must not block, and names the issuer it gives exactly as the token
    /// does. It is asked for a tenant once a minute; the issuer it gave first is kept while it gives
    /// one, and forgotten when it gives none or by [`Verifier::clear_cache`].
    ///
    /// An issuer of another name or without audience counts as none: its tokens are refused.
    ///
    /// About `capacity` (at least one) tenants are kept with their keys: set it to the number of
    /// tenants. With more of them the least used are pushed out, and at most `capacity` come in
    /// within 30 seconds; tokens of others are [`KeysUnavailable`](crate::VerifyError) meanwhile.
    ///
    /// Where `resolve` makes a [`JwksSource`](crate::JwksSource), let all share one
    /// [`HttpFetch`](crate::HttpFetch): each that is built without has a client of its own.
    ///
    /// # Security
    ///
    /// Anybody can write any label into a token. A `resolve` that accepts them all lets strangers
    /// make this verifier ask for the keys of tenants that are not there: know your tenants.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use usso_verify::{Issuer, KeySet, Verifier};
    /// # let keys = Arc::new(KeySet::default());
    /// let verifier = Verifier::builder()
    ///     .tenants("https://{tenant}.sso.example", 1000, move |tenant| {
    ///         (tenant == "acme").then(|| {
    ///             Issuer::new(format!("https://{tenant}.sso.example"), Arc::clone(&keys))
    ///                 .audience("https://api.example")
    ///                 .tenant("org_acme")
    ///         })
    ///     })
    ///     .build()?;
    /// # Ok::<(), usso_verify::ConfigError>(())
    /// ```
    pub fn tenants(
        mut self,
        pattern: impl Into<String>,
        capacity: usize,
        resolve: impl Fn(&str) -> Option<Issuer> + Send + Sync + 'static,
    ) -> Self {
        let pattern = Pattern::new(pattern.into(), capacity, Box::new(resolve));
        self.patterns.push(pattern.map(|pattern| Box::new(pattern) as Box<dyn Family>));
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

    /// Sets how much of the verified tokens is remembered. Default: [`TokenCache::new`].
    pub const fn token_cache(mut self, cache: TokenCache) -> Self {
        self.cache = cache;
        self
    }

    /// Sets how [`Principal::can`](crate::Principal::can) and its relatives lay paths. Default:
    /// [`Matching::Suffix`], as USSO's tokens expect.
    ///
    /// # Security
    ///
    /// Laid from the right, `read:files/public` allows `payroll/files/public`. Where a part of the
    /// path is a user's to choose, use [`Matching::Anchored`].
    pub const fn scope_matching(mut self, matching: Matching) -> Self {
        self.matching = matching;
        self
    }

    /// Sets the clock. Default: that of the operating system; on WebAssembly there is none, and one
    /// must be set.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sets how `DPoP` proofs are verified. Default: as [`dpop::Builder`] does, without nonces, with
    /// a replay cache of this verifier's own.
    ///
    /// # Security
    ///
    /// Several processes that serve one address must share a replay cache, or a proof can be used
    /// once with each.
    pub fn dpop(mut self, dpop: dpop::Verifier) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Refuses tokens that were called back. Default: none can be before it expires.
    pub fn revocation(mut self, revocation: Arc<impl Revocation + 'static>) -> Self {
        self.revocation = Some(revocation);
        self
    }

    /// Accepts opaque credentials, too: asks an issuer about access tokens that only it can read
    /// ([`Introspection`](crate::opaque::Introspection)), or about API keys
    /// ([`ApiKeys`](crate::opaque::ApiKeys)). Those named first are asked first.
    ///
    /// A text of three segments is always a signed token, and is never sent anywhere. Of the others
    /// each [`Lookup`] takes what it knows by its form, so API keys come before introspection.
    #[cfg(feature = "remote")]
    pub fn opaque(mut self, lookup: Lookup) -> Self {
        self.lookups.push(lookup);
        self
    }

    /// Tells somebody about every verification, for metrics and traces. Default: nobody.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
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
        let mut issuers = Issuers::default();
        for issuer in self.issuers {
            issuers.add(issuer)?;
        }
        for pattern in self.patterns {
            issuers.add_pattern(pattern?);
        }
        if issuers.is_empty() {
            return Err(ConfigError::IssuerMissing);
        }
        // WebAssembly has no clock of its own to read.
        let system: Option<Arc<dyn Clock>> =
            if cfg!(target_family = "wasm") { None } else { Some(Arc::new(SystemClock)) };
        let clock = self.clock.or(system);
        let dpop = match self.dpop {
            Some(dpop) => dpop,
            None => dpop::Verifier::builder().build()?,
        };
        Ok(Verifier {
            shared: Arc::new(Shared {
                issuers,
                leeway: self.leeway.as_secs(),
                max_token_bytes: self.max_token_bytes,
                clock: clock.ok_or(ConfigError::ClockMissing)?,
                dpop,
                revocation: self.revocation,
                observer: self.observer,
                #[cfg(feature = "remote")]
                lookups: self.lookups,
                matching: self.matching,
                headers: Headers::default(),
                tokens: Tokens::new(self.cache),
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

const MAX_LEEWAY: Duration = Duration::from_secs(120);
const MAX_TOKEN_LIMIT: usize = 1 << 20;
