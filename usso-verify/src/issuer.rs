//! Whose tokens are accepted, and under which rules.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::claims::UserData;
use crate::error::{ConfigError, VerifyError};
use crate::key::VerifyingKey;
use crate::key_set::KeySet;
use crate::profile::Profile;
use crate::source::KeySource;
use crate::token::Header;

/// An issuer whose tokens are accepted: its name, its keys and its rules.
///
/// # Security
///
/// Keys are found by issuer first and `kid` second, so one issuer (or tenant) can never sign for
/// another, whatever names it gives its keys.
#[derive(Clone)]
pub struct Issuer {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn KeySource>,
    audiences: Vec<String>,
    meant: Meant,
    algorithms: Vec<Algorithm>,
    tenant: Option<String>,
    profile: Profile,
    /// Whether something that belongs to the profile was set, and then lost by setting another.
    adjusted: bool,
    lost: bool,
}

impl Issuer {
    /// Names an issuer, exactly as its tokens spell `iss`, and says where its keys are.
    ///
    /// An audience is still to be set: [`audience`](Self::audience), or said aloud
    /// [`any_audience`](Self::any_audience). The profile is [`Profile::usso`] unless another is set.
    #[must_use]
    pub fn new(name: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        Self {
            name: name.into(),
            keys: Arc::new(keys),
            audiences: Vec::new(),
            meant: Meant::OneOf,
            algorithms: Algorithm::ALL.to_vec(),
            tenant: None,
            profile: Profile::usso(),
            adjusted: false,
            lost: false,
        }
    }

    /// Names an issuer whose keys are found by discovery: at once, and again before they are stale. For other settings of the keys, such as plain HTTP to this machine, make a
    /// [`JwksSource`](crate::JwksSource) and call [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// [`SetupError`](crate::SetupError), if the name is not an `https` URL without query and fragment.
    #[cfg(feature = "remote")]
    pub fn discover(name: impl Into<String>) -> Result<Self, crate::SetupError> {
        let name = name.into();
        let keys = crate::JwksSource::issuer(name.as_str()).build()?;
        Ok(Self::new(name, keys))
    }

    /// Sets what kind of tokens the issuer's are. Settings that belong to the profile
    /// ([`token_types`](Self::token_types) and those below it) come after this call: set before,
    /// they would be lost, and the verifier is not built.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self.lost = self.adjusted;
        self
    }

    /// Accepts tokens for this audience, and for those named before. The comparison is exact.
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.audiences([audience])
    }

    /// Accepts tokens for any of these audiences, and for those named before.
    #[must_use]
    pub fn audiences<A: Into<String>>(mut self, audiences: impl IntoIterator<Item = A>) -> Self {
        self.audiences.extend(audiences.into_iter().map(Into::into));
        self
    }

    /// Accepts tokens whoever they are for, also those that do not say.
    ///
    /// # Security
    ///
    /// Any service that receives such a token can replay it here. Use it only where the issuer
    /// serves this one service.
    #[must_use]
    pub const fn any_audience(mut self) -> Self {
        self.meant = Meant::Anybody;
        self
    }

    /// Requires that a token is for all of the audiences, not for one of them.
    #[must_use]
    pub const fn every_audience(mut self) -> Self {
        self.meant = Meant::AllOf;
        self
    }

    /// Accepts these algorithms only. Default: every [`Algorithm`].
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Accepts tokens only whose claim `tenant_id` is exactly this. Default: the claim is carried
    /// and not judged; a tenant with an issuer of its own is told apart by that.
    ///
    /// For a tenant that differs from request to request see
    /// [`Presented::tenant`](crate::Presented::tenant).
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Accepts these values of the header's `typ` only, compared exactly.
    ///
    /// # Security
    ///
    /// This keeps an ID token, a logout token or a `DPoP` proof of the same issuer from passing as
    /// an access token.
    ///
    /// # Spec
    ///
    /// RFC 8725 §3.11, RFC 9068 §4.
    #[must_use]
    pub fn token_types(self, types: &[&str]) -> Self {
        self.adjusted(|profile| profile.token_types(types))
    }

    /// Sets the value that USSO's claim `token_type` must have.
    #[must_use]
    pub fn token_type(self, token_type: impl Into<String>) -> Self {
        self.adjusted(|profile| profile.token_type(token_type))
    }

    /// Requires that this claim is there, and those named before.
    #[must_use]
    pub fn require_claim(self, claim: &'static str) -> Self {
        self.adjusted(|profile| profile.require_claim(claim))
    }

    /// Refuses tokens issued longer ago than this, leeway added. Needs the claim `iat`.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        self.adjusted(|profile| profile.max_age(age))
    }

    /// Refuses tokens that were made to live longer than this, from `iat` to `exp`. Needs `iat`.
    ///
    /// # Security
    ///
    /// A token that was minted for a year cannot be called back by waiting.
    #[must_use]
    pub fn max_lifetime(self, lifetime: Duration) -> Self {
        self.adjusted(|profile| profile.max_lifetime(lifetime))
    }

    fn adjusted(mut self, adjust: impl FnOnce(Profile) -> Profile) -> Self {
        self.profile = adjust(self.profile);
        self.adjusted = true;
        self
    }

    /// Checks that the settings make sense together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let name = || self.name.clone();
        if self.name.is_empty() {
            return Err(ConfigError::IssuerEmpty);
        }
        let anybody = matches!(self.meant, Meant::Anybody);
        if anybody && !self.audiences.is_empty() {
            return Err(ConfigError::AudienceContradiction(name()));
        }
        let named = !self.audiences.is_empty() && self.audiences.iter().all(|aud| !aud.is_empty());
        if !anybody && !named {
            return Err(ConfigError::AudienceMissing(name()));
        }
        if self.algorithms.is_empty() {
            return Err(ConfigError::AlgorithmsEmpty(name()));
        }
        if self.lost {
            return Err(ConfigError::ProfileLate(name()));
        }
        if self.profile.is_untyped() {
            return Err(ConfigError::TokenTypesEmpty(name()));
        }
        Ok(())
    }

    /// Judges what the header says beside the key.
    pub(crate) fn judge_header(&self, header: &Header) -> Result<(), VerifyError> {
        self.profile.judge_typ(header.typ.as_deref())?;
        if !self.algorithms.contains(&header.algorithm) {
            return Err(VerifyError::Algorithm);
        }
        Ok(())
    }

    /// Gives the keys that are good now.
    pub(crate) fn keys(&self, now: u64) -> Result<Arc<KeySet>, VerifyError> {
        self.keys.keys(now).ok_or(VerifyError::KeysUnavailable)
    }

    /// Judges authenticated claims: what does not change with the time.
    pub(crate) fn judge_claims(&self, claims: &UserData) -> Result<(), VerifyError> {
        let named = |audience: &str| self.audiences.iter().any(|named| named == audience);
        let is_meant = match self.meant {
            Meant::AllOf => self.audiences.iter().all(|named| claims.aud.contains(named)),
            Meant::Anybody => true,
            Meant::OneOf => claims.aud.iter().any(|audience| named(audience)),
        };
        if !is_meant {
            return Err(VerifyError::Audience);
        }
        let is_ours = |audience: &str| matches!(self.meant, Meant::Anybody) || named(audience);
        self.profile.judge_claims(claims, is_ours)?;
        if self.tenant.is_some() && claims.tenant_id != self.tenant {
            return Err(VerifyError::Tenant);
        }
        Ok(())
    }

    /// Gives the time from which on a token is too old for this issuer.
    pub(crate) fn oldest(&self, claims: &UserData) -> u64 {
        self.profile.oldest(claims)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// For whom tokens must be, of the audiences that were named.
#[derive(Clone, Copy)]
enum Meant {
    AllOf,
    Anybody,
    OneOf,
}

/// Picks the key a header asks for. The algorithm is the key's; the header must agree.
pub(crate) fn pick<'k>(
    keys: &'k KeySet,
    header: &Header,
) -> Result<&'k Arc<VerifyingKey>, VerifyError> {
    let key = match &header.kid {
        Some(kid) => keys.shared(kid),
        None => keys.only_shared(),
    };
    let key = key.ok_or(VerifyError::UnknownKey)?;
    if key.algorithm() == header.algorithm { Ok(key) } else { Err(VerifyError::Algorithm) }
}
