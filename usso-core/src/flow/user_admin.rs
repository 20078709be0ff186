//! Administration of users: what an administrator may do to whom.
//!
//! # Security
//!
//! Nobody gives a role, or touches an account, that is mightier than its own.

use crate::{
    access::{self, SUPERADMIN},
    deps::Deps,
    directory::user::{self, Refused as UserRefused, Update, User},
    kernel::{
        id::UserId,
        refusal::{Refusal, Stop},
    },
    session::{self, token::Caller},
    store::Versioned,
};

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It would touch or make an account that is mightier than the caller's.
    Mightier,
    /// The directory refused it.
    User(UserRefused),
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Mightier => "access.forbidden",
            Self::User(refused) => refused.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Mightier => 403,
            Self::User(refused) => refused.status(),
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Mightier => "Only a superadministrator can do this to a superadministrator.",
            Self::User(refused) => refused.message(),
        }
    }
}

/// Checks that `caller` may give these roles.
///
/// # Errors
///
/// [`Refused::Mightier`].
pub fn check_grant(caller: &Caller, roles: &[String]) -> Result<(), Refused> {
    if roles.iter().all(|role| access::may_grant(caller, role)) {
        Ok(())
    } else {
        Err(Refused::Mightier)
    }
}

/// Changes a user.
///
/// # Errors
///
/// [`Refused::Mightier`], as [`user::update`] within [`Refused::User`], [`Stop::Fault`].
pub async fn update(
    deps: &Deps,
    caller: &Caller,
    id: UserId,
    update: Update,
) -> Result<User, Stop<Refused>> {
    let target = target(deps, caller, id).await?;
    check_grant(caller, update.roles.as_deref().unwrap_or_default()).map_err(Stop::Refused)?;
    user::update_as_read(deps, target, update, caller.user.id)
        .await
        .map_err(|stop| stop.map(Refused::User))
}

/// Deletes a user.
///
/// # Errors
///
/// [`Refused::Mightier`], as [`user::delete`] within [`Refused::User`], [`Stop::Fault`].
pub async fn delete(deps: &Deps, caller: &Caller, id: UserId) -> Result<(), Stop<Refused>> {
    let target = target(deps, caller, id).await?;
    user::delete_as_read(deps, target, caller.user.id).await.map_err(|stop| stop.map(Refused::User))
}

/// Ends all sessions of a user.
///
/// # Errors
///
/// [`Refused::Mightier`], [`UserRefused::Unknown`] within [`Refused::User`], [`Stop::Fault`].
pub async fn end_sessions(deps: &Deps, caller: &Caller, id: UserId) -> Result<(), Stop<Refused>> {
    target(deps, caller, id).await?;
    let ended = session::end_all(deps, id, caller.user.id).await;
    ended.map_err(|stop| stop.map(|_| Refused::User(UserRefused::Unknown)))
}

/// Reads whom an operation is about. Its change names the version that was read here, so that a
/// promotion in between is not overlooked.
async fn target(
    deps: &Deps,
    caller: &Caller,
    id: UserId,
) -> Result<Versioned<User>, Stop<Refused>> {
    let target = user::read(deps, id).await.map_err(|stop| stop.map(Refused::User))?;
    let mightier = target.record.roles.iter().any(|role| role == SUPERADMIN);
    if mightier && !access::is_superadmin(caller) {
        return Err(Stop::Refused(Refused::Mightier));
    }
    Ok(target)
}
