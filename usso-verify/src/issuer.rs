//! Whose tokens are accepted, and under which rules.

use std::fmt;
use std::sync::Arc;

use crate::algorithm::Algorithm;
use crate::claims::UserData;
use crate::error::{ConfigError, VerifyError};
use crate::key::VerifyingKey;
use crate::key_set::KeySet;
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
    keys: Arc<dyn KeySource>,
    audiences: Vec<String>,
    any_audience: bool,
    algorithms: Vec<Algorithm>,
    token_types: Vec<String>,
    token_type: String,
}

impl Issuer {
    /// Names an issuer, exactly as its tokens spell `iss`, and says where its keys are.
    ///
    /// An audience is still to be set: [`audience`](Self::audience), or said aloud
    /// [`any_audience`](Self::any_audience).
    #[must_use]
    pub fn new(name: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        Self {
            name: name.into(),
            keys: Arc::new(keys),
            audiences: Vec::new(),
            any_audience: false,
            algorithms: Algorithm::ALL.to_vec(),
            token_types: vec!["at+jwt".to_owned(), "application/at+jwt".to_owned()],
            token_type: "access".to_owned(),
        }
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
        self.any_audience = true;
        self
    }

    /// Accepts these algorithms only. Default: every [`Algorithm`].
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Accepts these values of the header's `typ` only, compared exactly. Default: `at+jwt` and
    /// `application/at+jwt`.
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
    pub fn token_types(mut self, types: &[&str]) -> Self {
        self.token_types = types.iter().copied().map(str::to_owned).collect();
        self
    }

    /// Sets the value that USSO's claim `token_type` must have. Default: `access`.
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = token_type.into();
        self
    }

    /// Checks that the settings make sense together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let name = || self.name.clone();
        if self.name.is_empty() {
            return Err(ConfigError::IssuerEmpty);
        }
        if self.any_audience && !self.audiences.is_empty() {
            return Err(ConfigError::AudienceContradiction(name()));
        }
        let named = !self.audiences.is_empty() && self.audiences.iter().all(|aud| !aud.is_empty());
        if !self.any_audience && !named {
            return Err(ConfigError::AudienceMissing(name()));
        }
        if self.algorithms.is_empty() {
            return Err(ConfigError::AlgorithmsEmpty(name()));
        }
        if self.token_types.is_empty() {
            return Err(ConfigError::TokenTypesEmpty(name()));
        }
        Ok(())
    }

    /// Judges what the header says beside the key.
    pub(crate) fn judge_header(&self, header: &Header) -> Result<(), VerifyError> {
        let typ = header.typ.as_deref();
        if !self.token_types.iter().any(|accepted| Some(accepted.as_str()) == typ) {
            return Err(VerifyError::Typ);
        }
        if !self.algorithms.contains(&header.algorithm) {
            return Err(VerifyError::Algorithm);
        }
        Ok(())
    }

    /// Gives the keys that are good now.
    pub(crate) fn keys(&self, now: u64) -> Result<Arc<KeySet>, VerifyError> {
        self.keys.keys(now).ok_or(VerifyError::KeysUnavailable)
    }

    /// Judges authenticated claims: audience and kind of token.
    pub(crate) fn judge_claims(&self, claims: &UserData) -> Result<(), VerifyError> {
        if !self.any_audience && !claims.aud.iter().any(|aud| self.audiences.contains(aud)) {
            return Err(VerifyError::Audience);
        }
        if claims.token_type.as_ref() != Some(&self.token_type) {
            return Err(VerifyError::TokenType);
        }
        Ok(())
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Picks the key a header asks for. The algorithm is the key's; the header must agree.
pub(crate) fn pick<'k>(keys: &'k KeySet, header: &Header) -> Result<&'k VerifyingKey, VerifyError> {
    let key = match &header.kid {
        Some(kid) => keys.get(kid),
        None => keys.only(),
    };
    let key = key.ok_or(VerifyError::UnknownKey)?;
    if key.algorithm() == header.algorithm { Ok(key) } else { Err(VerifyError::Algorithm) }
}
