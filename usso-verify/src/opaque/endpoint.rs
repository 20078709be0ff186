//! Addresses that credentials may be sent to.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::ConfigError;

/// Checks the address of an endpoint.
///
/// Anything that two readers of URLs could take for different hosts is refused: user information,
/// backslashes, characters that would have to be escaped.
pub(super) fn check(url: &str) -> Result<(), ConfigError> {
    let sound = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => host(rest).is_some(),
        (None, Some(rest)) => host(rest).is_some_and(is_loopback),
        (None, None) => false,
    };
    if sound { Ok(()) } else { Err(ConfigError::Endpoint) }
}

/// Checks the address of an endpoint that is asked without encryption.
pub(super) fn check_http(url: &str) -> Result<(), ConfigError> {
    let sound = url.strip_prefix("http://").is_some_and(|rest| host(rest).is_some());
    if sound { Ok(()) } else { Err(ConfigError::Endpoint) }
}

/// Gives the host of what follows the scheme.
fn host(rest: &str) -> Option<&str> {
    if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte)) {
        return None;
    }
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_is_sound =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (port_is_sound && !host.is_empty() && !host.contains(['@', '[', ']', '%'])).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn https_everywhere_and_http_on_loopback_are_fine() {
        for url in [
            "https://sso.example/introspect",
            "https://sso.example",
            "https://sso.example:8443/a/b?tenant=1&x=%20",
            "https://[2001:db8::1]:443/x",
            "http://localhost:8080/x",
            "http://127.0.0.1/x",
            "http://127.9.9.9:1?x",
            "http://[::1]:80/x",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn every_other_address_is_refused() {
        for url in [
            "",
            "sso.example",
            "//sso.example",
            "ftp://sso.example",
            "HTTPS://sso.example",
            "https://",
            "https:///x",
            "https://?x",
            "https://:443/x",
            "https://user@sso.example/x",
            "https://user:password@sso.example/x",
            "https://sso.example\\@evil.example/x",
            "https://sso.example/x#fragment",
            "https://sso.example/a b",
            "https://sso.example/x\r\nhost: evil",
            "https://sso.éxample/x",
            "https://sso.example:port/x",
            "https://sso.example:99999/x",
            "https://sso.example:1:2/x",
            "https://[::1/x",
            "https://[::1]evil.example/x",
            "https://sso%2eexample/x",
            "http://sso.example/x",
            "http://localhost.evil.example/x",
            "http://127.0.0.1.evil.example/x",
            "http://127.1/x",
            "http://10.0.0.1/x",
            "http://localhost@evil.example/x",
            "http://[2001:db8::1]/x",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
