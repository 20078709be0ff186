//! A refusal as every language shows it.

use std::fmt;

use serde::Serialize;

use crate::access::Denied;
use crate::challenge::Challenge;
use crate::error::VerifyError;
use crate::guard;

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong, in English.
    pub message: String,
    /// The HTTP status to answer with.
    pub status: u16,
    /// The value of `WWW-Authenticate`, if there is a challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// What it is to a guard; none for a configuration or a call.
    #[serde(skip)]
    pub(super) cause: Option<guard::Refusal>,
}

impl Refusal {
    /// A configuration that cannot be used; the message names the field.
    pub(super) fn config(message: impl fmt::Display) -> Self {
        Self::of_program("config.invalid", &message)
    }

    /// A call that makes no sense.
    #[must_use]
    pub fn call(message: impl fmt::Display) -> Self {
        Self::of_program("call.invalid", &message)
    }

    fn of_program(code: &'static str, message: &dyn fmt::Display) -> Self {
        Self { code, message: message.to_string(), status: 500, challenge: None, cause: None }
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        let challenge = error.challenge();
        Self {
            code: error.code(),
            message: error.to_string(),
            status: error.status(),
            challenge: challenge.and_then(|challenge| challenge.value().ok()),
            cause: Some(guard::Refusal::Token(error)),
        }
    }
}

impl From<&Denied> for Refusal {
    fn from(denied: &Denied) -> Self {
        let challenge: Challenge = denied.challenge();
        Self {
            code: denied.code(),
            message: denied.to_string(),
            status: denied.status(),
            challenge: challenge.value().ok(),
            cause: Some(guard::Refusal::Denied(denied.clone())),
        }
    }
}

impl From<guard::Refusal> for Refusal {
    fn from(refusal: guard::Refusal) -> Self {
        let answer = guard::Answer::plain(&refusal);
        let challenge = answer.headers.into_iter().find(|(name, _)| *name == "www-authenticate");
        Self {
            code: refusal.code(),
            message: refusal.to_string(),
            status: refusal.status(),
            challenge: challenge.map(|(_, value)| value),
            cause: Some(refusal),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
