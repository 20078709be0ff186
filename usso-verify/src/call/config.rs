//! The configuration of a verifier in JSON.

use std::time::Duration;

use serde::Deserialize;

use super::keys::{Keys, KeysSetup};
use super::refusal::Refusal;
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::guard::Guard;
use crate::issuer::Issuer;
use crate::json::{self, Limits};
use crate::jwk::{Jwk, Jwks};
use crate::jwks::{Location, Policy};
use crate::key::VerifyingKey;
use crate::key_set::KeySet;
use crate::profile::Profile;
use crate::setup::SetupError;
use crate::source::KeySource;
use crate::token_cache::TokenCache;
use crate::verifier::Verifier;

/// The configuration of a verifier, as the other languages write it. Unknown members are refused.
///
/// ```json
/// {
///   "issuers": [{
///     "issuer": "https://sso.example",
///     "audience": "https://api.example",
///     "jwks_url": "https://sso.example/.well-known/jwks.json"
///   }],
///   "leeway": 30
/// }
/// ```
///
/// | member of an issuer | default |
/// | --- | --- |
/// | `issuer` | required: the exact value of `iss` |
/// | `audience` (text or list) or `any_audience: true` | one of them is required |
/// | `jwks` (the keys themselves), `jwk` (the one key, whatever name tokens give) or `jwks_url` | the address is found by discovery |
/// | `profile`: `usso`, `usso_legacy`, `rfc9068`, `oidc_id_token`, `custom` | `usso` |
/// | `algorithms`, `typ` (lists), `token_type`, `tenant`, `required_claims` | those of the profile |
/// | `token_type_if_any`, for tokens that have a type at all | none |
/// | `max_age`, `max_lifetime` (seconds) | none |
/// | `allow_loopback_http`, `danger_allow_http` | `false` |
///
/// | member of `guard`, for requests | default |
/// | --- | --- |
/// | `token_header` | `Authorization`, with its schemes |
/// | `api_key_header` | `x-api-key` |
/// | `cookie`, and `allow_origins` (list) for it | none |
/// | `public_url`, which `DPoP` needs | none |
/// | `realm`, `resource_metadata` | `api`, none |
///
/// `api_keys` has the members `issuer` (whose keys they are), `verify_url` or `local: true` (who is
/// asked about them), `audience` (list; default any), `prefixes` (list, beside `usso_sk_`), `tenant` and
/// `required_claims`. An answer of another `token_type` than `access` is refused.
///
/// Beside `issuers`: `leeway` (seconds, 30), `max_token_bytes` (8192), `token_cache`
/// (`{"entries", "bytes", "max_seconds"}`, or `{"entries": 0}` for none), and for the keys of all
/// issuers `jwks_cooldown` and `jwks_hard_age` (seconds).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    issuers: Vec<IssuerSetup>,
    leeway: Option<u64>,
    max_token_bytes: Option<usize>,
    token_cache: Option<CacheSetup>,
    jwks_cooldown: Option<u64>,
    jwks_hard_age: Option<u64>,
    #[serde(default)]
    guard: GuardSetup,
    api_keys: Option<KeysSetup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardSetup {
    token_header: Option<String>,
    api_key_header: Option<String>,
    cookie: Option<String>,
    #[serde(default)]
    allow_origins: Vec<String>,
    public_url: Option<String>,
    realm: Option<String>,
    resource_metadata: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerSetup {
    issuer: String,
    audience: Option<Names>,
    #[serde(default)]
    any_audience: bool,
    jwks: Option<Jwks>,
    jwk: Option<Jwk>,
    jwks_url: Option<String>,
    #[serde(default)]
    profile: ProfileSetup,
    algorithms: Option<Vec<Algorithm>>,
    typ: Option<Vec<String>>,
    token_type: Option<String>,
    token_type_if_any: Option<String>,
    tenant: Option<String>,
    #[serde(default)]
    required_claims: Vec<String>,
    max_age: Option<u64>,
    max_lifetime: Option<u64>,
    #[serde(default)]
    allow_loopback_http: bool,
    #[serde(default)]
    danger_allow_http: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheSetup {
    entries: Option<usize>,
    bytes: Option<usize>,
    max_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProfileSetup {
    #[default]
    Usso,
    UssoLegacy,
    Rfc9068,
    OidcIdToken,
    Custom,
}

impl Setup {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the code `config.invalid`.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        // Strictly first: a repeated member is an error, and the second reading says where.
        json::parse(text.as_bytes(), Limits::default()).map_err(Refusal::config)?;
        serde_json::from_str(text).map_err(Refusal::config)
    }

    /// Makes the verifier. `source` gives the keys that are to be fetched for an issuer.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the code `config.invalid`.
    pub fn build(
        self,
        clock: impl Clock + 'static,
        mut source: impl FnMut(&str, Location, Policy) -> Result<Box<dyn KeySource>, SetupError>,
    ) -> Result<Verifier, Refusal> {
        let policy = self.policy();
        let mut builder = Verifier::builder().token_cache(self.cache()).clock(clock);
        if let Some(leeway) = self.leeway {
            builder = builder.leeway(Duration::from_secs(leeway));
        }
        if let Some(bytes) = self.max_token_bytes {
            builder = builder.max_token_bytes(bytes);
        }
        for issuer in self.issuers {
            builder = builder.issuer(issuer.build(&policy, &mut source)?);
        }
        builder.build().map_err(Refusal::config)
    }

    pub(super) fn api_keys(&mut self) -> Result<Option<Keys>, Refusal> {
        self.api_keys.take().map(KeysSetup::build).transpose()
    }

    /// Makes the guard of requests. Its settings are taken; `build` needs none of them.
    pub(super) fn guard(&mut self) -> impl FnOnce(Verifier) -> Result<Guard, Refusal> + use<> {
        let setup = std::mem::take(&mut self.guard);
        |verifier| {
            let mut guard = Guard::builder(verifier);
            if let Some(name) = setup.token_header {
                guard = guard.token_header(&name);
            }
            if let Some(name) = setup.api_key_header {
                guard = guard.api_key_header(&name);
            }
            if let Some(name) = setup.cookie {
                guard = guard.cookie(name);
            }
            if let Some(url) = setup.public_url {
                guard = guard.public_url(url);
            }
            if let Some(realm) = setup.realm {
                guard = guard.realm(realm);
            }
            if let Some(url) = setup.resource_metadata {
                guard = guard.resource_metadata(url);
            }
            for origin in setup.allow_origins {
                guard = guard.allow_origin(origin);
            }
            guard.build().map_err(Refusal::config)
        }
    }

    fn cache(&self) -> TokenCache {
        let mut cache = TokenCache::new();
        let Some(setup) = &self.token_cache else {
            return cache;
        };
        if let Some(entries) = setup.entries {
            cache = cache.entries(entries);
        }
        if let Some(bytes) = setup.bytes {
            cache = cache.bytes(bytes);
        }
        if let Some(seconds) = setup.max_seconds {
            cache = cache.max_seconds(seconds);
        }
        cache
    }

    fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        if let Some(cooldown) = self.jwks_cooldown {
            policy = policy.cooldown(Duration::from_secs(cooldown));
        }
        if let Some(age) = self.jwks_hard_age {
            policy = policy.hard_age(Duration::from_secs(age));
        }
        policy
    }
}

impl IssuerSetup {
    fn build(
        self,
        policy: &Policy,
        source: &mut impl FnMut(&str, Location, Policy) -> Result<Box<dyn KeySource>, SetupError>,
    ) -> Result<Issuer, Refusal> {
        let profile = self.profile()?;
        let mut location = match &self.jwks_url {
            Some(url) => Location::jwks(url),
            None => Location::issuer(&self.issuer),
        };
        if self.allow_loopback_http {
            location = location.allow_loopback_http();
        }
        if self.danger_allow_http {
            location = location.danger_allow_http();
        }
        let keys = match self.keys()? {
            Some(keys) => Box::new(std::sync::Arc::new(keys)),
            None => source(&self.issuer, location, policy.clone()).map_err(Refusal::config)?,
        };
        let mut issuer = Issuer::new(self.issuer, keys).profile(profile);
        issuer = match self.audience {
            Some(Names::One(name)) => issuer.audience(name),
            Some(Names::Many(names)) => issuer.audiences(names),
            None => issuer,
        };
        if self.any_audience {
            issuer = issuer.any_audience();
        }
        if let Some(algorithms) = &self.algorithms {
            issuer = issuer.algorithms(algorithms);
        }
        if let Some(tenant) = self.tenant {
            issuer = issuer.tenant(tenant);
        }
        Ok(issuer)
    }

    /// Gives the keys that are written down; `None` if they are to be fetched.
    fn keys(&self) -> Result<Option<KeySet>, Refusal> {
        match (&self.jwks, &self.jwk, &self.jwks_url) {
            (None, None, _) => Ok(None),
            (Some(jwks), None, None) => {
                let keys = KeySet::from_jwks(jwks);
                if keys.is_empty() {
                    return Err(Refusal::config("`jwks` has no usable key"));
                }
                Ok(Some(keys))
            }
            (None, Some(jwk), None) => {
                let key = VerifyingKey::from_jwk(jwk);
                let key = key.map_err(|error| Refusal::config(format_args!("`jwk`: {error}")))?;
                Ok(Some(KeySet::pinned(key)))
            }
            _ => Err(Refusal::config("`jwks`, `jwk` and `jwks_url` contradict; keep one")),
        }
    }

    fn profile(&self) -> Result<Profile, Refusal> {
        let mut profile = match self.profile {
            ProfileSetup::Usso => Profile::usso(),
            ProfileSetup::UssoLegacy => Profile::usso_legacy(),
            ProfileSetup::Rfc9068 => Profile::rfc9068(),
            ProfileSetup::OidcIdToken => Profile::oidc_id_token(),
            ProfileSetup::Custom => Profile::custom(),
        };
        if let Some(types) = &self.typ {
            let types: Vec<&str> = types.iter().map(String::as_str).collect();
            profile = profile.token_types(&types);
        }
        if let Some(token_type) = &self.token_type {
            profile = profile.token_type(token_type);
        }
        if let Some(token_type) = &self.token_type_if_any {
            profile = profile.token_type_if_any(token_type);
        }
        for claim in known_claims(&self.required_claims)? {
            profile = profile.require_claim(claim);
        }
        if let Some(age) = self.max_age {
            profile = profile.max_age(Duration::from_secs(age));
        }
        if let Some(lifetime) = self.max_lifetime {
            profile = profile.max_lifetime(Duration::from_secs(lifetime));
        }
        Ok(profile)
    }
}

/// Gives the names that a configuration writes, of claims that are known.
pub(super) fn known_claims(names: &[String]) -> Result<Vec<&'static str>, Refusal> {
    let known = |name: &String| {
        let known = CLAIMS.iter().copied().find(|known| known == name);
        known.ok_or_else(|| {
            Refusal::config(format_args!("`required_claims`: {name:?} is no known claim"))
        })
    };
    names.iter().map(known).collect()
}

/// The claims that a configuration in JSON may require: the registered ones and USSO's.
const CLAIMS: [&str; 28] = [
    "acr",
    "act",
    "amr",
    "aud",
    "auth_time",
    "azp",
    "client_id",
    "cnf",
    "email",
    "email_verified",
    "entitlements",
    "exp",
    "groups",
    "iat",
    "iss",
    "jti",
    "name",
    "nbf",
    "nonce",
    "phone_number",
    "roles",
    "scope",
    "scopes",
    "session_id",
    "sid",
    "sub",
    "tenant_id",
    "workspace_id",
];
