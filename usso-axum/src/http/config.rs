//! The settings of the HTTP side.

use std::time::Duration;

use ipnet::IpNet;

/// How the API meets HTTP.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The most bytes of a request body; default 65,536.
    pub max_body_bytes: usize,
    /// Who may read `/metrics`; default programs on the same machine.
    pub metrics: MetricsAccess,
    /// How long a request may take before it is answered with 503; default 30 s.
    pub request_timeout: Duration,
    /// Whose `X-Forwarded-For` and `X-Forwarded-Host` are believed; default nobody's.
    ///
    /// # Security
    ///
    /// Name only proxies that overwrite or append these headers. Whoever connects from one of these
    /// networks chooses the address under which its attempts are counted.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 65_536,
            metrics: MetricsAccess::Loopback,
            request_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricsAccess {
    /// Whoever reaches the address.
    Everyone,
    /// Programs on the same machine that connect directly, without a proxy.
    #[default]
    Loopback,
    /// Nobody.
    Nobody,
}
