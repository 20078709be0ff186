//! The settings of an installation. What differs between tenants is in
//! [`Settings`](crate::directory::tenant::Settings).

use std::time::Duration;

use crate::{
    directory::tenant::{check_audience, check_issuer},
    kernel::{hashing, limit::Limit},
};

/// The settings of an installation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The URL under which the installation is reached, without a final slash: the `iss` of the
    /// default tenant's tokens. No default.
    pub issuer: String,
    /// The services that tokens are for, their `aud`, in tenants whose settings name none; default
    /// none, then it is the issuer.
    pub audience: Vec<String>,
    /// How long audit entries are kept; default 90 days, at least 1 day.
    pub audit_retention: Duration,
    /// How long a signing key signs before the next one takes over; default 90 days, at least 1 day.
    pub key_rotation: Duration,
    /// Cost and budget of password hashing.
    pub hashing: hashing::Config,
    /// How many attempts are allowed.
    pub limits: Limits,
}

/// How many attempts are allowed. Attempts that succeed do not count, registrations do.
///
/// # Security
///
/// The limit per account and source stops guessing from one place. The limit per account stops
/// guessing from many places; it does not apply to a source from which the owner signed in before,
/// so an attacker who uses it up does not lock the owner out. The limit per source stops trying one
/// password on many accounts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Failed attempts on one account from one source; default 10 in 5 minutes.
    pub account_and_source: Limit,
    /// Failed attempts on one account from all unfamiliar sources; default 100 in an hour (NIST SP
    /// 800-63B section 3.2.2).
    pub account: Limit,
    /// Failed attempts from one source on all accounts; default 300 in 5 minutes.
    pub source: Limit,
    /// Registrations from one source; default 1,000 in an hour.
    pub registration: Limit,
    /// How long a source from which the owner signed in stays familiar; default 90 days.
    pub familiar_for: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

impl Default for Limits {
    fn default() -> Self {
        Self {
            account_and_source: Limit::new(10, MINUTE.saturating_mul(5)),
            account: Limit::new(100, HOUR),
            source: Limit::new(300, MINUTE.saturating_mul(5)),
            registration: Limit::new(1000, HOUR),
            familiar_for: DAY.saturating_mul(90),
        }
    }
}

impl Config {
    /// Starts from the defaults.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: Vec::new(),
            audit_retention: DAY.saturating_mul(90),
            key_rotation: DAY.saturating_mul(90),
            hashing: hashing::Config::default(),
            limits: Limits::default(),
        }
    }

    /// Checks every field but those of hashing, which the hasher checks.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_issuer(&self.issuer).map_err(|why| format!("issuer is {:?}; {why}", self.issuer))?;
        check_audience(&self.audience).map_err(|why| format!("audience {why}"))?;
        let days = [("audit_retention", self.audit_retention), ("key_rotation", self.key_rotation)];
        if let Some((name, _)) = days.into_iter().find(|(_, duration)| *duration < DAY) {
            return Err(format!("{name} is less than a day; it must be at least one"));
        }
        let limits = [
            ("limits.account_and_source", self.limits.account_and_source),
            ("limits.account", self.limits.account),
            ("limits.source", self.limits.source),
            ("limits.registration", self.limits.registration),
        ];
        let bad =
            |limit: &Limit| limit.attempts == 0 || limit.window.is_zero() || limit.window > DAY;
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| bad(limit)) {
            return Err(format!(
                "{name} must allow at least one attempt in a window of at most a day"
            ));
        }
        Ok(())
    }
}
