//! Users: create, read, list, change, delete.
//!
//! A user's `epoch` counts the times that all sessions of the user ended. A session is alive only in
//! the epoch in which its proof was made, so ending all sessions is one change of one record that no
//! sign-in at the same moment can slip past.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    credential::{self, Credential},
    identifier::{self, IDENTIFIERS_MAX, IdentifierRecord},
};
use crate::{
    deps::Deps,
    kernel::{
        event::EventType,
        id::UserId,
        refusal::{Fault, Refusal, Stop},
        text::Identifier,
        time::UnixTime,
    },
    store::{Batch, CommitError, ConflictKind, Find, Page, Record, Table, Versioned},
};

const NAME_MAX: usize = 200;
const GRANTS_MAX: usize = 100;
const GRANT_LEN_MAX: usize = 200;
/// What roles, scopes and custom claims take in a token, as JSON. With the largest audience and
/// issuer the token still is within the 8 KiB that verifiers read.
const TOKEN_BYTES_MAX: usize = 3072;

/// What a user may do at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UserStatus {
    /// May sign in.
    Active,
    /// Is gone; kept so that its id is never given out again.
    Deleted,
    /// Has yet to prove an identifier.
    Pending,
    /// May not sign in, and existing sessions are over.
    Suspended,
}

/// A person of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Never reused.
    pub id: UserId,
    /// What the user may do at all.
    pub status: UserStatus,
    /// What to call the user, up to 200 characters; may be empty.
    #[serde(default)]
    pub name: String,
    /// Roles, up to 100.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Scopes granted to the user itself, up to 100.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Claims that the app adds to tokens. Roles, scopes and these take up to 3 KiB of JSON.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub custom_claims: Map<String, Json>,
    /// Counts the times that all sessions ended.
    #[serde(default)]
    pub epoch: u64,
    /// Since when.
    pub created_at: UnixTime,
    /// When it last changed.
    pub updated_at: UnixTime,
}

impl User {
    /// Whether the user may sign in and keep sessions.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }
}

impl Record for User {
    const TABLE: &'static Table = &Table { name: "user", indexes: &[] };

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// Why an operation on users was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Another change of the user came first; read it again.
    Changed,
    /// An identifier belongs to another user.
    IdentifierTaken,
    /// A name, role, scope or claim is too long, or there are too many, or the status is not one
    /// that can be given.
    Invalid,
    /// Removing or demoting the caller's own account is left to another administrator.
    OwnAccount,
    /// There is no such user.
    Unknown,
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Changed => "user.changed",
            Self::IdentifierTaken => "user.identifier_taken",
            Self::Invalid => "user.invalid",
            Self::OwnAccount => "user.own_account",
            Self::Unknown => "user.unknown",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Changed | Self::IdentifierTaken | Self::OwnAccount => 409,
            Self::Invalid => 422,
            Self::Unknown => 404,
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Changed => "The user was changed at the same time. Read it again and repeat.",
            Self::IdentifierTaken => "An account with this identifier exists.",
            Self::Invalid => {
                "A field of the user is too long, has too many entries or a bad character."
            }
            Self::OwnAccount => {
                "Administrators cannot suspend, demote or delete their own account."
            }
            Self::Unknown => "There is no such user.",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// A user to create.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// By what the user is found; at least one, at most 20.
    pub identifiers: Vec<Identifier>,
    /// What to call the user.
    pub name: String,
    /// Roles to begin with.
    pub roles: Vec<String>,
    /// Scopes to begin with.
    pub scopes: Vec<String>,
}

/// What to change of a user; absent fields stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// What to call the user.
    pub name: Option<String>,
    /// The roles, all of them.
    pub roles: Option<Vec<String>>,
    /// The scopes, all of them.
    pub scopes: Option<Vec<String>>,
    /// Active or suspended.
    pub status: Option<UserStatus>,
    /// The custom claims, all of them.
    pub custom_claims: Option<Map<String, Json>>,
}

/// Prepares a user: the record and the batch that creates it with its identifiers and its event.
///
/// The caller adds credentials and commits, so that a user and its first credential come to be
/// together.
pub(crate) fn prepare(
    deps: &Deps,
    new: NewUser,
    actor: Option<UserId>,
) -> Result<(User, Batch), Stop<Refused>> {
    let now = deps.clock.now();
    let user = User {
        id: UserId::new(now, &*deps.entropy)?,
        status: UserStatus::Active,
        name: new.name,
        roles: new.roles,
        scopes: new.scopes,
        custom_claims: Map::new(),
        epoch: 0,
        created_at: now,
        updated_at: now,
    };
    check(&user).map_err(Stop::Refused)?;
    if new.identifiers.is_empty() || new.identifiers.len() > IDENTIFIERS_MAX {
        return Err(Stop::Refused(Refused::Invalid));
    }
    let event = deps.event(EventType::UserCreated)?.by(actor.unwrap_or(user.id)).on(user.id);
    let mut batch = Batch::new().insert(&deps.scope(), &user).insert(&deps.scope(), &event);
    for identifier in new.identifiers {
        let record =
            IdentifierRecord { identifier, user: user.id, verified_at: None, created_at: now };
        batch = batch.insert(&deps.scope(), &record);
    }
    Ok((user, batch))
}

/// Commits what [`prepare`] made.
pub(crate) async fn commit_new(deps: &Deps, batch: Batch) -> Result<(), Stop<Refused>> {
    deps.store.commit(batch).await.map_err(|error| match error {
        CommitError::Conflict(conflict) if conflict.table == IdentifierRecord::TABLE.name => {
            Stop::Refused(Refused::IdentifierTaken)
        }
        other => Stop::Fault(other.into_fault()),
    })
}

/// Reads a user; deleted ones are unknown.
///
/// # Errors
///
/// [`Refused::Unknown`], or [`Stop::Fault`] if the store failed.
pub async fn read(deps: &Deps, user: UserId) -> Result<Versioned<User>, Stop<Refused>> {
    let found = deps.store.get::<User>(&deps.scope(), user).await?;
    found
        .filter(|found| found.record.status != UserStatus::Deleted)
        .ok_or(Stop::Refused(Refused::Unknown))
}

/// Lists users, oldest first. Deleted users leave gaps: a page may be short or empty and still have
/// a next one.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn list(deps: &Deps, cursor: Option<String>, limit: usize) -> Result<Page<User>, Fault> {
    let page =
        deps.store.find::<User>(&deps.scope(), Find::all().limit(limit).after(cursor)).await?;
    let mut page = page.map(|found| found.record);
    page.items.retain(|user| user.status != UserStatus::Deleted);
    Ok(page)
}

/// Changes a user. Suspending ends all sessions at once.
///
/// # Errors
///
/// [`Refused::Unknown`], [`Refused::Invalid`], [`Refused::Changed`], [`Refused::OwnAccount`] if
/// `actor` would lose its own access, [`Stop::Fault`] if the store failed.
pub async fn update(
    deps: &Deps,
    user: UserId,
    update: Update,
    actor: UserId,
) -> Result<User, Stop<Refused>> {
    update_as_read(deps, read(deps, user).await?, update, actor).await
}

/// As [`update`], for a user that was read before and must not have changed since.
pub(crate) async fn update_as_read(
    deps: &Deps,
    user: Versioned<User>,
    update: Update,
    actor: UserId,
) -> Result<User, Stop<Refused>> {
    let Versioned { mut record, version } = user;
    let user = record.id;
    if matches!(update.status, Some(UserStatus::Deleted | UserStatus::Pending)) {
        return Err(Stop::Refused(Refused::Invalid));
    }
    let before = record.clone();
    record.name = update.name.unwrap_or(record.name);
    record.roles = update.roles.unwrap_or(record.roles);
    record.scopes = update.scopes.unwrap_or(record.scopes);
    record.custom_claims = update.custom_claims.unwrap_or(record.custom_claims);
    record.status = update.status.unwrap_or(record.status);
    record.updated_at = deps.clock.now();
    check(&record).map_err(Stop::Refused)?;
    let loses = |role: &String| !record.roles.contains(role);
    if user == actor && (!record.is_active() || before.roles.iter().any(loses)) {
        return Err(Stop::Refused(Refused::OwnAccount));
    }
    if before.is_active() && !record.is_active() {
        record.epoch += 1;
    }
    let event = deps.event(EventType::UserUpdated)?.by(actor).on(user);
    let event = event.with("fields", changed_fields(&before, &record));
    replace(deps, &record, version, Batch::new().insert(&deps.scope(), &event)).await?;
    Ok(record)
}

/// Deletes a user: its identifiers are free again, its credentials are gone, its sessions over. Its
/// id stays taken.
///
/// # Errors
///
/// [`Refused::Unknown`], [`Refused::Changed`], [`Refused::OwnAccount`] for the caller's own account,
/// [`Stop::Fault`] if the store failed.
pub async fn delete(deps: &Deps, user: UserId, actor: UserId) -> Result<(), Stop<Refused>> {
    delete_as_read(deps, read(deps, user).await?, actor).await
}

/// As [`delete`], for a user that was read before and must not have changed since.
pub(crate) async fn delete_as_read(
    deps: &Deps,
    user: Versioned<User>,
    actor: UserId,
) -> Result<(), Stop<Refused>> {
    let Versioned { mut record, version } = user;
    let user = record.id;
    if user == actor {
        return Err(Stop::Refused(Refused::OwnAccount));
    }
    record.status = UserStatus::Deleted;
    record.epoch += 1;
    record.updated_at = deps.clock.now();
    record.name.clear();
    record.roles.clear();
    record.scopes.clear();
    record.custom_claims.clear();
    let event = deps.event(EventType::UserDeleted)?.by(actor).on(user);
    let mut batch = Batch::new().insert(&deps.scope(), &event);
    for found in credential::of_user(deps, user).await? {
        batch = batch.remove::<Credential>(&deps.scope(), found.record.key(), found.version);
    }
    for found in identifier::of_user(deps, user).await? {
        batch = batch.remove::<IdentifierRecord>(&deps.scope(), found.record.key(), found.version);
    }
    replace(deps, &record, version, batch).await
}

/// Replaces a user that was read with `version`, together with `batch`.
pub(crate) async fn replace(
    deps: &Deps,
    user: &User,
    version: u64,
    batch: Batch,
) -> Result<(), Stop<Refused>> {
    let batch = batch.replace(&deps.scope(), user, version);
    deps.store.commit(batch).await.map_err(|error| match error {
        CommitError::Conflict(conflict) if conflict.kind == ConflictKind::Changed => {
            Stop::Refused(Refused::Changed)
        }
        other => Stop::Fault(other.into_fault()),
    })
}

fn check(user: &User) -> Result<(), Refused> {
    let plain = |text: &str| !text.chars().any(char::is_control);
    let grants = |grants: &[String]| {
        let one = |grant: &String| {
            (1..=GRANT_LEN_MAX).contains(&grant.len())
                && plain(grant)
                && !grant.contains(char::is_whitespace)
        };
        grants.len() <= GRANTS_MAX && grants.iter().all(one)
    };
    let in_token = serde_json::to_string(&(&user.roles, &user.scopes, &user.custom_claims));
    let fits = in_token.is_ok_and(|text| text.len() <= TOKEN_BYTES_MAX);
    let name = user.name.chars().count() <= NAME_MAX && plain(&user.name);
    if name && fits && grants(&user.roles) && grants(&user.scopes) {
        Ok(())
    } else {
        Err(Refused::Invalid)
    }
}

fn changed_fields(before: &User, after: &User) -> String {
    let fields = [
        ("name", before.name != after.name),
        ("roles", before.roles != after.roles),
        ("scopes", before.scopes != after.scopes),
        ("custom_claims", before.custom_claims != after.custom_claims),
        ("status", before.status != after.status),
    ];
    let changed: Vec<&str> =
        fields.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect();
    changed.join(" ")
}
