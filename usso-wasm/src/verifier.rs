//! The verifier, driven from JavaScript.

use std::cell::RefCell;

use serde_json::{Value, json};
use usso_verify::call::{Answer, Calls, Needed, Refusal, Signatures, Signed};
use usso_verify::guard::Head;
use usso_verify::{FetchError, Presented, Response};
use wasm_bindgen::prelude::*;

use crate::outcome::{Question, fetch, pairs, refused, text};
use crate::platform::verified;
use crate::request::Lines;
use crate::users::{Make, Users};

/// A verifier that performs no I/O. Times are seconds since the epoch.
#[wasm_bindgen]
pub struct Verifier {
    calls: Calls,
    users: Users,
    inbox: RefCell<Vec<u8>>,
}

/// A question to the verifier that is asked in several steps.
#[wasm_bindgen]
#[derive(Default)]
pub struct Asked {
    signatures: Signatures,
    fetched: bool,
    nonce: Option<String>,
}

#[wasm_bindgen]
impl Asked {
    #[wasm_bindgen(constructor)]
    pub fn new(nonce: Option<String>) -> Self {
        Self { nonce, ..Self::default() }
    }

    /// Takes in whether a signature is good.
    pub fn signed(&mut self, is_proof: bool, thumbprint: &str, good: bool) {
        let of = if is_proof { Signed::Proof } else { Signed::Token };
        self.signatures.add(of, thumbprint, good);
    }

    /// Takes in that what was wanted was fetched, or could not be.
    pub fn fetched(&mut self) {
        self.fetched = true;
    }
}

#[wasm_bindgen]
impl Verifier {
    /// Fails with a refusal in JSON. `make` makes an object of the claims of a caller in JSON.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, make: Make) -> Result<Self, String> {
        let calls = Calls::new(config).map_err(|refusal| refused(&refusal, None))?;
        // Of a token that does not fit more than is allowed does: the first character that is left out
        // has four bytes at most.
        let inbox = RefCell::new(vec![0; calls.max_token_bytes() + 4]);
        Ok(Self { calls, users: Users::new(make), inbox })
    }

    /// Gives the address to which JavaScript writes the token that it asks about: that is several
    /// times as fast as having it passed.
    pub fn inbox(&self) -> usize {
        self.inbox.borrow_mut().as_mut_ptr().addr()
    }

    /// Gives the room at that address, in bytes.
    pub fn room(&self) -> usize {
        self.inbox.borrow().len()
    }

    /// Verifies the token in the inbox if it was verified before, which takes no time: gives the object of
    /// the caller, or nothing if it is not remembered.
    pub fn recall(&self, length: usize, now: f64) -> JsValue {
        let recalled = self.with_token(length, |token| {
            self.calls.recalled(&Presented::bearer(token), seconds(now))
        });
        match recalled {
            Some(Answer::Caller(principal)) => self.users.of(&principal),
            _ => JsValue::UNDEFINED,
        }
    }

    /// Verifies the token in the inbox. Gives the object of the caller, a [`Question`], or text in JSON:
    /// `{"refused"}`, `{"fetch"}` or `{"wait"}`.
    pub fn verify(&self, length: usize, asked: &Asked, now: f64) -> JsValue {
        let answer = self.with_token(length, |token| {
            let presented = Presented::bearer(token);
            let presented = match &asked.nonce {
                Some(nonce) => presented.nonce(nonce),
                None => presented,
            };
            self.judge(&presented, asked, seconds(now))
        });
        self.told(answer)
    }

    /// Verifies the credential of a request; gives nothing if there is none. A refusal has the answer
    /// to the request.
    pub fn authenticate(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        asked: &Asked,
        now: f64,
    ) -> JsValue {
        let head = Head::new(method, target, Lines(headers));
        let answer =
            self.calls.present(&head, |presented| self.judge(presented, asked, seconds(now)));
        match answer {
            None => JsValue::UNDEFINED,
            Some(Answer::Refused(refusal)) => JsValue::from_str(&self.refused(&refusal, &head)),
            Some(answer) => self.told(answer),
        }
    }

    /// Requires of a caller, whose claims are given in JSON, what a route [needs](Needed). Gives a
    /// refusal with the answer to the request, or nothing.
    pub fn check(
        &self,
        claims: Option<String>,
        needed: &str,
        method: &str,
        target: &str,
        headers: &str,
        now: f64,
    ) -> Option<String> {
        let head = Head::new(method, target, Lines(headers));
        let refusal = self.meets(claims.as_deref(), needed, seconds(now)).err()?;
        Some(self.refused(&refusal, &head))
    }

    /// Takes in an answer; what it gives is to be sent next. The headers are names and values by turns.
    pub fn fetched(
        &self,
        number: f64,
        status: u16,
        headers: Vec<String>,
        body: Vec<u8>,
        now: f64,
    ) -> Option<String> {
        let mut response = Response::new(status, body);
        let pairs = headers.chunks_exact(2).filter_map(|pair| match pair {
            [name, value] => Some((name.clone(), value.clone())),
            _ => None,
        });
        response.headers = pairs.collect();
        self.concluded(number, Ok(response), now)
    }

    /// Takes in that there is no answer.
    pub fn failed(&self, number: f64, reason: &str, now: f64) -> Option<String> {
        let error = match reason {
            "timed_out" => FetchError::TimedOut,
            "too_large" => FetchError::TooLarge,
            _ => FetchError::Failed,
        };
        self.concluded(number, Err(error), now)
    }

    pub fn is_under_way(&self, number: f64) -> bool {
        self.calls.is_under_way(seconds(number))
    }

    /// Gives the requests that should be sent ahead of time, as a list in JSON; nothing if none is.
    pub fn due(&self, now: f64) -> Option<String> {
        let due = self.calls.due(seconds(now)).into_iter();
        let due: Vec<Value> = due.map(|(number, request)| fetch(number, &request)).collect();
        (!due.is_empty()).then(|| text(&Value::from(due)))
    }

    /// Gives the headers to add to the answer to a request that was let in, in JSON; nothing for none.
    pub fn response_headers(&self, headers: &str, optional: bool) -> Option<String> {
        let headers = self.calls.response_headers(&Lines(headers), optional);
        (!headers.is_empty()).then(|| text(&pairs(&headers)))
    }

    /// Writes the keys of an issuer; nothing if there are none.
    pub fn export(&self, issuer: &str) -> Option<Vec<u8>> {
        self.calls.export(issuer)
    }

    /// Takes in what [`export`](Self::export) wrote. Gives what is wrong with it.
    pub fn import(&self, issuer: &str, bytes: &[u8], now: f64) -> Option<String> {
        let imported = self.calls.import(issuer, bytes, seconds(now));
        imported.err().map(|error| error.to_string())
    }

    pub fn clear_cache(&self) {
        self.calls.clear_cache();
        self.users.clear();
    }

    pub fn cached_tokens(&self) -> usize {
        self.calls.cached_tokens()
    }
}

impl Verifier {
    fn meets(&self, claims: Option<&str>, needed: &str, now: u64) -> Result<(), Refusal> {
        let Needed { rule, parameters, .. } = Needed::read(needed)?;
        let caller = claims.map(|claims| self.calls.vouched(claims)).transpose()?;
        let parameter = |name: &str| parameters.get(name).cloned();
        self.calls.check(caller.as_ref(), &rule, parameter, now)
    }

    fn refused(&self, refusal: &Refusal, head: &Head<'_, Lines<'_>>) -> String {
        refused(refusal, Some(self.calls.answer(refusal, head)))
    }

    fn concluded(
        &self,
        number: f64,
        result: Result<Response, FetchError>,
        now: f64,
    ) -> Option<String> {
        let number = seconds(number);
        let next = self.calls.fetched(number, result, seconds(now))?;
        Some(text(&fetch(number, &next)))
    }

    /// What is no UTF-8 is no token.
    fn with_token<T>(&self, length: usize, then: impl FnOnce(&str) -> T) -> T {
        let inbox = self.inbox.borrow();
        let token = inbox.get(..length).and_then(|token| std::str::from_utf8(token).ok());
        then(token.unwrap_or_default())
    }

    fn judge(&self, presented: &Presented<'_>, asked: &Asked, now: u64) -> Answer {
        let presented = &asked.signatures.beside(presented).platform(&verified);
        if asked.fetched {
            self.calls.verify_fetched(presented, now)
        } else {
            self.calls.verify(presented, now)
        }
    }

    fn told(&self, answer: Answer) -> JsValue {
        let told = match answer {
            Answer::Caller(principal) => return self.users.of(&principal),
            Answer::Sign(question) => return Question::new(question).into(),
            Answer::Fetch(number, request) => text(&json!({ "fetch": fetch(number, &request) })),
            Answer::Wait(number) => text(&json!({ "wait": number })),
            Answer::Refused(refusal) => refused(&refusal, None),
            _ => return JsValue::UNDEFINED,
        };
        JsValue::from_str(&told)
    }
}

/// JavaScript has no integers of 64 bits that are as fast; these are far below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
const fn seconds(number: f64) -> u64 {
    number as u64
}
