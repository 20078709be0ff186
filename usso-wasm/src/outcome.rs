//! What a verification comes to, as JavaScript is told.

use serde_json::{Value, json};
use usso_verify::call::{self, Refusal, Signed};
use usso_verify::{Request, guard};
use wasm_bindgen::prelude::*;

/// A signature for the platform to verify later. JavaScript frees this when it is done.
#[wasm_bindgen]
pub struct Question(Box<call::Question>);

impl Question {
    pub(crate) const fn new(question: Box<call::Question>) -> Self {
        Self(question)
    }
}

#[wasm_bindgen]
impl Question {
    /// Whether it is the signature of the `DPoP` proof, not of the token.
    pub fn is_proof(&self) -> bool {
        self.0.of == Signed::Proof
    }

    pub fn thumbprint(&self) -> String {
        self.0.thumbprint.clone()
    }

    pub fn algorithm(&self) -> String {
        self.0.algorithm.as_str().to_owned()
    }

    pub fn jwk(&self) -> String {
        serde_json::to_string(&self.0.jwk).unwrap_or_default()
    }

    pub fn message(&self) -> Vec<u8> {
        self.0.message.clone()
    }

    pub fn signature(&self) -> Vec<u8> {
        self.0.signature.clone()
    }
}

/// Says that a caller was refused, and how the request is to be answered if there is one.
pub(crate) fn refused(refusal: &Refusal, answer: Option<guard::Answer>) -> String {
    let Refusal { code, message, status, challenge, .. } = refusal;
    let answer = answer.map(|answer| json!([answer.status, pairs(&answer.headers), answer.body]));
    let refused = json!({
        "code": code, "message": message, "status": status, "challenge": challenge,
        "answer": answer,
    });
    text(&json!({ "refused": refused }))
}

/// Describes a request to send: a GET, as those for keys are.
pub(crate) fn fetch(number: u64, request: &Request) -> Value {
    let Request { url, headers, max_body_bytes, .. } = request;
    let headers = pairs(headers);
    json!({"number": number, "url": url, "headers": headers, "max_body_bytes": max_body_bytes})
}

/// Writes JSON. What `Display` makes of it would bring a second writer, for people, along.
pub(crate) fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Writes headers as lists of name and value.
pub(crate) fn pairs(headers: &[(&str, String)]) -> Value {
    headers.iter().map(|(name, value)| json!([name, value])).collect()
}
