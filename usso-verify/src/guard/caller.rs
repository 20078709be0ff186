//! A caller as a handler wants to have it.

use std::any::Any;

use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::claims::UserData;
use crate::principal::Principal;

/// What a handler may ask for: [`Principal`], which costs nothing, [`UserData`], or a type of the
/// app's that reads the claims.
pub trait FromCaller: Sized {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Claims`] if the claims are not what the type reads.
    fn from_caller(caller: Principal) -> Result<Self, Refusal>;
}

impl FromCaller for Principal {
    fn from_caller(caller: Principal) -> Result<Self, Refusal> {
        Ok(caller)
    }
}

impl<T: DeserializeOwned + 'static> FromCaller for T {
    fn from_caller(caller: Principal) -> Result<Self, Refusal> {
        // `UserData` is there already: a copy is cheaper than reading it again.
        let mut same: Option<T> = None;
        if let Some(user) = (&mut same as &mut dyn Any).downcast_mut::<Option<UserData>>() {
            *user = Some(caller.to_user_data());
        }
        match same {
            Some(user) => Ok(user),
            None => caller.claims_as().map_err(|_| Refusal::Claims),
        }
    }
}
