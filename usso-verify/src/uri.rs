//! Web addresses compared the way RFC 3986 says, and taken apart no further than that needs.
//!
//! A parser for browsers is the wrong tool here: it repairs what it reads (drops tabs, turns `\`
//! into `/`), keeps two spellings of one path apart (`%7E` and `~`) and brings IDNA tables along.
//! This one refuses what RFC 3986 does not allow.

use std::net::Ipv6Addr;

/// An absolute `http` or `https` URI without userinfo.
pub(crate) struct HttpUri<'u> {
    https: bool,
    host: String,
    port: u16,
    path: &'u str,
    /// Scheme, host and port as they were written.
    pub(crate) origin: &'u str,
    /// Path, query and fragment as they were written.
    pub(crate) rest: &'u str,
}

impl<'u> HttpUri<'u> {
    /// Reads a URI of at most 8 KiB. Query and fragment are not looked at.
    ///
    /// `None` also for what no sender has to write: userinfo, a percent-encoded host, a character
    /// that RFC 3986 §2 wants encoded.
    pub(crate) fn parse(text: &'u str) -> Option<Self> {
        if text.len() > MAX_URI {
            return None;
        }
        let (scheme, after) = text.split_once("://")?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let origin = text.get(..text.len() - rest.len())?;
        let path = rest.find(['?', '#']).map_or(Some(rest), |end| rest.get(..end))?;
        let (host, port) = split_port(authority)?;
        let port = match port {
            "" if https => 443,
            "" => 80,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        let sound = path.bytes().all(is_path_byte);
        sound.then_some(Self { https, host: canonical_host(host)?, port, path, origin, rest })
    }

    /// Gives the one spelling of scheme, host, port and path.
    ///
    /// # Spec
    ///
    /// RFC 3986 §6.2.2 (case, percent-encoding, dot segments) and §6.2.3 (default port, empty
    /// path).
    pub(crate) fn normalized(&self) -> Option<String> {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        let port = if self.port == default { String::new() } else { format!(":{}", self.port) };
        let path = without_dots(&canonical_escapes(self.path)?);
        Some(format!("{scheme}://{}{port}{path}", self.host))
    }

    /// Says whether this is `https`, or plain `http` to the same machine.
    pub(crate) fn is_confidential(&self) -> bool {
        self.https || matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }
}

fn split_port(authority: &str) -> Option<(&str, &str)> {
    let name_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let tail = authority.get(name_end..)?;
    match tail.find(':') {
        Some(colon) => Some((authority.get(..name_end + colon)?, tail.get(colon + 1..)?)),
        None => Some((authority, "")),
    }
}

fn canonical_host(host: &str) -> Option<String> {
    if let Some(literal) = host.strip_prefix('[') {
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let sound = !host.is_empty() && host.bytes().all(|byte| is_unreserved(byte) || is_sub(byte));
    sound.then(|| host.to_ascii_lowercase())
}

/// Decodes escapes of unreserved characters and writes the others in upper case (RFC 3986
/// §6.2.2.1–6.2.2.2); `None` for a `%` that starts no escape.
fn canonical_escapes(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut canonical = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, tail) = piece.split_at_checked(2)?;
        let byte = hex_byte(digits)?;
        if is_unreserved(byte) {
            canonical.push(char::from(byte));
        } else {
            canonical.push('%');
            canonical.push_str(&digits.to_ascii_uppercase());
        }
        canonical.push_str(tail);
    }
    Some(canonical)
}

/// RFC 3986 §5.2.4, for a path that is empty or begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if open || kept.is_empty() {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// Reads two hexadecimal digits.
pub(crate) fn hex_byte(digits: &str) -> Option<u8> {
    let sound = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// Says whether a byte may be in a path, a query or a fragment, escapes included (RFC 3986 §3.3).
pub(crate) fn is_uri_byte(byte: u8) -> bool {
    is_path_byte(byte) || byte == b'?'
}

fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || is_sub(byte) || matches!(byte, b':' | b'@' | b'/' | b'%')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_sub(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
}

const MAX_URI: usize = 8192;

#[cfg(test)]
mod tests {
    use super::HttpUri;
    use proptest::prelude::*;

    fn normalized(text: &str) -> Option<String> {
        HttpUri::parse(text)?.normalized()
    }

    #[test]
    fn two_spellings_of_one_address_are_equal() {
        for (one, other) in [
            ("https://api.example/a", "HTTPS://API.Example/a"),
            ("https://api.example/a", "https://api.example:443/a"),
            ("https://api.example/a", "https://api.example:/a"),
            ("https://api.example:8443/a", "https://api.example:08443/a"),
            ("http://api.example/a", "http://api.example:80/a"),
            ("https://api.example", "https://api.example/"),
            ("https://api.example?q", "https://api.example/"),
            ("https://api.example#f", "https://api.example/?q#f"),
            ("https://api.example/a?x=1&y=/%zz|", "https://api.example/a#top"),
            ("https://api.example/~u/%41%7e%2D", "https://api.example/%7Eu/A~-"),
            ("https://api.example/%c3%a9", "https://api.example/%C3%A9"),
            ("https://api.example/a/./b", "https://api.example/a/b"),
            ("https://api.example/a/x/../b", "https://api.example/a/b"),
            ("https://api.example/a/%2e%2E/b", "https://api.example/b"),
            ("https://api.example/../..", "https://api.example/"),
            ("https://api.example/a/b/..", "https://api.example/a/"),
            ("https://api.example/a/.", "https://api.example/a/"),
            ("https://[::1]/a", "https://[0:0:0:0:0:0:0:1]:443/a"),
            ("https://[2001:DB8::A]/a", "https://[2001:db8::a]/a"),
        ] {
            assert!(normalized(one).is_some(), "{one}");
            assert_eq!(normalized(one), normalized(other), "{one} {other}");
        }
    }

    #[test]
    fn different_addresses_stay_different() {
        for (one, other) in [
            ("https://api.example/a", "http://api.example/a"),
            ("https://api.example/a", "https://api.example:80/a"),
            ("http://api.example/a", "http://api.example:443/a"),
            ("https://api.example/a", "https://api.example/A"),
            ("https://api.example/a", "https://api.example/a/"),
            ("https://api.example/a/b", "https://api.example/a//b"),
            ("https://api.example/a/b", "https://api.example/a%2Fb"),
            ("https://api.example/a;x", "https://api.example/a%3Bx"),
            ("https://api.example/a", "https://api.example./a"),
            ("https://api.example/a", "https://xapi.example/a"),
            ("https://api.example/a...", "https://api.example/a"),
        ] {
            assert!(normalized(one).is_some() && normalized(other).is_some(), "{one} {other}");
            assert_ne!(normalized(one), normalized(other), "{one} {other}");
        }
    }

    #[test]
    fn what_rfc_3986_or_http_does_not_allow_is_refused() {
        for text in ["", "/a", "//api.example/a", "api.example/a", "ftp://api.example/", "https:/a"]
            .into_iter()
            .chain(["https://", "https:///a", "https://:443/a", "https://u@api.example/", " "])
            .chain(["https://u:p@api.example/", "https://api.example@evil.example/", "https://@a/"])
            .chain(["https://api.example:65536/", "https://api.example:+80/", "https://a:8o/"])
            .chain(["https://a:80:80/", "https://[::1/", "https://[::1]x/", "https://[zz]/"])
            .chain(["https://a%41/", "https://ä.example/", "https://a/ä", "https://a/b c"])
            .chain([
                "https://a/%",
                "https://a/%4",
                "https://a/%zz",
                "https://a/%+1",
                "https://a\\b/",
            ])
            .chain([
                "https://a/\\b",
                "https://a/\tb",
                "https://a/b\n",
                "https://a/\"b\"",
                "https://a/<b>",
            ])
            .chain([
                "\u{feff}https://a/",
                " https://a/",
                "https://a /",
                "https://a/[b]",
                "https://a/%é1",
            ])
        {
            assert_eq!(normalized(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_address_over_8_kib_is_refused() {
        let long = |bytes| format!("https://a/{}", "b".repeat(bytes - "https://a/".len()));
        assert!(normalized(&long(8192)).is_some());
        assert!(normalized(&long(8193)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_without_panic(text in ".*", host in "[^/?#]{0,9}", path in ".{0,20}") {
            let _ = normalized(&text);
            let _ = normalized(&format!("https://{host}/{path}"));
        }

        #[test]
        fn a_normal_form_is_its_own_normal_form(path in "(/(\\.{0,3}|%2[eEfF]|%7e|[a-c]){0,3}){0,6}") {
            let once = normalized(&format!("https://a{path}")).unwrap();
            prop_assert_eq!(normalized(&once), Some(once.clone()));
        }
    }
}
