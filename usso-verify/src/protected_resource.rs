//! What a protected resource publishes about itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::uri::{HttpUri, is_uri_byte};

/// The metadata of a protected resource, to serve as JSON at
/// [`well_known_url`](Self::well_known_url).
///
/// Members that are absent or empty are left out of the JSON. Reading one from JSON checks its
/// types only: a client compares `resource` with the address it asked for.
///
/// ```
/// # use usso_verify::ProtectedResource;
/// let mut resource = ProtectedResource::new("https://api.example/files")?;
/// resource.authorization_servers.push("https://sso.example".into());
/// resource.bearer_methods_supported.push("header".into());
/// assert_eq!(
///     resource.well_known_url()?,
///     "https://api.example/.well-known/oauth-protected-resource/files",
/// );
/// # Ok::<(), usso_verify::InvalidResource>(())
/// ```
///
/// # Security
///
/// Without comparing `resource`, a client could be made to ask for a token for one server and
/// send it to another (RFC 9728 §3.3, §7.3).
///
/// # Spec
///
/// RFC 9728 §2–3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProtectedResource {
    /// Identifier of the resource: an `https` address without fragment.
    pub resource: String,
    /// Issuers whose tokens are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// Address of the resource's own keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Scopes a client may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How a token may be sent: `header`, `body`, `query`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bearer_methods_supported: Vec<String>,
    /// Algorithms of signed responses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_signing_alg_values_supported: Vec<String>,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// Page for developers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
    /// Page on how a client may use the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_policy_uri: Option<String>,
    /// Page with the terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_tos_uri: Option<String>,
    /// Whether tokens may be bound to a TLS client certificate.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Types of `authorization_details`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types_supported: Vec<String>,
    /// Algorithms of DPoP proofs. Text, since other servers support others; see
    /// [`set_dpop_algorithms`](Self::set_dpop_algorithms).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether every token must be bound to a DPoP key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dpop_bound_access_tokens_required: bool,
}

impl ProtectedResource {
    /// Starts the metadata of a resource.
    ///
    /// # Errors
    ///
    /// [`InvalidResource`] if the identifier is not an absolute `https` address without fragment
    /// and userinfo. Plain `http` is allowed to `localhost`, `127.0.0.1` and `[::1]`.
    pub fn new(resource: impl Into<String>) -> Result<Self, InvalidResource> {
        let resource = resource.into();
        identifier(&resource)?;
        Ok(Self { resource, ..Self::default() })
    }

    /// Lists the algorithms of DPoP proofs.
    pub fn set_dpop_algorithms(&mut self, algorithms: &[Algorithm]) {
        let names = algorithms.iter().map(|algorithm| algorithm.as_str().to_owned());
        self.dpop_signing_alg_values_supported = names.collect();
    }

    /// Gives the address at which this metadata must be served: the well-known path goes between
    /// the host and the path of the identifier.
    ///
    /// # Errors
    ///
    /// [`InvalidResource`] if the identifier was changed to one that [`new`](Self::new) refuses.
    ///
    /// # Spec
    ///
    /// RFC 9728 §3.1.
    pub fn well_known_url(&self) -> Result<String, InvalidResource> {
        let uri = identifier(&self.resource)?;
        let rest = match uri.rest.strip_prefix('/') {
            Some(rest) if rest.is_empty() || rest.starts_with('?') => rest,
            _ => uri.rest,
        };
        Ok(format!("{}{WELL_KNOWN}{rest}", uri.origin))
    }
}

/// The identifier of a resource is not an absolute `https` address without fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvalidResource;

impl InvalidResource {
    /// Gives the stable public code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "protected_resource.invalid"
    }
}

impl fmt::Display for InvalidResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the resource is not an absolute `https` address without fragment")
    }
}

impl std::error::Error for InvalidResource {}

fn identifier(text: &str) -> Result<HttpUri<'_>, InvalidResource> {
    let sound = |uri: &HttpUri<'_>| uri.is_confidential() && uri.rest.bytes().all(is_uri_byte);
    let uri = HttpUri::parse(text).filter(sound).ok_or(InvalidResource)?;
    if uri.normalized().is_some() { Ok(uri) } else { Err(InvalidResource) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests {
    use super::{InvalidResource, ProtectedResource};
    use crate::Algorithm;
    use serde_json::json;

    #[test]
    fn the_well_known_path_is_put_between_host_and_path() {
        for (resource, url) in [
            ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example/r1", "https://a.example/.well-known/oauth-protected-resource/r1"),
            (
                "https://a.example/r/1/",
                "https://a.example/.well-known/oauth-protected-resource/r/1/",
            ),
            (
                "https://a.example?x=/y",
                "https://a.example/.well-known/oauth-protected-resource?x=/y",
            ),
            ("https://a.example/?x", "https://a.example/.well-known/oauth-protected-resource?x"),
            ("https://a.example//r", "https://a.example/.well-known/oauth-protected-resource//r"),
            ("https://a:8443/r?x", "https://a:8443/.well-known/oauth-protected-resource/r?x"),
            ("http://localhost:80/r", "http://localhost:80/.well-known/oauth-protected-resource/r"),
            ("http://[::1]/r", "http://[::1]/.well-known/oauth-protected-resource/r"),
        ] {
            let resource = ProtectedResource::new(resource).unwrap();
            assert_eq!(resource.well_known_url().as_deref(), Ok(url));
        }
    }

    #[test]
    fn an_identifier_that_is_not_confidential_or_not_an_address_is_refused() {
        for text in
            ["", "a.example", "http://a.example/", "http://localhost.evil.example/", "urn:a"]
                .into_iter()
                .chain([
                    "https://a/#f",
                    "https://u@a/",
                    "https://a/?\"",
                    "https://a/%zz",
                    "https://a/?\n",
                ])
        {
            assert_eq!(ProtectedResource::new(text), Err(InvalidResource), "{text:?}");
            let changed = ProtectedResource { resource: text.into(), ..Default::default() };
            assert_eq!(changed.well_known_url(), Err(InvalidResource), "{text:?}");
        }
        assert_eq!(InvalidResource.code(), "protected_resource.invalid");
    }

    #[test]
    fn absent_members_are_left_out() {
        let resource = ProtectedResource::new("https://a.example").unwrap();
        assert_eq!(
            serde_json::to_value(&resource).unwrap(),
            json!({"resource": "https://a.example"})
        );
    }

    #[test]
    fn the_document_survives_the_round_trip() {
        let document = json!({
            "resource": "https://a.example/r", "authorization_servers": ["https://sso.example"],
            "jwks_uri": "https://a.example/jwks", "scopes_supported": ["read:files"],
            "bearer_methods_supported": ["header"],
            "resource_signing_alg_values_supported": ["ES256"], "resource_name": "Files",
            "resource_documentation": "https://a.example/docs",
            "resource_policy_uri": "https://a.example/policy",
            "resource_tos_uri": "https://a.example/tos",
            "tls_client_certificate_bound_access_tokens": true,
            "authorization_details_types_supported": ["payment"],
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
            "dpop_bound_access_tokens_required": true,
        });
        let mut read: ProtectedResource = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), document);
        read.set_dpop_algorithms(&[Algorithm::EdDsa, Algorithm::Ps256]);
        assert_eq!(read.dpop_signing_alg_values_supported, ["EdDSA", "PS256"]);
    }
}
