//! The configuration of a verifier in JSON.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::keys::{Keys, KeysSetup};
use super::refusal::Refusal;
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::error::KeyError;
use crate::fields::Fields;
use crate::guard::Guard;
use crate::issuer::Issuer;
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
#[derive(Debug)]
pub struct Setup {
    issuers: Vec<IssuerSetup>,
    leeway: Option<u64>,
    max_token_bytes: Option<usize>,
    token_cache: Option<CacheSetup>,
    jwks_cooldown: Option<u64>,
    jwks_hard_age: Option<u64>,
    guard: GuardSetup,
    api_keys: Option<KeysSetup>,
}

#[derive(Debug, Default)]
struct GuardSetup {
    token_header: Option<String>,
    api_key_header: Option<String>,
    cookie: Option<String>,
    allow_origins: Vec<String>,
    public_url: Option<String>,
    realm: Option<String>,
    resource_metadata: Option<String>,
}

#[derive(Debug)]
struct IssuerSetup {
    issuer: String,
    audience: Option<Vec<String>>,
    any_audience: bool,
    keys: Option<KeySet>,
    location: Location,
    profile: Profile,
    algorithms: Option<Vec<Algorithm>>,
    tenant: Option<String>,
}

#[derive(Debug)]
struct CacheSetup {
    entries: Option<usize>,
    bytes: Option<usize>,
    max_seconds: Option<u64>,
}

impl Setup {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the code `config.invalid`.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let read = Fields::parse(text).and_then(|mut fields| {
            let setup = Self::of(&mut fields);
            fields.end(setup)
        });
        read.map_err(Refusal::config)
    }

    fn of(fields: &mut Fields) -> Self {
        fields.need("issuers");
        Self {
            issuers: fields.objects("issuers").into_iter().filter_map(IssuerSetup::of).collect(),
            leeway: fields.number("leeway"),
            max_token_bytes: fields.size("max_token_bytes"),
            token_cache: fields.object("token_cache").map(CacheSetup::of),
            jwks_cooldown: fields.number("jwks_cooldown"),
            jwks_hard_age: fields.number("jwks_hard_age"),
            guard: fields.object("guard").map(GuardSetup::of).unwrap_or_default(),
            api_keys: fields.object("api_keys").map(KeysSetup::of),
        }
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

impl GuardSetup {
    fn of(mut fields: Fields) -> Self {
        let setup = Self {
            token_header: fields.text("token_header"),
            api_key_header: fields.text("api_key_header"),
            cookie: fields.text("cookie"),
            allow_origins: fields.texts("allow_origins"),
            public_url: fields.text("public_url"),
            realm: fields.text("realm"),
            resource_metadata: fields.text("resource_metadata"),
        };
        fields.unknown();
        setup
    }
}

impl CacheSetup {
    fn of(mut fields: Fields) -> Self {
        let setup = Self {
            entries: fields.size("entries"),
            bytes: fields.size("bytes"),
            max_seconds: fields.number("max_seconds"),
        };
        fields.unknown();
        setup
    }
}

impl IssuerSetup {
    /// Gives nothing where a mistake was found.
    fn of(mut fields: Fields) -> Option<Self> {
        let issuer = fields.needed_text("issuer");
        let url = fields.text("jwks_url");
        let mut location = match &url {
            Some(url) => Location::jwks(url),
            None => Location::issuer(&issuer),
        };
        if fields.flag("allow_loopback_http") {
            location = location.allow_loopback_http();
        }
        if fields.flag("danger_allow_http") {
            location = location.danger_allow_http();
        }
        let setup = Self {
            audience: audience(&mut fields),
            any_audience: fields.flag("any_audience"),
            keys: keys(&mut fields, url.is_some()),
            location,
            profile: profile(&mut fields),
            algorithms: algorithms(&mut fields),
            tenant: fields.text("tenant"),
            issuer,
        };
        fields.end(setup).ok()
    }

    fn build(
        self,
        policy: &Policy,
        source: &mut impl FnMut(&str, Location, Policy) -> Result<Box<dyn KeySource>, SetupError>,
    ) -> Result<Issuer, Refusal> {
        let keys = if let Some(keys) = self.keys {
            Box::new(Arc::new(keys))
        } else {
            let source = source(&self.issuer, self.location, policy.clone());
            source.map_err(Refusal::config)?
        };
        let mut issuer = Issuer::new(self.issuer, keys).profile(self.profile);
        if let Some(audience) = self.audience {
            issuer = issuer.audiences(audience);
        }
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
}

/// Reads one name or a list of them.
fn audience(fields: &mut Fields) -> Option<Vec<String>> {
    match fields.value("audience")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => Some(fields.all_texts("audience", many)),
        _ => {
            fields.refuse("`audience` is neither text nor a list");
            None
        }
    }
}

fn algorithms(fields: &mut Fields) -> Option<Vec<Algorithm>> {
    let names = fields.list("algorithms")?;
    let known = fields.all_texts("algorithms", names).into_iter().filter_map(|name| {
        let known = Algorithm::parse(&name);
        if known.is_none() {
            fields.refuse(format_args!("`algorithms`: {name:?} is no known algorithm"));
        }
        known
    });
    Some(known.collect())
}

/// Reads the keys that are written down; `None` if they are to be fetched.
fn keys(fields: &mut Fields, has_url: bool) -> Option<KeySet> {
    let read = match (fields.value("jwks"), fields.value("jwk"), has_url) {
        (None, None, _) => return None,
        (Some(mut jwks), None, false) => {
            match jwks.get_mut("keys").map(Value::take).and_then(Jwks::tolerant) {
                Some(jwks) => usable(&jwks),
                None => Err("`jwks` is no object with the list `keys`".to_owned()),
            }
        }
        (None, Some(jwk), false) => match Jwk::try_from(jwk) {
            Ok(jwk) => VerifyingKey::from_jwk(&jwk).map(KeySet::pinned),
            Err(_) => Err(KeyError::Encoding),
        }
        .map_err(|error| format!("`jwk`: {error}")),
        _ => Err("`jwks`, `jwk` and `jwks_url` contradict; keep one".to_owned()),
    };
    read.map_err(|wrong| fields.refuse(wrong)).ok()
}

fn usable(jwks: &Jwks) -> Result<KeySet, String> {
    let keys = KeySet::from_jwks(jwks);
    if !keys.is_empty() {
        return Ok(keys);
    }
    let why = jwks.keys.iter().find_map(|jwk| VerifyingKey::from_jwk(jwk).err());
    let why = why.map(|error| format!(": {error}")).unwrap_or_default();
    Err(format!("`jwks` has no usable key{why}"))
}

fn profile(fields: &mut Fields) -> Profile {
    let mut profile = match fields.text("profile").as_deref() {
        None | Some("usso") => Profile::usso(),
        Some("usso_legacy") => Profile::usso_legacy(),
        Some("rfc9068") => Profile::rfc9068(),
        Some("oidc_id_token") => Profile::oidc_id_token(),
        Some("custom") => Profile::custom(),
        Some(other) => {
            fields.refuse(format_args!("`profile`: {other:?} is no known profile"));
            Profile::usso()
        }
    };
    if let Some(types) = fields.list("typ") {
        let types = fields.all_texts("typ", types);
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        profile = profile.token_types(&types);
    }
    if let Some(token_type) = fields.text("token_type") {
        profile = profile.token_type(token_type);
    }
    if let Some(token_type) = fields.text("token_type_if_any") {
        profile = profile.token_type_if_any(token_type);
    }
    for claim in known_claims(fields) {
        profile = profile.require_claim(claim);
    }
    if let Some(age) = fields.number("max_age") {
        profile = profile.max_age(Duration::from_secs(age));
    }
    if let Some(lifetime) = fields.number("max_lifetime") {
        profile = profile.max_lifetime(Duration::from_secs(lifetime));
    }
    profile
}

/// Reads `required_claims`, whose members must be known.
pub(super) fn known_claims(fields: &mut Fields) -> Vec<&'static str> {
    let mut claims = Vec::new();
    for name in fields.texts("required_claims") {
        match CLAIMS.iter().find(|known| **known == name) {
            Some(known) => claims.push(*known),
            None => fields.refuse(format_args!("`required_claims`: {name:?} is no known claim")),
        }
    }
    claims
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
