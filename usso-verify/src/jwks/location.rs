//! Where a set of keys is published.

use crate::setup::SetupError;

/// Where the keys of an issuer are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub(super) place: Place,
    pub(super) http: Http,
}

/// Where plain `http` may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Http {
    Nowhere,
    Loopback,
    Anywhere,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Issuer(String),
    Jwks(String),
}

impl Location {
    /// Finds the keys through the metadata of the issuer of this name.
    ///
    /// # Spec
    ///
    /// `OpenID` Connect Discovery 1.0 §4, RFC 8414 §3.
    #[must_use]
    pub fn issuer(name: impl Into<String>) -> Self {
        Self { place: Place::Issuer(name.into()), http: Http::Nowhere }
    }

    /// Names the address of the JWKS itself.
    #[must_use]
    pub fn jwks(url: impl Into<String>) -> Self {
        Self { place: Place::Jwks(url.into()), http: Http::Nowhere }
    }

    /// Allows `http` to `localhost`, `127.0.0.0/8` and `[::1]`.
    #[must_use]
    pub const fn allow_loopback_http(mut self) -> Self {
        self.http = Http::Loopback;
        self
    }

    /// Allows `http` to any host, for those who send the requests themselves.
    ///
    /// # Security
    ///
    /// Whoever sits between the service and the issuer chooses the keys, and so who is let in. Only
    /// for networks where nobody does, such as between the containers of one machine.
    #[must_use]
    pub const fn danger_allow_http(mut self) -> Self {
        self.http = Http::Anywhere;
        self
    }

    /// Gives the name or address it was made of.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let (Place::Issuer(text) | Place::Jwks(text)) = &self.place;
        text
    }

    /// Says whether keys may be fetched from `url`.
    pub(super) fn allows(&self, url: &str) -> bool {
        Url::parse(url).is_some_and(|url| match self.http {
            Http::Nowhere => url.is_secure(),
            Http::Loopback => url.is_secure() || url.is_local(),
            Http::Anywhere => true,
        })
    }

    pub(super) fn check(&self) -> Result<(), SetupError> {
        let allowed = self.allows(self.as_str());
        match &self.place {
            Place::Issuer(name) if !allowed || name.contains('?') => Err(SetupError::IssuerUrl),
            Place::Jwks(_) if !allowed => Err(SetupError::JwksUrl),
            _ => Ok(()),
        }
    }
}

/// The parts of an `http` or `https` URL. Stricter than URLs are: what a URL library would repair
/// is refused, so that nobody reads it differently.
pub(super) struct Url<'u> {
    scheme: &'u str,
    pub(super) authority: &'u str,
    pub(super) path: &'u str,
}

impl<'u> Url<'u> {
    pub(super) fn parse(url: &'u str) -> Option<Self> {
        let odd = |byte: u8| !byte.is_ascii_graphic() || b"\\#\"<>^`{|}".contains(&byte);
        if url.len() > MAX_URL || url.bytes().any(odd) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let sound = matches!(scheme, "https" | "http")
            && !authority.is_empty()
            && !authority.starts_with(':')
            && !authority.contains('@');
        sound.then_some(Self { scheme, authority, path })
    }

    /// Gives scheme and authority.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    fn is_local(&self) -> bool {
        let host = match self.authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => self.authority.split(':').next(),
        };
        let host = host.unwrap_or_default();
        let ip = host.parse::<std::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

const MAX_URL: usize = 2048;

#[cfg(test)]
mod tests {
    use super::{Location, SetupError};

    #[test]
    fn only_https_is_allowed() {
        let strict = Location::jwks("");
        for (url, allowed) in [
            ("https://sso.example", true),
            ("https://sso.example:8443/a/b?c=d", true),
            ("https://[2001:db8::1]/jwks", true),
            ("http://sso.example/jwks", false),
            ("http://localhost/jwks", false),
            ("HTTPS://sso.example", false),
            ("ftp://sso.example", false),
            ("//sso.example", false),
            ("https://", false),
            ("https:///jwks", false),
            ("https://:443/", false),
            ("https://user@sso.example/", false),
            ("https://sso.example/#x", false),
            ("https://sso.example\\@evil.example/", false),
            ("https://sso.example/ x", false),
            ("https://sso.exämple/", false),
            ("https://sso.example/\r\nx", false),
        ] {
            assert_eq!(strict.allows(url), allowed, "{url}");
        }
        assert!(!strict.allows(&format!("https://sso.example/{}", "a".repeat(2048))));
    }

    #[test]
    fn http_is_allowed_anywhere_if_that_is_asked_for() {
        let open = Location::jwks("").danger_allow_http();
        for (url, allowed) in [
            ("http://usso:8000/jwks", true),
            ("https://sso.example/jwks", true),
            ("ftp://usso/jwks", false),
            ("http://a@usso/jwks", false),
        ] {
            assert_eq!(open.allows(url), allowed, "{url}");
        }
    }

    #[test]
    fn http_is_allowed_on_loopback_if_asked_for() {
        let local = Location::jwks("").allow_loopback_http();
        for (url, allowed) in [
            ("http://localhost:8080/jwks", true),
            ("http://127.0.0.1:1/", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80/jwks", true),
            ("http://localhost.evil.example/", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://0.0.0.0/", false),
            ("http://10.0.0.1/", false),
            ("http://2130706433/", false),
            ("https://sso.example/", true),
        ] {
            assert_eq!(local.allows(url), allowed, "{url}");
        }
    }

    #[test]
    fn a_location_that_cannot_be_fetched_is_refused() {
        assert_eq!(Location::issuer("https://sso.example/t").check(), Ok(()));
        assert_eq!(Location::jwks("https://sso.example/j?t=1").check(), Ok(()));
        assert_eq!(Location::issuer("https://sso.example?t").check(), Err(SetupError::IssuerUrl));
        assert_eq!(Location::issuer("sso.example").check(), Err(SetupError::IssuerUrl));
        assert_eq!(Location::jwks("http://sso.example/j").check(), Err(SetupError::JwksUrl));
    }
}
