use std::time::Duration;
use ipnet::IpNet;
pub(crate) fn router(_usso: usso_core::Usso, _c: HttpConfig) -> axum::Router { axum::Router::new() }
pub(crate) struct HttpConfig { pub(crate) trusted_proxies: Vec<IpNet>, pub(crate) metrics: MetricsAccess, pub(crate) d: Duration }
pub(crate) enum MetricsAccess { Loopback, Everyone, Nobody }
impl Default for HttpConfig { fn default() -> Self { Self { trusted_proxies: vec![], metrics: MetricsAccess::Loopback, d: Duration::ZERO } } }
