//! The settings of a tenant: typed, with ranges, changed one by one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use usso_verify::Algorithm;

use super::tenant::Refused;

const ORIGINS_MAX: usize = 50;
const AUDIENCE_BYTES_MAX: usize = 1024;

/// Who may create an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Registration {
    /// Only administrators.
    Closed,
    /// Anyone who knows the address.
    #[default]
    Open,
}

/// The settings of a tenant. Unknown fields are refused, absent ones take their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Life of access tokens in seconds; default 900, 60..=86,400.
    pub access_token_seconds: u64,
    /// From where browsers may call, as exact origins such as `https://app.example.com`; default
    /// none, up to 50.
    pub allowed_origins: Vec<String>,
    /// The `aud` of access tokens; default the tenant's issuer, up to 1,024
    /// bytes in all.
    pub audience: Vec<String>,
    /// The `iss` of tokens; default the installation's issuer, followed by `/t/` and the tenant id
    /// for other tenants than the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The least length of a password in characters; default 8, 8..=64 (NIST SP 800-63B section
    /// 3.1.1.2).
    pub password_min_length: usize,
    /// The least `zxcvbn` strength of a password; default 2, 0..=4.
    pub password_min_strength: u8,
    /// How long in seconds after a refresh the same token may be sent again by a client that missed
    /// the answer; default 10, 0..=60.
    pub refresh_grace_seconds: u64,
    /// Who may create an account; default anyone.
    pub registration: Registration,
    /// How long in seconds a session lives at most; default 2,592,000 (30 days), 300..=31,536,000.
    pub session_seconds: u64,
    /// How long in seconds a session lives without being refreshed; default 1,209,600 (14 days),
    /// 300..=31,536,000.
    pub session_idle_seconds: u64,
    /// The algorithm of new signing keys; default `EdDSA`; also `ES256` and `RS256`. Takes effect
    /// with the second rotation after the change, or at once for a tenant without keys.
    pub signing_algorithm: Algorithm,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_seconds: 900,
            allowed_origins: Vec::new(),
            audience: Vec::new(),
            issuer: None,
            password_min_length: 8,
            password_min_strength: 2,
            refresh_grace_seconds: 10,
            registration: Registration::Open,
            session_seconds: 2_592_000,
            session_idle_seconds: 1_209_600,
            signing_algorithm: Algorithm::EdDsa,
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), Refused> {
        let bad = |field| Err(Refused::InvalidSetting(field));
        if !(60..=86_400).contains(&self.access_token_seconds) {
            return bad("access_token_seconds");
        }
        if self.allowed_origins.len() > ORIGINS_MAX
            || !self.allowed_origins.iter().all(|origin| is_origin(origin))
        {
            return bad("allowed_origins");
        }
        if check_audience(&self.audience).is_err() {
            return bad("audience");
        }
        if self.issuer.as_ref().is_some_and(|issuer| check_issuer(issuer).is_err()) {
            return bad("issuer");
        }
        if !(8..=64).contains(&self.password_min_length) {
            return bad("password_min_length");
        }
        if self.password_min_strength > 4 {
            return bad("password_min_strength");
        }
        if self.refresh_grace_seconds > 60 {
            return bad("refresh_grace_seconds");
        }
        if !(300..=31_536_000).contains(&self.session_seconds) {
            return bad("session_seconds");
        }
        if !(300..=31_536_000).contains(&self.session_idle_seconds) {
            return bad("session_idle_seconds");
        }
        if !matches!(self.signing_algorithm, Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256)
        {
            return bad("signing_algorithm");
        }
        Ok(())
    }
}

/// Scheme, host and port of `https://host[:port]` or `http://host[:port]`, with nothing after it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        (1..=260).contains(&host.len())
            && host
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c))
    })
}

/// Checks the names of services that tokens are for.
pub(crate) fn check_audience(audience: &[String]) -> Result<(), &'static str> {
    let name = |text: &String| !text.is_empty() && !text.contains(char::is_control);
    let bytes: usize = audience.iter().map(String::len).sum();
    if !audience.iter().all(name) {
        return Err("has an empty name, or one with a control character");
    }
    if bytes > AUDIENCE_BYTES_MAX { Err("is too long for every token to carry it") } else { Ok(()) }
}

/// Checks that an issuer is an `http` or `https` URL without query, fragment or final slash (OpenID
/// Connect Discovery 1.0 section 3).
///
/// # Errors
///
/// A sentence that says what is wrong.
pub fn check_issuer(issuer: &str) -> Result<(), &'static str> {
    let rest = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://"));
    let rest = rest.ok_or("an issuer begins with https:// or http://")?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || issuer.len() > 300 {
        return Err("an issuer has a host and at most 300 characters");
    }
    if issuer.ends_with('/') || issuer.contains(['?', '#', '@']) {
        return Err("an issuer has no final slash, query, fragment or user name");
    }
    if !issuer.chars().all(|c| c.is_ascii_graphic()) {
        return Err("an issuer has visible ASCII characters only");
    }
    Ok(())
}

/// Changes the named settings and leaves the others.
pub(super) fn merge(settings: &Settings, changes: Map<String, Json>) -> Result<Settings, Refused> {
    let Ok(Json::Object(mut merged)) = serde_json::to_value(settings) else {
        return Err(Refused::Invalid);
    };
    for (name, value) in changes {
        match value {
            Json::Null => merged.remove(&name),
            value => merged.insert(name, value),
        };
    }
    serde_json::from_value(Json::Object(merged)).map_err(|_| Refused::InvalidSettings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let settings = |text: &str| serde_json::from_str::<Settings>(text).unwrap().check();
        for (field, json) in [
            ("access_token_seconds", r#"{"access_token_seconds": 59}"#),
            ("allowed_origins", r#"{"allowed_origins": ["https://a.example/path"]}"#),
            ("allowed_origins", r#"{"allowed_origins": ["*"]}"#),
            ("audience", r#"{"audience": [""]}"#),
            ("issuer", r#"{"issuer": "https://a.example/"}"#),
            ("password_min_length", r#"{"password_min_length": 7}"#),
            ("password_min_strength", r#"{"password_min_strength": 5}"#),
            ("refresh_grace_seconds", r#"{"refresh_grace_seconds": 61}"#),
            ("session_seconds", r#"{"session_seconds": 1}"#),
            ("session_idle_seconds", r#"{"session_idle_seconds": 1}"#),
            ("signing_algorithm", r#"{"signing_algorithm": "PS256"}"#),
        ] {
            assert_eq!(settings(json), Err(Refused::InvalidSetting(field)), "{json}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"no_such_setting": 1}"#).is_err());
    }

    #[test]
    fn issuers_are_plain_urls() {
        assert!(check_issuer("http://localhost:8000").is_ok());
        assert!(check_issuer("https://sso.example.com/t/org").is_ok());
        for bad in [
            "localhost",
            "https://",
            "https://a/",
            "https://a?b",
            "https://u@a",
            "ftp://a",
            "https://a b",
        ] {
            assert!(check_issuer(bad).is_err(), "{bad}");
        }
    }
}
