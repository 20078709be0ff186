//! The answer to a request that was refused.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use usso_verify::guard::{Answer, Refusal};

/// The answer to a request that was refused: what extractors reject with.
///
/// A handler can return it: `caller.require("read", "files")?` becomes one. That has the usual form;
/// where the guard has other answers, use [`Auth::refuse`](super::Auth::refuse).
#[derive(Clone, Debug)]
pub struct Refused {
    answer: Box<Answer>,
}

impl Refused {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer: Box::new(answer) }
    }

    /// Gives what is going to be sent.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Self::new(Answer::plain(&refusal.into()))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Answer { status, code, headers, body, .. } = *self.answer;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in headers {
            // What cannot be sent, the app has put there.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            } else {
                tracing::error!(code, "a header of a refusal cannot be sent");
            }
        }
        response
    }
}
