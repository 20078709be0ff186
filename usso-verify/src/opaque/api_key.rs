//! API keys: recognised by their prefix or their header, checked by USSO or by the app itself.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::credential::{Credential, Origin, Realm, is_token68};
use super::error::{ConfigError, Error, Reason};
use super::rules::{Audiences, MAX_ANSWER, Rules, flag, members};
use super::{Upstream, endpoint};
use crate::claims::UserData;
use crate::fetch::{BoxFuture, Request, Response};

/// What an API key looks like and whom it may name.
///
/// A key has 16 to 512 bytes of the alphabet of bearer tokens (letters, digits, `-._~+/`, `=` at
/// the end). As a bearer it must also start with a known prefix, and be longer.
///
/// # Security
///
/// A bearer that is not a JWT is not yet an API key: it may be a password of HTTP Basic or the
/// token of another service, and sending it on would give it away.
#[derive(Clone)]
pub struct KeyRules {
    rules: Rules,
    prefixes: Vec<String>,
}

impl KeyRules {
    /// Takes keys that start with `usso_sk_` and are from this issuer. USSO's keys name no
    /// audience, so for them it is [`Audiences::Any`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Issuer`], [`ConfigError::Audiences`].
    pub fn new(issuer: impl Into<String>, audiences: Audiences) -> Result<Self, ConfigError> {
        let rules = Rules::new(issuer.into(), audiences)?;
        Ok(Self { rules, prefixes: vec!["usso_sk_".to_owned()] })
    }

    /// Recognises keys with this prefix too: 4 to 64 bytes of the alphabet, none of them `=`, and
    /// not starting with `ey`, `ew` or `e3`, as every JWT does.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Prefix`].
    pub fn prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        let sound = (4..=64).contains(&prefix.len())
            && is_token68(prefix)
            && !prefix.ends_with('=')
            && !["e3", "ew", "ey"].iter().any(|jwt| prefix.starts_with(jwt));
        if !sound {
            return Err(ConfigError::Prefix);
        }
        self.prefixes.push(prefix.to_owned());
        Ok(self)
    }

    /// Sets how far `nbf` and `iat` of an answer may lie ahead. Default 30 seconds, at most 120.
    ///
    /// # Errors
    ///
    /// [`ConfigError::LeewayTooLong`].
    pub fn leeway(self, leeway: Duration) -> Result<Self, ConfigError> {
        Ok(Self { rules: self.rules.leeway(leeway)?, ..self })
    }

    /// Says whether a bearer starts as an API key does. Never true for a JWT.
    #[must_use]
    pub fn recognises(&self, bearer: &str) -> bool {
        let is_longer = |prefix: &String| bearer.len() > prefix.len();
        self.prefixes.iter().any(|prefix| bearer.starts_with(prefix) && is_longer(prefix))
    }

    /// Checks that this text, from this place, is an API key to be looked up in the app itself.
    ///
    /// # Errors
    ///
    /// [`Error::Unrecognised`] for a bearer without a known prefix, [`Error::Malformed`].
    pub fn credential<'c>(&self, key: &'c str, origin: Origin) -> Result<Credential<'c>, Error> {
        self.admit(key, origin, self.rules.realm("local"))
    }

    /// Judges the claims the app has for a key, as of `now`; `None` if there is no such key.
    ///
    /// The rules are those for [`ApiKeys`].
    ///
    /// # Errors
    ///
    /// [`Error::Inactive`] for `None`, and as [`Upstream::judge`].
    pub fn judge(&self, claims: Option<Map<String, Value>>, now: u64) -> Result<UserData, Error> {
        let mut claims = claims.ok_or(Error::Inactive)?;
        for name in ["active", "valid"] {
            if flag(&mut claims, name)? == Some(false) {
                return Err(Error::Inactive);
            }
        }
        claims.retain(|_, value| !value.is_null());
        self.rules.principal(claims, now)
    }

    fn admit<'c>(
        &self,
        key: &'c str,
        origin: Origin,
        realm: Realm,
    ) -> Result<Credential<'c>, Error> {
        match origin {
            Origin::Bearer if !self.recognises(key) => Err(Error::Unrecognised),
            Origin::Bearer | Origin::KeyHeader => Credential::read(key, KEY_LENGTH, realm),
        }
    }
}

impl fmt::Debug for KeyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRules")
            .field("issuer", &self.rules.issuer)
            .field("prefixes", &self.prefixes)
            .finish_non_exhaustive()
    }
}

/// USSO's endpoint that checks API keys: `POST …/api/sso/v1/apikeys/verify`.
///
/// The answer counts if it has status 200 and is a JSON object with the claims: a `sub` that is not
/// empty, and no `active` or `valid` that is `false`. A member that is `null` counts as absent,
/// because USSO's server writes the ones it has no value for that way. `iss` may be absent and is
/// filled in. A key may live for ever: without `exp` it becomes 60 seconds from now, so that the
/// key is asked about again. 401 refuses the key, and so do 403, 404 and 422 if the body is USSO's
/// own, a JSON object with an `error_code`: those of a gateway during a deployment are no verdict,
/// as is any other status.
#[derive(Clone)]
pub struct ApiKeys {
    endpoint: String,
    keys: KeyRules,
    realm: Realm,
}

impl ApiKeys {
    /// Names the endpoint, in full.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Endpoint`].
    pub fn new(endpoint: impl Into<String>, keys: KeyRules) -> Result<Self, ConfigError> {
        let endpoint = endpoint.into();
        endpoint::check(&endpoint)?;
        let realm = keys.rules.realm(&endpoint);
        Ok(Self { endpoint, keys, realm })
    }

    /// Names an endpoint to which keys go unencrypted.
    ///
    /// # Security
    ///
    /// Whoever sits between reads every key. Only for networks where nobody does, such as between
    /// the containers of one machine.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Endpoint`] if it is no `http` URL.
    pub fn danger_over_http(
        endpoint: impl Into<String>,
        keys: KeyRules,
    ) -> Result<Self, ConfigError> {
        let endpoint = endpoint.into();
        endpoint::check_http(&endpoint)?;
        let realm = keys.rules.realm(&endpoint);
        Ok(Self { endpoint, keys, realm })
    }

    /// Says whether a bearer starts as an API key does. Never true for a JWT.
    #[must_use]
    pub fn recognises(&self, bearer: &str) -> bool {
        self.keys.recognises(bearer)
    }
}

impl Upstream for ApiKeys {
    fn credential<'c>(&self, key: &'c str, origin: Origin) -> Result<Credential<'c>, Error> {
        self.keys.admit(key, origin, self.realm)
    }

    fn request(&self, key: &Credential<'_>) -> Request {
        let body = json!({"api_key": key.text}).to_string().into_bytes();
        let mut request = Request::post(self.endpoint.as_str(), "application/json", body)
            .header("accept", "application/json");
        request.max_body_bytes = MAX_ANSWER;
        request
    }

    fn judge(&self, answer: &Response, now: u64) -> Result<UserData, Error> {
        match answer.status {
            200 => self.keys.judge(Some(members(answer)?), now),
            401 => Err(Error::Inactive),
            403 | 404 | 422 if is_of_usso(answer) => Err(Error::Inactive),
            status => Err(Error::Unavailable(Reason::Status(status))),
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Says whether a refusal is USSO's and not that of something in between.
fn is_of_usso(answer: &Response) -> bool {
    let body = members(answer).unwrap_or_default();
    body.get("error_code").and_then(Value::as_str).is_some_and(|code| !code.is_empty())
}

/// Finds API keys in the app's own database, instead of asking USSO.
///
/// # Security
///
/// Store digests of keys, not keys, and look a digest up: that is also safe from timing.
pub trait KeyLookup: Send + Sync {
    /// Gives the claims of a key: `sub` at least, the others as a token would have them; `None` if
    /// there is no such key or it was revoked.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] if the database failed: whether the key is good is not known.
    fn look_up<'k>(
        &'k self,
        key: &'k str,
    ) -> BoxFuture<'k, Result<Option<Map<String, Value>>, LookupFailed>>;
}

/// The app's own lookup of an API key failed. The app logs why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupFailed;

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key lookup failed")
    }
}

impl std::error::Error for LookupFailed {}

/// Shortest and longest key, in bytes. Fewer than 16 letters can be guessed.
const KEY_LENGTH: [usize; 2] = [16, 512];
