//! API keys on WebAssembly: there are none. Asking issuers about them and keeping their answers would be
//! a tenth of what every page loads.

use std::convert::Infallible;

use serde_json::{Map, Value};

use super::Asking;
use super::refusal::Refusal;
use crate::claims::UserData;
use crate::error::VerifyError;
use crate::fetch::{FetchError, Response};
use crate::fields::Fields;
use crate::opaque::{LookupFailed, Origin};

/// The settings that are refused.
#[derive(Debug)]
pub(super) struct KeysSetup;

/// API keys, of which there are none.
pub(super) struct Keys(Infallible);

/// An API key that nobody asks about.
#[derive(Debug)]
pub struct ApiKey(Infallible);

impl ApiKey {
    /// Gives the key.
    #[must_use]
    pub const fn expose(&self) -> &str {
        match self.0 {}
    }
}

impl KeysSetup {
    pub(super) fn of(fields: Fields) -> Self {
        fields.refuse("`api_keys` is not for WebAssembly");
        Self
    }

    pub(super) fn build(self) -> Result<Keys, Refusal> {
        Err(Refusal::config("`api_keys` is not for WebAssembly"))
    }
}

impl Keys {
    pub(super) const fn ask(&self, _: &str, _: Origin, _: bool, _: u64) -> Asking {
        match self.0 {}
    }

    pub(super) fn fetched(&self, _: u64, _: Result<Response, FetchError>, _: u64) {
        match self.0 {}
    }

    pub(super) fn looked_up(
        &self,
        _: u64,
        _: Result<Option<Map<String, Value>>, LookupFailed>,
        _: u64,
    ) {
        match self.0 {}
    }

    pub(super) const fn judge(&self, _: &UserData) -> Result<(), VerifyError> {
        match self.0 {}
    }

    pub(super) const fn is_under_way(&self, _: u64) -> bool {
        match self.0 {}
    }

    pub(super) const fn clear(&self) {
        match self.0 {}
    }
}
