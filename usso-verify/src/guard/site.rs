//! From which page a browser sends a request.

use super::Guard;
use super::credential::{Head, Headers, Single};
use super::refusal::Refusal;

impl Guard {
    /// Refuses a request whose cookie another site made the browser send.
    ///
    /// # Security
    ///
    /// Cross-site request forgery, and hijacking of `WebSocket`s, which start with a GET. A request
    /// that says nothing about where it comes from is refused as well: browsers of today say it, and
    /// programs can send the token in `Authorization`.
    ///
    /// # Spec
    ///
    /// Fetch §3.2 (`Origin`), Fetch Metadata §2.3 (`Sec-Fetch-Site`).
    pub(super) fn check_site<H: Headers>(&self, head: &Head<'_, H>) -> Result<(), Refusal> {
        let harmless = matches!(head.method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
            && matches!(head.single("upgrade"), Single::Absent);
        if harmless || self.is_own_page(head) { Ok(()) } else { Err(Refusal::CrossSite) }
    }

    fn is_own_page<H: Headers>(&self, head: &Head<'_, H>) -> bool {
        let origin = match head.single("origin") {
            Single::Absent => None,
            Single::Once(origin) => Some(origin),
            Single::Repeated => return false,
        };
        if origin.is_some_and(|origin| self.is_listed(origin)) {
            return true;
        }
        match head.single("sec-fetch-site") {
            // `none`: the person at the browser did it, by the address bar or a bookmark.
            Single::Once(site) => matches!(site, b"same-origin" | b"none"),
            Single::Repeated => false,
            Single::Absent => origin.is_some_and(|origin| self.is_own(origin, head)),
        }
    }

    fn is_listed(&self, origin: &[u8]) -> bool {
        self.shared.origins.iter().any(|listed| listed.as_bytes() == origin)
    }

    /// A page cannot choose the `Host` that its browser sends to this service.
    fn is_own<H: Headers>(&self, origin: &[u8], head: &Head<'_, H>) -> bool {
        if let Some(public) = &self.shared.public_url {
            return public.origin.as_bytes() == origin;
        }
        let host = match (head.single("host"), head.authority) {
            (Single::Once(host), _) => host,
            (Single::Absent, Some(host)) => host.as_bytes(),
            _ => return false,
        };
        let own =
            [&b"https://"[..], b"http://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
        !host.is_empty() && own.is_some_and(|own| own.eq_ignore_ascii_case(host))
    }
}
