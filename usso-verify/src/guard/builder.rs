//! The settings of a guard.

use std::fmt;
use std::sync::Arc;

use super::answer::{Answer, REALM};
use super::refusal::Refusal;
use super::{Authority, Guard, PublicUrl, Shared};
use crate::challenge::Challenge;
use crate::uri::HttpUri;

/// Changes how refusals look.
pub(super) type Answers = Arc<dyn Fn(&Refusal, &mut Answer) + Send + Sync>;

/// Configures a [`Guard`].
#[must_use]
pub struct GuardBuilder {
    shared: Shared,
    public_url: Option<String>,
}

impl GuardBuilder {
    pub(super) fn new(authority: Authority) -> Self {
        let shared = Shared {
            authority,
            token_header: None,
            api_key_header: "x-api-key".to_owned(),
            cookie: None,
            origins: Vec::new(),
            public_url: None,
            realm: REALM.to_owned(),
            resource_metadata: None,
            answers: None,
            grpc: false,
        };
        Self { shared, public_url: None }
    }

    pub(super) fn finish(self) -> Guard {
        Guard { shared: Arc::new(self.shared) }
    }

    /// Takes the token from this header in place of `Authorization`; the value is the token alone, as
    /// proxies that sign people in send it. Default none.
    ///
    /// # Security
    ///
    /// A proxy that sets it must take away what the client sent under that name.
    pub fn token_header(mut self, name: &str) -> Self {
        self.shared.token_header = Some(name.to_ascii_lowercase());
        self
    }

    /// Takes API keys from this header; default `x-api-key`.
    pub fn api_key_header(mut self, name: &str) -> Self {
        self.shared.api_key_header = name.to_ascii_lowercase();
        self
    }

    /// Takes the token from this cookie as well; default from none. USSO names it
    /// `usso-access-token`.
    ///
    /// # Security
    ///
    /// Set it with `HttpOnly`, `Secure` and `SameSite=Lax` or stricter, best under a name that starts
    /// with `__Host-`. Set [`public_url`](Self::public_url) as well: without it the pages of an old
    /// browser, which sends no `Sec-Fetch-Site`, are known by the host alone, not by `https`.
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.shared.cookie = Some(name.into());
        self
    }

    /// Lets pages of another origin, such as `https://app.example`, use the cookie for what changes
    /// something; default only the service's own pages.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.shared.origins.push(origin.into());
        self
    }

    /// Says where clients reach the service, such as `https://api.example` or, behind a proxy that
    /// cuts off a part of the path, `https://example.com/api`. With it `DPoP` is taken.
    ///
    /// # Spec
    ///
    /// RFC 9449 §4.2 (`htu`).
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Names the protection space in challenges; default `api`.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.shared.realm = realm.into();
        self
    }

    /// Says in challenges where the metadata of the service is, see
    /// [`ProtectedResource`](crate::ProtectedResource); default nothing.
    ///
    /// # Spec
    ///
    /// RFC 9728 §5.1.
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.shared.resource_metadata = Some(url.into());
        self
    }

    /// Answers requests whose `Content-Type` is one of gRPC in the form of gRPC: status 200, and what
    /// happened in `grpc-status` and `grpc-message`. Default is HTTP's status, which clients of gRPC
    /// understand as well.
    ///
    /// # Security
    ///
    /// Only for services of gRPC: where something in front reads the status to learn whether a
    /// request is good (forward authentication), a client could make every refusal look good.
    pub fn grpc(mut self) -> Self {
        self.shared.grpc = true;
        self
    }

    /// Changes how refusals look, for example to the form of the app's own errors.
    pub fn answers(
        mut self,
        change: impl Fn(&Refusal, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        self.shared.answers = Some(Arc::new(change));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`InvalidGuard`], every variant.
    pub fn build(mut self) -> Result<Guard, InvalidGuard> {
        let shared = &mut self.shared;
        let taken = ["authorization", "cookie", "dpop", "host", "origin"];
        for name in shared.token_header.iter().chain([&shared.api_key_header]) {
            if !is_token(name) || taken.contains(&name.as_str()) {
                return Err(InvalidGuard::Header(name.clone()));
            }
        }
        if shared.token_header.as_ref() == Some(&shared.api_key_header) {
            return Err(InvalidGuard::Header(shared.api_key_header.clone()));
        }
        if let Some(name) = &shared.cookie
            && !is_token(name)
        {
            return Err(InvalidGuard::Cookie(name.clone()));
        }
        if !shared.origins.is_empty() && shared.cookie.is_none() {
            return Err(InvalidGuard::OriginWithoutCookie);
        }
        if let Some(bad) = shared.origins.iter().find(|origin| !is_origin(origin)) {
            return Err(InvalidGuard::Origin(bad.clone()));
        }
        if let Some(url) = self.public_url {
            shared.public_url = Some(PublicUrl::read(url)?);
        }
        Challenge::bearer().realm(&*shared.realm).value().map_err(|_| InvalidGuard::Realm)?;
        if let Some(url) = &shared.resource_metadata {
            let challenge = Challenge::bearer().resource_metadata(url).value();
            challenge.map_err(|_| InvalidGuard::ResourceMetadata(url.clone()))?;
        }
        Ok(Guard { shared: Arc::new(self.shared) })
    }
}

impl PublicUrl {
    fn read(url: String) -> Result<Self, InvalidGuard> {
        match HttpUri::parse(&url) {
            Some(uri) if !url.contains(['?', '#']) => {
                let base = url.trim_end_matches('/').to_owned();
                // As browsers write it.
                let origin = HttpUri::parse(uri.origin).and_then(|origin| origin.normalized());
                let origin = origin.unwrap_or_default().trim_end_matches('/').to_owned();
                Ok(Self { base, origin })
            }
            _ => Err(InvalidGuard::PublicUrl(url)),
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(sound)
}

/// As browsers write it: in lower case, without a path, without the port that the scheme has anyway.
fn is_origin(origin: &str) -> bool {
    let normal = HttpUri::parse(origin).and_then(|uri| uri.normalized());
    // A star is a character that names may have, but who writes one means many origins.
    normal.is_some_and(|normal| normal.strip_suffix('/') == Some(origin)) && !origin.contains('*')
}

/// Why a guard was not built. The text names the setting and the fix.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidGuard {
    /// The name of the cookie is empty or has a character that names of cookies have not.
    Cookie(String),
    /// The name of a header for tokens or keys is not one, means something else already, or is given
    /// twice.
    Header(String),
    /// An allowed origin is not one as browsers write it.
    Origin(String),
    /// Origins are allowed to use a cookie that is not taken.
    OriginWithoutCookie,
    /// The public address is not an absolute `http` or `https` URL without query and fragment.
    PublicUrl(String),
    /// The realm is empty or has a character that cannot be sent.
    Realm,
    /// The address of the metadata is not an absolute `http` or `https` URL.
    ResourceMetadata(String),
}

impl fmt::Display for InvalidGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cookie(name) => write!(f, "`cookie` {name:?} is not the name of a cookie"),
            Self::Header(name) => {
                write!(f, "{name:?} is not a header that can carry a token or a key")
            }
            Self::Origin(origin) => write!(
                f,
                "`allow_origin` {origin:?}: write scheme and host, as in `https://app.example`"
            ),
            Self::OriginWithoutCookie => {
                f.write_str("`allow_origin` is for cookies; call `cookie`, or leave it out")
            }
            Self::PublicUrl(url) => write!(
                f,
                "`public_url` {url:?}: write the address of the service without query and fragment"
            ),
            Self::Realm => f.write_str("`realm` has a character that cannot be sent"),
            Self::ResourceMetadata(url) => {
                write!(f, "`resource_metadata` {url:?} is not an absolute url")
            }
        }
    }
}

/// As it is displayed: a `main` that returns it prints this.
impl fmt::Debug for InvalidGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InvalidGuard {}
