//! Finding the JWKS of an issuer by its name.
//!
//! # Spec
//!
//! `OpenID` Connect Discovery 1.0 §4, RFC 8414 §3.

use serde_json::Value;

use super::location::{Location, Url};
use super::report::Failure;
use crate::fetch::Response;
use crate::json::{self, Limits};

/// Where a metadata document is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `openid-configuration` after the path of the issuer.
    OpenId,
    /// `oauth-authorization-server` before the path of the issuer. Asked second, when the issuer
    /// does not have the first.
    OAuth,
}

/// Builds the address of the metadata of `issuer`, which was checked before.
pub(super) fn address(issuer: &str, form: Form) -> String {
    // Both specifications drop a slash at the end.
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    match (form, Url::parse(issuer)) {
        (Form::OAuth, Some(url)) => {
            format!("{}/.well-known/oauth-authorization-server{}", url.origin(), url.path)
        }
        _ => format!("{issuer}/.well-known/openid-configuration"),
    }
}

/// Reads the address of the JWKS out of the metadata of the issuer at `location`.
///
/// # Security
///
/// `issuer` in the document is exactly the configured name, or one issuer could publish keys for
/// another (RFC 8414 §3.3). The keys may lie at another origin, but not without TLS.
pub(super) fn jwks_url(response: &Response, location: &Location) -> Result<String, Failure> {
    if response.status != 200 {
        return Err(Failure::Status(response.status));
    }
    let mut metadata =
        json::parse_object(&response.body, Limits::default()).map_err(Failure::Document)?;
    if metadata.get("issuer").and_then(Value::as_str) != Some(location.as_str()) {
        return Err(Failure::DiscoveryIssuer);
    }
    match json::take(&mut metadata, "jwks_uri") {
        Some(Value::String(url)) if location.allows(&url) => Ok(url),
        _ => Err(Failure::DiscoveryJwksUri),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, address};

    #[test]
    fn metadata_is_where_the_specifications_put_it() {
        for (issuer, openid, oauth) in [
            ("https://a.example", "https://a.example/.well-known/openid-configuration", ""),
            ("https://a.example/", "https://a.example/.well-known/openid-configuration", ""),
            (
                "https://a.example/t/1",
                "https://a.example/t/1/.well-known/openid-configuration",
                "/t/1",
            ),
            ("https://a.example/t/", "https://a.example/t/.well-known/openid-configuration", "/t"),
        ] {
            assert_eq!(address(issuer, Form::OpenId), openid);
            let expected =
                format!("https://a.example/.well-known/oauth-authorization-server{oauth}");
            assert_eq!(address(issuer, Form::OAuth), expected);
        }
    }
}
