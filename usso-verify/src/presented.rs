//! What a caller presents: a token, and what came with it.

use std::fmt;

use crate::certificate::Thumbprint;
use crate::key::VerifyingKey;
use crate::opaque::Origin;

/// A token and what its request adds to it.
///
/// A `&str` is a token sent as `Authorization: Bearer`, with nothing else to check.
#[derive(Clone, Copy)]
#[must_use = "give it to a verifier"]
pub struct Presented<'t> {
    pub(crate) token: &'t str,
    /// Where in the request it came from.
    pub(crate) origin: Origin,
    pub(crate) tenant: Option<&'t str>,
    pub(crate) nonce: Option<&'t str>,
    pub(crate) certificate: Option<&'t Thumbprint>,
    pub(crate) dpop: Option<Proven<'t>>,
    pub(crate) signatures: Signatures<'t>,
}

/// What the platform said of signatures that it was asked about, and how it is asked if it answers at
/// once.
#[derive(Clone, Copy, Default)]
pub(crate) struct Signatures<'t> {
    pub(crate) token: Option<Signature<'t>>,
    pub(crate) proof: Option<Signature<'t>>,
    pub(crate) at_once: Option<&'t Platform>,
}

/// Cryptography of the platform: says whether the signature, the last argument, of the message is
/// that of the key; `None` if it cannot tell at once.
pub type Platform = dyn Fn(&VerifyingKey, &[u8], &[u8]) -> Option<bool> + Sync;

impl Signatures<'_> {
    /// Says whether a signature is good, by what was `said` of it or else by whose part it is; `None`
    /// if the platform must be asked.
    pub(crate) fn judge(
        &self,
        said: Option<Signature<'_>>,
        key: &VerifyingKey,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        if let Some(said) = said
            && said.thumbprint == key.thumbprint()
        {
            return Some(said.good);
        }
        if !key.is_platform() {
            return Some(key.verify(message, signature));
        }
        if !key.can_be(signature) {
            return Some(false);
        }
        self.at_once.and_then(|ask| ask(key, message, signature))
    }
}

/// Whether a signature is that of the key with this thumbprint.
#[derive(Clone, Copy)]
pub(crate) struct Signature<'t> {
    pub(crate) thumbprint: &'t str,
    pub(crate) good: bool,
}

/// A `DPoP` proof and the request it is for.
#[derive(Clone, Copy)]
pub(crate) struct Proven<'t> {
    pub(crate) proof: &'t str,
    pub(crate) method: &'t str,
    pub(crate) uri: &'t str,
}

impl<'t> Presented<'t> {
    /// A token without `Bearer`, sent with nothing that vouches for its sender.
    pub const fn bearer(token: &'t str) -> Self {
        Self {
            token,
            origin: Origin::Bearer,
            tenant: None,
            nonce: None,
            certificate: None,
            dpop: None,
            signatures: Signatures { token: None, proof: None, at_once: None },
        }
    }

    /// The value of the header that is for API keys only, `x-api-key`. It is never read as a token.
    pub const fn api_key(key: &'t str) -> Self {
        Self { origin: Origin::KeyHeader, ..Self::bearer(key) }
    }

    /// A token sent as `Authorization: DPoP`, with the value of the request's only `DPoP` header
    /// ([`dpop::only_header`](crate::dpop::only_header)), its method and its public address.
    ///
    /// A token that is not bound to a key is refused when it is sent this way.
    ///
    /// # Security
    ///
    /// Build `uri` from the service's own public address: a host that the client can choose makes
    /// the proof worthless.
    ///
    /// # Spec
    ///
    /// RFC 9449 §7.1.
    pub const fn dpop(token: &'t str, proof: &'t str, method: &'t str, uri: &'t str) -> Self {
        Self { dpop: Some(Proven { proof, method, uri }), ..Self::bearer(token) }
    }

    /// Adds the sender's TLS certificate.
    ///
    /// # Security
    ///
    /// It must come from the TLS connection itself, or from a proxy that overwrites whatever header
    /// it sends it in.
    ///
    /// # Spec
    ///
    /// RFC 8705 §3.
    pub const fn certificate(mut self, certificate: &'t Thumbprint) -> Self {
        self.certificate = Some(certificate);
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

impl<'t> Presented<'t> {
    /// Gives the token, of which nothing is known yet.
    #[must_use]
    pub const fn token(&self) -> &'t str {
        self.token
    }
}

impl Presented<'_> {
    /// Says whether this cannot be a signed token, which has three segments.
    pub(crate) fn is_opaque(&self) -> bool {
        self.origin == Origin::KeyHeader || !self.is_signed()
    }

    /// Says whether somebody sends a signed token as a key: it is none, and goes nowhere.
    pub(crate) fn is_signed_key(&self) -> bool {
        self.origin == Origin::KeyHeader && self.is_signed()
    }

    fn is_signed(&self) -> bool {
        self.token.bytes().filter(|&byte| byte == b'.').take(3).count() == 2
    }
}

impl<'t> Presented<'t> {
    /// Has the platform verify the signatures that are its part; see
    /// [`VerifyingKey::is_platform`].
    pub const fn platform(mut self, ask: &'t Platform) -> Self {
        self.signatures.at_once = Some(ask);
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
