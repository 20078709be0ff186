//! The client that sends requests over HTTPS.

mod address;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Url, redirect};

use self::address::Reach;
use crate::fetch::{BoxFuture, Fetch, FetchError, Request, Response};
use crate::setup::SetupError;

/// Sends requests over HTTPS. Cheap to clone; clones share their connections.
///
/// # Security
///
/// 1. `https` only; `http` to this machine if allowed. No redirects, no proxy from the
///    environment, no compressed answers.
/// 2. Connects to public addresses only: what a name resolves to is filtered, and the connection
///    goes to exactly the addresses that passed (no DNS rebinding).
/// 3. Time and length of an answer are bounded, whatever it says of its length.
#[derive(Clone)]
pub struct HttpFetch {
    client: Client,
    guard: Arc<Guard>,
}

/// Judges hosts and addresses.
#[derive(Debug)]
struct Guard {
    reach: Reach,
    hosts: Vec<String>,
    loopback_http: bool,
    lookup: Lookup,
}

type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

impl HttpFetch {
    /// Starts the configuration of a client.
    pub fn builder() -> HttpFetchBuilder {
        HttpFetchBuilder {
            guard: Guard {
                reach: Reach::default(),
                hosts: Vec::new(),
                loopback_http: false,
                lookup: look_up,
            },
            connect: Duration::from_secs(2),
            total: Duration::from_secs(5),
            roots: Vec::new(),
            user_agent: concat!("usso-verify/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    async fn send(&self, request: Request) -> Result<Response, FetchError> {
        let url = self.guard.check(&request.url)?;
        let mut builder = match request.body {
            Some(body) => self.client.post(url).body(body),
            None => self.client.get(url),
        };
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let mut answer = builder.send().await.map_err(|error| reason(&error))?;
        let headers = answer.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        let mut response = Response::new(answer.status().as_u16(), Vec::new());
        response.headers = headers.collect();
        while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
            if chunk.len() > request.max_body_bytes - response.body.len() {
                return Err(FetchError::TooLarge);
            }
            response.body.extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Response, FetchError>> {
        Box::pin(self.send(request))
    }
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetch").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Guard {
    /// Judges the scheme, and an address that is written out, which no resolver is asked about.
    fn check(&self, url: &str) -> Result<Url, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Refused)?;
        let host = url.host_str().ok_or(FetchError::Refused)?;
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let local = host == LOCALHOST || literal.is_some_and(|ip| ip.is_loopback());
        let secure = match url.scheme() {
            "https" => true,
            "http" => self.loopback_http && local,
            _ => false,
        };
        let allowed = secure && literal.is_none_or(|ip| self.allows(host, ip));
        if allowed { Ok(url) } else { Err(FetchError::Refused) }
    }

    fn allows(&self, host: &str, ip: IpAddr) -> bool {
        // Nobody but this machine answers for its name.
        if host == LOCALHOST && !ip.is_loopback() {
            return false;
        }
        if self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            let reach = Reach { loopback: true, private: true, ..self.reach.clone() };
            return reach.allows(ip);
        }
        self.reach.allows(ip)
    }

    fn resolve(&self, host: &str) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
        let found = (self.lookup)(host)?;
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .filter(|ip| self.allows(host, *ip))
            .map(|ip| SocketAddr::new(ip, 0))
            .collect();
        if allowed.is_empty() {
            Err(Box::new(AddressRefused))
        } else {
            Ok(Box::new(allowed.into_iter()))
        }
    }
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

struct Resolver(Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        // The system's resolver blocks.
        let found = tokio::task::spawn_blocking(move || guard.resolve(name.as_str()));
        Box::pin(async move { found.await? })
    }
}

#[derive(Debug)]
struct AddressRefused;

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name has no allowed address")
    }
}

impl Error for AddressRefused {}

fn reason(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<AddressRefused>() {
            return FetchError::Refused;
        }
        cause = error.source();
    }
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Failed }
}

/// The settings of an [`HttpFetch`].
#[derive(Debug)]
#[must_use = "call `build` to get the client"]
pub struct HttpFetchBuilder {
    guard: Guard,
    connect: Duration,
    total: Duration,
    roots: Vec<Vec<u8>>,
    user_agent: String,
}

impl HttpFetchBuilder {
    /// Sets how long connecting and the whole request may take. Default 2 and 5 seconds; 100
    /// milliseconds to 60 seconds, in this order.
    pub const fn timeouts(mut self, connect: Duration, total: Duration) -> Self {
        (self.connect, self.total) = (connect, total);
        self
    }

    /// Allows `http` and `https` to this machine: `localhost`, `127.0.0.0/8`, `[::1]`.
    ///
    /// # Security
    ///
    /// Whoever chooses an address can then reach what listens on this machine only.
    pub const fn allow_loopback_http(mut self) -> Self {
        self.guard.loopback_http = true;
        self.guard.reach.loopback = true;
        self
    }

    /// Allows private networks: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`,
    /// `100.64.0.0/10`, `fc00::/7`, without the metadata services that lie there.
    ///
    /// # Security
    ///
    /// Whoever chooses an address can then reach the services of these networks (SSRF).
    pub const fn allow_private_networks(mut self) -> Self {
        self.guard.reach.private = true;
        self
    }

    /// Allows a network, of whatever kind: its first address and the length of its prefix.
    pub fn allow_network(mut self, network: IpAddr, prefix: u8) -> Self {
        self.guard.reach.networks.push((network, prefix));
        self
    }

    /// Allows this host to lie in a private network or on this machine. Over `https`, still.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.guard.hosts.push(host.into());
        self
    }

    /// Trusts certificates that these ones signed, in PEM, beside those the platform trusts.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Sets the header `user-agent`. Default: this crate and its version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Checks the settings and makes the client.
    ///
    /// # Errors
    ///
    /// [`SetupError::Certificate`], [`SetupError::Client`], [`SetupError::OutOfRange`] or
    /// [`SetupError::UserAgent`].
    pub fn build(self) -> Result<HttpFetch, SetupError> {
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_secs(60));
        if !(shortest..=self.total).contains(&self.connect) || self.total > longest {
            let range = "100 milliseconds <= connect <= total <= 60 seconds";
            return Err(SetupError::OutOfRange { setting: "timeouts", range });
        }
        let width = |network: &IpAddr| if network.is_ipv4() { 32 } else { 128 };
        if self.guard.reach.networks.iter().any(|(network, prefix)| *prefix > width(network)) {
            let range = "a prefix of at most 32 bits, or 128 for ipv6";
            return Err(SetupError::OutOfRange { setting: "allow_network", range });
        }
        let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if self.user_agent.is_empty() || !self.user_agent.bytes().all(visible) {
            return Err(SetupError::UserAgent);
        }
        let guard = Arc::new(self.guard);
        let mut client = Client::builder()
            .connect_timeout(self.connect)
            .timeout(self.total)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .user_agent(self.user_agent)
            .dns_resolver(Arc::new(Resolver(Arc::clone(&guard))));
        if !self.roots.is_empty() {
            client = client.tls_certs_merge(certificates(&self.roots)?);
        }
        let client = client.build().map_err(|_| SetupError::Client)?;
        Ok(HttpFetch { client, guard })
    }
}

fn certificates(pems: &[Vec<u8>]) -> Result<Vec<Certificate>, SetupError> {
    let mut all = Vec::new();
    for pem in pems {
        let found = Certificate::from_pem_bundle(pem).map_err(|_| SetupError::Certificate)?;
        if found.is_empty() {
            return Err(SetupError::Certificate);
        }
        all.extend(found);
    }
    Ok(all)
}

const LOCALHOST: &str = "localhost";

#[cfg(test)]
mod tests {
    use super::{AddressRefused, Guard, HttpFetch, Lookup};

    fn guard(lookup: Lookup) -> Guard {
        Guard { lookup, ..HttpFetch::builder().guard }
    }

    fn resolved(guard: &Guard, host: &str) -> Option<Vec<String>> {
        match guard.resolve(host) {
            Ok(found) => Some(found.map(|address| address.ip().to_string()).collect()),
            Err(error) => {
                assert!(error.is::<AddressRefused>());
                None
            }
        }
    }

    #[test]
    fn only_the_allowed_addresses_of_a_name_are_connected_to() {
        let mixed =
            guard(|_| Ok(["10.0.0.1", "1.1.1.1", "::1"].map(|ip| ip.parse().unwrap()).into()));
        assert_eq!(resolved(&mixed, "sso.example"), Some(vec!["1.1.1.1".to_owned()]));
    }

    #[test]
    fn a_name_with_private_addresses_only_is_refused_unless_it_is_allowed() {
        let mut private = guard(|_| Ok(vec!["10.0.0.1".parse().unwrap()]));
        assert_eq!(resolved(&private, "sso.internal"), None);
        private.hosts.push("SSO.internal".to_owned());
        assert_eq!(resolved(&private, "sso.internal"), Some(vec!["10.0.0.1".to_owned()]));
        assert_eq!(resolved(&private, "other.internal"), None);
    }

    #[test]
    fn an_allowed_name_still_does_not_reach_the_metadata_service() {
        let mut metadata = guard(|_| Ok(vec!["169.254.169.254".parse().unwrap()]));
        metadata.hosts.push("sso.internal".to_owned());
        assert_eq!(resolved(&metadata, "sso.internal"), None);
    }

    #[test]
    fn localhost_is_this_machine_whatever_a_resolver_says() {
        let mut lying = guard(|_| Ok(vec!["1.1.1.1".parse().unwrap()]));
        lying.reach.loopback = true;
        assert_eq!(resolved(&lying, "localhost"), None);
    }
}
