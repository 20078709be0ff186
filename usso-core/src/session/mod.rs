//! Sessions: one sign-in on one device, opened from proofs, continued by refresh tokens, ended by
//! logout, revocation or time.
//!
//! | operation | what it does |
//! | --- | --- |
//! | `open` | opens a session from a proof and mints its first tokens |
//! | [`refresh`](refresh::refresh) | exchanges a refresh token for its successor |
//! | [`authenticate`](token::authenticate) | says who is behind an access token, and whether still |
//! | [`list`], [`end`], [`end_all`] | what a user sees and can revoke |
//!
//! # Security
//!
//! A session belongs to the epoch of its user. [`end_all`], a new password and a suspension move the
//! epoch on, which ends every session at once, also one that is being opened at the same moment.

pub mod keys;
pub mod refresh;
pub mod token;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    deps::Deps,
    directory::user::{self, User},
    kernel::{
        event::{EventType, Origin},
        id::{SessionId, UserId},
        proof::{Method, Proof},
        refusal::{Fault, Refusal, Stop},
        time::{Lifetime, UnixTime},
    },
    store::{
        Batch, CommitError, ConflictKind, Find, Index, IndexKind, Page, Record, Table, Value,
        Versioned,
    },
};
pub use refresh::RefreshToken;
use refresh::{Of, Rotation, Settled};
use usso_verify::VerifyError;

/// How many sessions a user has at most; opening another ends the oldest.
pub const SESSIONS_MAX: usize = 100;

/// A session as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Never reused; also the `session_id` claim.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The user's epoch in which it was opened.
    pub epoch: u64,
    /// How the user proved to be itself.
    pub methods: Vec<Method>,
    /// When (`auth_time`, OpenID Connect Core section 2).
    pub authenticated_at: UnixTime,
    /// From its opening to its absolute end.
    pub lifetime: Lifetime,
    /// When it ends unless it is refreshed before.
    pub idle_until: UnixTime,
    /// When it was opened or last refreshed.
    pub last_used_at: UnixTime,
    /// From where it was opened or last refreshed.
    pub device: Origin,
    /// When a refresh was last written to the audit log.
    #[serde(default)]
    pub noted_at: UnixTime,
    pub(crate) rotation: Rotation,
}

impl Session {
    /// Whether it is neither past its end, nor idle for too long, nor of an earlier epoch.
    #[must_use]
    pub fn is_alive(&self, user: &User, now: UnixTime) -> bool {
        self.epoch == user.epoch
            && user.is_active()
            && self.lifetime.holds(now)
            && now < self.idle_until
    }

    /// The authentication context class: one factor (`usso:acr:1`) or more (`usso:acr:2`).
    #[must_use]
    pub fn acr(&self) -> &'static str {
        if self.methods.len() > 1 { "usso:acr:2" } else { "usso:acr:1" }
    }

    fn of_epoch(user: UserId, epoch: u64) -> Value {
        Value::text(format_args!("{user} {epoch}"))
    }
}

impl Record for Session {
    const TABLE: &'static Table = &Table {
        name: "session",
        indexes: &[Index { name: "user_epoch", kind: IndexKind::Text, unique: false }],
    };

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<Option<Value>> {
        vec![Some(Self::of_epoch(self.user, self.epoch))]
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Some(self.lifetime.end().min(self.idle_until))
    }
}

/// Why an operation on sessions was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The session of an access token is over, or its user may not sign in any more.
    Ended,
    /// The caller lacks the role that is needed.
    Forbidden,
    /// The refresh token was never issued, its session is over, or a later one replaced it.
    NotValid,
    /// Another request is exchanging the same refresh token at this moment.
    Raced,
    /// The refresh token was exchanged before and came back: its session was ended.
    Reused,
    /// The tenant is suspended.
    TenantSuspended,
    /// The access token is not valid.
    Token(VerifyError),
    /// There is no such session.
    Unknown,
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Ended => "session.ended",
            Self::Forbidden => "access.forbidden",
            Self::NotValid => "session.refresh_not_valid",
            Self::Raced => "session.refresh_raced",
            Self::Reused => "session.refresh_reused",
            Self::TenantSuspended => "tenant.suspended",
            Self::Token(error) => error.code(),
            Self::Unknown => "session.unknown",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Ended | Self::NotValid | Self::Reused | Self::Token(_) => 401,
            Self::Forbidden | Self::TenantSuspended => 403,
            Self::Raced => 409,
            Self::Unknown => 404,
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Ended => "The session is over. Sign in again.",
            Self::Forbidden => "The caller lacks the role that this needs.",
            Self::NotValid => "The refresh token is not valid. Sign in again.",
            Self::Raced => {
                "Another request exchanged this refresh token a moment ago. Use the tokens that it got."
            }
            Self::Reused => {
                "The refresh token was used before. The session was ended; sign in again."
            }
            Self::TenantSuspended => "The tenant is suspended.",
            Self::Token(_) => "The access token is not valid.",
            Self::Unknown => "There is no such session.",
        }
    }
}

/// What a client gets from a sign-in or a refresh.
#[derive(Debug)]
pub struct Tokens {
    /// The session.
    pub session: SessionId,
    /// A compact JWS, `typ` `at+jwt`.
    pub access_token: String,
    /// The life of the access token.
    pub expires_in: Duration,
    /// The refresh token; shown here and never again.
    pub refresh_token: RefreshToken,
    /// The life of the refresh token if it is not used.
    pub refresh_expires_in: Duration,
}

/// Opens a session for `user`, in one commit with `batch`.
///
/// # Errors
///
/// The conflict of `batch`, if any; [`CommitError::Fault`] if the store, custody or randomness
/// failed. Nothing was changed then.
pub(crate) async fn open(
    deps: &Deps,
    user: &User,
    proof: &Proof,
    batch: Batch,
) -> Result<Tokens, CommitError> {
    let keys = keys::load(deps).await?;
    let now = deps.clock.now();
    let settings = &deps.tenant.settings;
    let id = SessionId::new(now, &*deps.entropy)?;
    let (refresh_token, rotation) =
        Rotation::first(deps, &keys, Of { session: id, user: user.id }, now)?;
    let lifetime = Lifetime::starting(now, Deps::seconds(settings.session_seconds));
    let session = Session {
        id,
        user: user.id,
        epoch: proof.epoch,
        methods: vec![proof.method],
        authenticated_at: proof.at,
        lifetime,
        idle_until: idle_until(deps, lifetime, now),
        last_used_at: now,
        device: deps.origin.clone(),
        noted_at: UnixTime::default(),
        rotation,
    };
    let event = deps.event(EventType::SessionOpened)?.by(user.id).on(user.id).in_session(id);
    let event = event.with("method", proof.method.as_str());
    let batch = batch.insert(&deps.scope(), &session).insert(&deps.scope(), &event);
    let tokens = issue(deps, &keys, &session, user, refresh_token)?;
    loop {
        let batch = make_room(deps, user, proof.epoch, batch.clone()).await?;
        match deps.store.commit(batch).await {
            Ok(()) => return Ok(tokens),
            // A session that has to go was refreshed or ended in between: look again.
            Err(CommitError::Conflict(conflict))
                if conflict.table == Session::TABLE.name
                    && conflict.kind == ConflictKind::Changed => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends the oldest sessions, in `batch`, so that one more fits.
async fn make_room(deps: &Deps, user: &User, epoch: u64, mut batch: Batch) -> Result<Batch, Fault> {
    let find = Find::by("user_epoch", Session::of_epoch(user.id, epoch));
    let found = deps.store.find::<Session>(&deps.scope(), find).await?.items;
    let surplus = (found.len() + 1).saturating_sub(SESSIONS_MAX);
    for oldest in found.into_iter().take(surplus) {
        let id = oldest.record.id;
        let event = deps.event(EventType::SessionEnded)?.by(user.id).on(user.id);
        let event = event.in_session(id).with("reason", "limit");
        batch = batch
            .remove::<Session>(&deps.scope(), id, oldest.version)
            .insert(&deps.scope(), &event);
    }
    Ok(batch)
}

/// Mints the tokens of a session.
fn issue(
    deps: &Deps,
    keys: &keys::LoadedKeys,
    session: &Session,
    user: &User,
    refresh_token: RefreshToken,
) -> Result<Tokens, Fault> {
    let now = deps.clock.now();
    Ok(Tokens {
        session: session.id,
        access_token: token::mint(deps, keys, session, user)?,
        expires_in: Deps::seconds(deps.tenant.settings.access_token_seconds),
        refresh_token,
        refresh_expires_in: session.idle_until.min(session.lifetime.end()).since(now),
    })
}

fn idle_until(deps: &Deps, lifetime: Lifetime, now: UnixTime) -> UnixTime {
    now.plus(Deps::seconds(deps.tenant.settings.session_idle_seconds)).min(lifetime.end())
}

/// Lists the live sessions of a user, oldest first.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn list(
    deps: &Deps,
    user: &User,
    cursor: Option<String>,
    limit: usize,
) -> Result<Page<Session>, Fault> {
    let find =
        Find::by("user_epoch", Session::of_epoch(user.id, user.epoch)).limit(limit).after(cursor);
    let page = deps.store.find::<Session>(&deps.scope(), find).await?;
    let mut page = page.map(|found| found.record);
    let now = deps.clock.now();
    page.items.retain(|session| session.is_alive(user, now));
    Ok(page)
}

/// Ends one session of a user.
///
/// # Errors
///
/// [`Refused::Unknown`] if the user has no such session, [`Stop::Fault`] if the store failed.
pub async fn end(
    deps: &Deps,
    owner: UserId,
    session: SessionId,
    actor: UserId,
) -> Result<(), Stop<Refused>> {
    loop {
        let found = deps.store.get::<Session>(&deps.scope(), session).await?;
        let found = found.filter(|found| found.record.user == owner);
        let found = found.ok_or(Stop::Refused(Refused::Unknown))?;
        // If it was refreshed or ended in between: look again.
        if let Settled::Done = refresh::end_found(deps, &found, actor).await? {
            return Ok(());
        }
    }
}

/// Ends the session that a refresh token belongs to. A token that is not valid ends nothing.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn end_by_refresh_token(deps: &Deps, token: &RefreshToken) -> Result<(), Fault> {
    refresh::end(deps, token).await
}

/// Ends all sessions of a user at once.
///
/// # Errors
///
/// [`Refused::Unknown`] if there is no such user, [`Stop::Fault`] if the store failed.
pub async fn end_all(deps: &Deps, owner: UserId, actor: UserId) -> Result<(), Stop<Refused>> {
    loop {
        let found = user::read(deps, owner).await.map_err(|stop| stop.map(|_| Refused::Unknown))?;
        let Versioned { mut record, version } = found;
        record.epoch += 1;
        let event = deps.event(EventType::SessionEndedAll)?.by(actor).on(owner);
        let batch = Batch::new().insert(&deps.scope(), &event);
        match user::replace(deps, &record, version, batch).await {
            Ok(()) => return Ok(()),
            // The user was changed in between: look again.
            Err(Stop::Refused(_)) => {}
            Err(Stop::Fault(fault)) => return Err(fault.into()),
        }
    }
}
