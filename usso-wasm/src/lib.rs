//! The verifier for JavaScript: thin layers over [`usso_verify::call`].
//!
//! Nothing here performs I/O or reads a clock. What JavaScript is told is text in JSON, or the object
//! that it made of a caller before; see `js/native.ts` for the other side.

mod outcome;
mod request;
mod users;
mod verifier;

use usso_verify::json;
use wasm_bindgen::prelude::*;

/// Answers a call in JSON that needs no verifier; see [`usso_verify::call::call`].
#[wasm_bindgen]
pub fn call(text: &str) -> String {
    usso_verify::call::call(text)
}

/// Reads claims as those of a token are read. Fails with a refusal in JSON.
#[wasm_bindgen]
pub fn typed(claims: &str) -> Result<String, String> {
    let user = json::from_slice(claims.as_bytes(), json::Limits::default());
    user.map(|user| users::typed(&user)).map_err(|error| error.to_string())
}

/// Says what is wrong with what a route needs, given in JSON.
#[wasm_bindgen]
pub fn wrong_rule(needed: &str) -> Option<String> {
    verifier::rule(needed).err().map(|refusal| refusal.message)
}
