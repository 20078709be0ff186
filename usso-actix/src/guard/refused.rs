//! The answer to a request that was refused.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, Responder, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
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

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.answer.code)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let body = BoxBody::new(self.answer.body.clone());
        let mut response = HttpResponse::with_body(self.status_code(), body);
        for (name, value) in &self.answer.headers {
            // What cannot be sent, the app has put there.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(*name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            } else {
                tracing::error!(code = self.answer.code, "a header of a refusal cannot be sent");
            }
        }
        response
    }
}

impl Responder for Refused {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}
