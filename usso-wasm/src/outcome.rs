//! What a verification comes to, as JavaScript is told.

use serde::Serialize;
use usso_verify::Request;
use usso_verify::call::{self, Refusal, Signed};
use wasm_bindgen::prelude::*;

/// A signature that JavaScript has verified. It frees this when it is done.
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

/// What is told in JSON.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told<'a> {
    Refused(Refused<'a>),
    Fetch(Fetch),
    LookUp { number: u64, key: &'a str },
    Wait(u64),
}

/// A refusal, and the answer to the request if there is one: status, headers and body.
#[derive(Serialize)]
pub(crate) struct Refused<'a> {
    #[serde(flatten)]
    pub(crate) refusal: &'a Refusal,
    pub(crate) answer: Option<(u16, Vec<(&'static str, String)>, String)>,
}

impl<'a> From<&'a Refusal> for Refused<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        Self { refusal, answer: None }
    }
}

/// A request to send.
#[derive(Serialize)]
pub(crate) struct Fetch {
    number: u64,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    max_body_bytes: usize,
}

impl Fetch {
    pub(crate) fn new(number: u64, request: Request) -> Self {
        let Request { url, headers, body, max_body_bytes, .. } = request;
        // What is sent is written in ASCII.
        let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
        Self { number, url, headers, body, max_body_bytes }
    }
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
