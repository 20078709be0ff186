//! The administrator that the operator's configuration names.

use super::{Candidate, Refused, Stored, judge, parse, prepare, refused, taken};
use crate::{
    deps::Deps,
    directory::{
        identifier,
        user::{self, NewUser, UserStatus},
    },
    kernel::{
        event::EventType, id::UserId, proof::Method, refusal::Stop, secret::Secret,
        text::Identifier,
    },
    store::{Batch, CommitError, Versioned},
};

/// Which password the account shall have.
#[derive(Debug)]
pub enum Wanted {
    /// This one, in any case.
    Always(Secret<String>),
    /// This one if the account has to be created.
    IfNew(Secret<String>),
}

/// What [`ensure`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// Created the account.
    Created,
    /// Nothing: all is as wanted.
    Unchanged,
    /// Set the password, added roles or made the account active; all its sessions ended.
    Updated,
}

/// Makes sure that an account exists, on behalf of the operator; with [`Wanted::Always`] also that
/// it is active and has this password and these roles. Where nothing differs, nothing is written.
///
/// # Errors
///
/// [`Refused::Identifier`], [`Refused::IdentifierTaken`] if another process created the account at
/// this moment, one of the password policy's for a new password, [`Refused::User`],
/// [`Refused::Busy`], [`Stop::Fault`] if a port failed.
///
/// # Security
///
/// Roles are added only together with a password that the operator knows: an account that somebody
/// else registered under the operator's identifier does not become mighty by itself.
pub async fn ensure(
    deps: &Deps,
    identifier: &str,
    wanted: Wanted,
    roles: &[&str],
) -> Result<Ensured, Stop<Refused>> {
    let identifier = parse(identifier)?;
    match (identifier::owner(deps, &identifier).await?, wanted) {
        (None, Wanted::Always(password) | Wanted::IfNew(password)) => {
            create(deps, identifier, password, roles).await
        }
        (Some(_), Wanted::IfNew(_)) => Ok(Ensured::Unchanged),
        (Some(owner), Wanted::Always(password)) => {
            update(deps, owner, identifier, password, roles).await
        }
    }
}

async fn create(
    deps: &Deps,
    identifier: Identifier,
    password: Secret<String>,
    roles: &[&str],
) -> Result<Ensured, Stop<Refused>> {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let new = NewUser { identifiers: vec![identifier], roles, ..NewUser::default() };
    let (_, batch) = prepare(deps, new, password, None).await?;
    user::commit_new(deps, batch).await.map_err(|stop| stop.map(taken))?;
    Ok(Ensured::Created)
}

async fn update(
    deps: &Deps,
    owner: UserId,
    identifier: Identifier,
    password: Secret<String>,
    roles: &[&str],
) -> Result<Ensured, Stop<Refused>> {
    let user = user::read(deps, owner).await.map_err(|stop| stop.map(Refused::User))?;
    let candidate = Candidate::read(deps, Some(owner)).await?;
    let place = deps.hasher.place().map_err(refused)?;
    let verdict = candidate.verify(deps, place, password.expose().clone()).await?;
    let missing: Vec<String> = roles
        .iter()
        .filter(|role| !user.record.roles.iter().any(|held| held == *role))
        .map(|role| (*role).to_owned())
        .collect();
    if verdict.matches && missing.is_empty() && user.record.is_active() {
        return Ok(Ensured::Unchanged);
    }
    let Versioned { record: mut user, version } = user;
    user.roles.extend(missing);
    user.status = UserStatus::Active;
    user.epoch += 1;
    user.updated_at = deps.clock.now();
    let event = deps.event(EventType::PasswordReset)?.by("operator").on(owner);
    let mut batch =
        Batch::new().replace(&deps.scope(), &user, version).insert(&deps.scope(), &event);
    if !verdict.matches {
        let password = judge(deps, password, &user.name, &[identifier]).await?;
        let data = deps.hasher.hash(password, &*deps.entropy).await;
        let data = data.map_err(|stop| stop.map(Refused::from))?;
        let changed_at = deps.clock.now();
        let fresh = Stored { user: owner, method: Method::Password, data, changed_at };
        batch = match candidate.known {
            Some((_, stored)) => batch.replace(&deps.scope(), &fresh, stored.version),
            None => batch.insert(&deps.scope(), &fresh),
        };
    }
    deps.store.commit(batch).await.map_err(CommitError::into_fault)?;
    Ok(Ensured::Updated)
}
