//! The verifier for JavaScript: thin layers over [`usso_verify::call`].
//!
//! Nothing here performs I/O or reads a clock. What JavaScript is told is text in JSON, or the object
//! that it made of a caller before; see `js/native.ts` for the other side.

mod outcome;
mod platform;
mod request;
mod users;
mod verifier;

use std::fmt::Display;

use serde_json::Value;
use usso_verify::call::Needed;
use usso_verify::{UserData, json};
use wasm_bindgen::prelude::*;

/// Answers a call in JSON that needs no verifier; see [`usso_verify::call::call`].
#[wasm_bindgen]
pub fn call(text: &str) -> String {
    usso_verify::call::call(text)
}

/// Reads claims as those of a token are read. Fails with what is wrong, in words.
#[wasm_bindgen]
pub fn typed(claims: &str) -> Result<String, String> {
    let wrong = |error: &dyn Display| error.to_string();
    let claims = match json::parse(claims.as_bytes(), json::Limits::default()) {
        Ok(Value::Object(claims)) => claims,
        Ok(_) => return Err("the claims are no object".to_owned()),
        Err(error) => return Err(wrong(&error)),
    };
    UserData::try_from(claims).map(|user| users::typed(&user)).map_err(|error| wrong(&error))
}

/// Says what is wrong with what a route needs, given in JSON.
#[wasm_bindgen]
pub fn wrong_rule(needed: &str) -> Option<String> {
    Needed::read(needed).err().map(|refusal| refusal.message)
}
