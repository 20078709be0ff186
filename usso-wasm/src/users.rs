//! The objects that JavaScript made of callers, so that one is made once for each verification.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::json;
use usso_verify::{Principal, UserData, WeakPrincipal};
use wasm_bindgen::prelude::*;

use crate::outcome::text;

#[wasm_bindgen]
extern "C" {
    /// A function of the claims of a caller in JSON that gives the object.
    pub type Make;

    #[wasm_bindgen(method, js_name = call)]
    fn make(this: &Make, that: &JsValue, claims: &str) -> JsValue;
}

/// The objects of the callers that the verifier remembers, and of at most as many that it forgot.
pub(crate) struct Users {
    make: Make,
    made: RefCell<Made>,
}

#[derive(Default)]
struct Made {
    users: HashMap<usize, (WeakPrincipal, JsValue)>,
    room: usize,
}

impl Users {
    pub(crate) fn new(make: Make) -> Self {
        Self { make, made: RefCell::default() }
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        *self.made.borrow_mut() = Made::default();
    }

    /// Gives the object of a caller.
    pub(crate) fn of(&self, principal: &Principal) -> JsValue {
        let weak = principal.downgrade();
        if let Some((_, user)) = self.made.borrow().users.get(&weak.address()) {
            return user.clone();
        }
        let user = self.make.make(&JsValue::UNDEFINED, principal.json());
        let mut made = self.made.borrow_mut();
        if made.users.len() >= made.room {
            made.users.retain(|_, (weak, _)| !weak.is_gone());
            made.room = 2 * made.users.len() + ROOM;
        }
        made.users.insert(weak.address(), (weak, user.clone()));
        user
    }
}

/// Writes what is read out of claims by rules: lists, and times in whole seconds.
pub(crate) fn typed(user: &UserData) -> String {
    let UserData { aud, exp, iat, auth_time, roles, scopes, amr, .. } = user;
    text(&json!({
        "aud": aud, "exp": exp, "iat": iat, "auth_time": auth_time, "roles": roles,
        "scopes": scopes, "amr": amr,
    }))
}

/// How many objects are kept before it is looked at which are still needed.
const ROOM: usize = 64;
