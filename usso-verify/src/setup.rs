//! Why something that talks to the network was not built.

use std::fmt;

/// Why a client or a key source was not built. The text names the setting and the fix.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SetupError {
    /// The root certificate is not PEM, or holds no certificate.
    Certificate,
    /// The platform has no usable TLS configuration.
    Client,
    /// The issuer's name is not an `https` URL without query and fragment.
    IssuerUrl,
    /// The address of the JWKS is not an `https` URL without fragment.
    JwksUrl,
    /// The named setting is outside its range.
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The user agent cannot be sent in a header.
    UserAgent,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "`root_certificate` is not a PEM certificate; give its text",
            Self::Client => "there is no usable tls configuration; give a `root_certificate`",
            Self::IssuerUrl => {
                "the issuer is not an https url without query and fragment; give its `iss` value, \
                 and for http on this machine also `allow_loopback_http`"
            }
            Self::JwksUrl => "the jwks address is not an https url; correct it, or for http on this machine call \
                 `allow_loopback_http`",
            Self::OutOfRange { setting, range } => {
                return write!(f, "`{setting}` is out of range; choose {range}");
            }
            Self::UserAgent => "`user_agent` cannot be a header; use visible ascii",
        })
    }
}

/// As it is displayed: a `main` that returns it prints this.
impl fmt::Debug for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SetupError {}
