//! Who was verified, how and when: the value in which sign-in flows meet sessions.

use serde::{Deserialize, Serialize};

use super::{id::UserId, time::UnixTime};

/// How a person proved who they are, in the words of the `amr` claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// A memorised secret (NIST SP 800-63B section 3.1.1).
    Password,
}

impl Method {
    /// The value in the `amr` claim (RFC 8176 section 2).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
        }
    }
}

/// Evidence that a flow verified a user. Only flows make one, after the check succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub(crate) user: UserId,
    pub(crate) method: Method,
    pub(crate) at: UnixTime,
    /// The user's session epoch when the check began: a session opened from this proof dies with
    /// that epoch, so a password changed during a sign-in ends the session it leads to.
    pub(crate) epoch: u64,
}

impl Proof {
    /// Who was verified.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// How.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> UnixTime {
        self.at
    }
}
