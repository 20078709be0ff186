//! What a caller presents: a token, and what came with it.

use std::fmt;

/// A token and what its request adds to it.
///
/// A `&str` is a token sent as `Authorization: Bearer`, with nothing else to check.
#[derive(Clone, Copy)]
#[must_use = "give it to a verifier"]
pub struct Presented<'t> {
    pub(crate) token: &'t str,
    pub(crate) tenant: Option<&'t str>,
    pub(crate) nonce: Option<&'t str>,
    pub(crate) sender: Sender<'t>,
}

/// What vouches for the sender.
#[derive(Clone, Copy)]
pub(crate) enum Sender<'t> {
    /// The token alone.
    Bearer,
    /// The thumbprint of a TLS certificate that the sender holds.
    Certificate(&'t str),
}

impl<'t> Presented<'t> {
    /// A token without `Bearer`, sent with nothing that vouches for its sender.
    pub const fn bearer(token: &'t str) -> Self {
        Self { token, tenant: None, nonce: None, sender: Sender::Bearer }
    }

    /// Adds the sender's TLS certificate, by its thumbprint (SHA-256 in base64url).
    ///
    /// # Security
    ///
    /// The thumbprint must come from the TLS connection itself or from a proxy that overwrites
    /// whatever header it sends it in.
    ///
    /// # Spec
    ///
    /// RFC 8705 §3.
    pub const fn certificate(mut self, thumbprint: &'t str) -> Self {
        self.sender = Sender::Certificate(thumbprint);
        self
    }

    /// Requires that the claim `tenant_id` is this tenant, for example the one whose host was called.
    pub const fn tenant(mut self, tenant: &'t str) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Requires that the claim `nonce` is the one that was sent with the sign-in request.
    ///
    /// # Security
    ///
    /// Keeps an ID token that was caught elsewhere from being injected. Use each nonce once.
    ///
    /// # Spec
    ///
    /// `OpenID` Connect Core 1.0 §3.1.3.7 step 11.
    pub const fn nonce(mut self, nonce: &'t str) -> Self {
        self.nonce = Some(nonce);
        self
    }
}

impl<'t> From<&'t str> for Presented<'t> {
    fn from(token: &'t str) -> Self {
        Self::bearer(token)
    }
}

impl<'t> From<&'t String> for Presented<'t> {
    fn from(token: &'t String) -> Self {
        Self::bearer(token)
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").finish_non_exhaustive()
    }
}
