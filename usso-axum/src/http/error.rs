//! How a refusal or fault looks from outside. The one place that turns a [`Stop`] into HTTP.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use usso_core::kernel::refusal::{Fault, Refusal, Stop};
use utoipa::ToSchema;

/// What [`Failure`] becomes: `{"error_code", "message": {"en"}, "detail"?, "request_id"}`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The stable code, `flow.problem`.
    error_code: &'static str,
    /// What to tell a person, by language.
    message: Message,
    /// Which field is meant, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Under which id the operator finds the request in the log.
    request_id: String,
}

#[derive(Serialize, ToSchema)]
struct Message {
    en: &'static str,
}

/// A refused or failed request.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    detail: Option<String>,
    retry_after: Option<Duration>,
    challenge: Challenge,
}

/// The `WWW-Authenticate` of a 401 (RFC 6750 section 3).
#[derive(Clone, Copy, Debug)]
enum Challenge {
    /// A token was sent and is not valid.
    InvalidToken,
    /// No token was sent.
    Missing,
    /// This is not about a bearer token.
    None,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, detail: None, retry_after: None, challenge: Challenge::None }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn missing_token() -> Self {
        let message = "Sign in: this needs an access token.";
        let failure = Self::new(StatusCode::UNAUTHORIZED, "access.token_missing", message);
        Self { challenge: Challenge::Missing, ..failure }
    }

    pub(crate) fn bad_authorization() -> Self {
        let message = "The Authorization header must be one \"Bearer\" and one token.";
        Self::new(StatusCode::BAD_REQUEST, "access.authorization_malformed", message)
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side.",
        )
    }

    pub(crate) fn unknown_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "request.unknown_route",
            "There is nothing at this address.",
        )
    }

    pub(crate) fn wrong_method() -> Self {
        let message = "This address does not answer to this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "request.wrong_method", message)
    }

    pub(crate) fn timeout() -> Self {
        let message = "The request took too long.";
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "request.timeout", message);
        Self { retry_after: Some(Duration::from_secs(1)), ..failure }
    }

    /// A refusal of an access token.
    pub(crate) fn of_token(refusal: &impl Refusal) -> Self {
        let failure = Self::refused(refusal);
        let challenge =
            if refusal.status() == 401 { Challenge::InvalidToken } else { Challenge::None };
        Self { challenge, ..failure }
    }

    pub(crate) fn refused(refusal: &impl Refusal) -> Self {
        Self {
            status: StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST),
            code: refusal.code(),
            message: refusal.message(),
            detail: None,
            retry_after: refusal.retry_after(),
            challenge: Challenge::None,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The body; the request id is known only to the layer around all routes.
    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let message = Message { en: self.message };
        let body = ErrorBody {
            error_code: self.code,
            message,
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        tracing::error!(%fault, "a port failed");
        let message = match fault.code() {
            "store.full" => "The database has no room left.",
            "store.read_only" => "The database cannot be written to.",
            _ => "The service is not available right now.",
        };
        let status =
            StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after =
            (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(5));
        Self { retry_after, ..Self::new(status, fault.code(), message) }
    }
}

impl<R: Refusal> From<Stop<R>> for Failure {
    fn from(stop: Stop<R>) -> Self {
        match stop {
            Stop::Refused(refused) => Self::refused(&refused),
            Stop::Fault(fault) => fault.into(),
        }
    }
}

impl IntoResponse for Failure {
    /// Status and headers; [`observe`](super::observe::observe) adds the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: at the end of them trying again helps.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        let challenge = match self.challenge {
            Challenge::InvalidToken => Some("Bearer error=\"invalid_token\""),
            Challenge::Missing => Some("Bearer"),
            Challenge::None => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}
