//! Refresh tokens: rotated on every use; a used one that comes back ends its session.
//!
//! A token is 80 bytes, `session id ‖ user id ‖ secret ‖ tag`, base64url behind `usso_rt_`. Only the secret's
//! digest is stored. The tag says that this tenant issued the token, however long ago, so reuse of any
//! token of a session is noticed without keeping them all, and nobody can end a session with a token
//! that was made up.
//!
//! # Security
//!
//! Refresh token rotation with reuse detection (RFC 9700 section 4.14.2). Of many requests with one
//! token at once, one wins; the others, for a second, are told so and change nothing. A client that
//! missed the answer may send the same token again after that second and within the grace time: it
//! gets a new successor, and the one that it missed is void.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{
    Refused, Session, Tokens, idle_until, issue,
    keys::{self, LoadedKeys},
};
use crate::{
    deps::Deps,
    directory::user::User,
    kernel::{
        entropy::bearer_secret,
        event::EventType,
        id::{SessionId, UserId},
        refusal::{Fault, Stop},
        secret::{Digest, Secret},
        time::UnixTime,
    },
    store::{Batch, CommitError, Versioned},
};

const PREFIX: &str = "usso_rt_";
const ID: usize = 16;
const IDS: usize = 2 * ID;
const SECRET: usize = 32;
const TAG: usize = 16;
/// How many retries one rotation serves; a client that needs more has another problem.
const RETRIES_MAX: usize = 8;
/// How often a session's refreshes are written to the audit log.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// For how long after a change a request with the same token is that change's twin, not a retry:
/// longer than a commit takes, shorter than a client waits before it tries again.
const TWINS: Duration = Duration::from_secs(1);

/// A refresh token in its text form.
pub struct RefreshToken(Secret<String>);

impl RefreshToken {
    /// Takes the text that a client sent. Whether it is a token shows when it is used.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// Lends the text, to be handed to the client.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    fn make(deps: &Deps, keys: &LoadedKeys, of: Of) -> Result<(Self, Digest), Fault> {
        let secret = bearer_secret(&*deps.entropy)?;
        let (session, user) = (of.session.to_bytes(), of.user.to_bytes());
        let body = Secret::new([&session, &user, secret.expose().as_slice()].concat());
        let tag = keys.tag(&tagged(deps, body.expose()));
        let bytes = Secret::new([body.expose().as_slice(), &tag].concat());
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.expose()));
        Ok((Self::new(text), Digest::of(secret.expose())))
    }

    /// Whose a token is, and its digest, if this tenant issued it; `None` for anything else.
    fn open(&self, deps: &Deps, keys: &LoadedKeys) -> Option<(Of, Digest)> {
        let encoded = self.expose().strip_prefix(PREFIX)?;
        // The length first: what is decoded is never longer than a token.
        if encoded.len() != ((IDS + SECRET + TAG) * 8).div_ceil(6) {
            return None;
        }
        let bytes = Secret::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (body, tag) = bytes.expose().split_at_checked(IDS + SECRET)?;
        if !bool::from(keys.tag(&tagged(deps, body)).ct_eq(tag)) {
            return None;
        }
        let (ids, secret) = body.split_at_checked(IDS)?;
        let (session, user) = ids.split_at_checked(ID)?;
        let of = Of {
            session: SessionId::from_bytes(session.try_into().ok()?),
            user: UserId::from_bytes(user.try_into().ok()?),
        };
        Some((of, Digest::of(secret)))
    }
}

/// Whose a refresh token is. Both ids are in it, so that one read finds session and user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Of {
    pub(super) session: SessionId,
    pub(super) user: UserId,
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// What the tag covers: the tenant too, so that a token is nothing to another one.
fn tagged(deps: &Deps, body: &[u8]) -> Vec<u8> {
    [deps.tenant.id.to_bytes().as_slice(), body].concat()
}

/// Where a session's chain of refresh tokens stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    /// The token that works.
    current: Digest,
    /// The token that was exchanged for it.
    previous: Option<Digest>,
    /// When `previous` was first exchanged.
    rotated_at: UnixTime,
    /// When it was last exchanged.
    changed_at: UnixTime,
    /// Earlier successors of `previous` that a retry replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<Digest>,
}

/// What to do about a token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// It is the current one.
    Exchange,
    /// It was just exchanged and nothing came of the answer: exchange it again.
    Retry,
    /// It is being exchanged by another request, or was exchanged too often.
    Raced,
    /// It is the successor that a retry replaced a moment ago.
    Replaced,
    /// It was exchanged before.
    Reused,
}

impl Rotation {
    /// Starts the chain of a new session.
    pub(super) fn first(
        deps: &Deps,
        keys: &LoadedKeys,
        of: Of,
        now: UnixTime,
    ) -> Result<(RefreshToken, Self), Fault> {
        let (token, current) = RefreshToken::make(deps, keys, of)?;
        let replaced = Vec::new();
        Ok((token, Self { current, previous: None, rotated_at: now, changed_at: now, replaced }))
    }

    /// Judges a token that this tenant issued for this session.
    fn judge(
        &self,
        presented: Digest,
        received_at: UnixTime,
        grace: Duration,
        now: UnixTime,
    ) -> Judgement {
        if presented == self.current {
            return Judgement::Exchange;
        }
        let twins_end = self.changed_at.plus(TWINS.min(grace));
        let within_grace = now < self.rotated_at.plus(grace);
        if self.previous == Some(presented) {
            return if received_at <= self.changed_at || received_at < twins_end {
                Judgement::Raced
            } else if within_grace && self.replaced.len() < RETRIES_MAX {
                Judgement::Retry
            } else if within_grace {
                Judgement::Raced
            } else {
                Judgement::Reused
            };
        }
        if within_grace && self.replaced.contains(&presented) {
            Judgement::Replaced
        } else {
            Judgement::Reused
        }
    }

    /// The chain after the current token was exchanged for `successor`.
    fn exchange(&self, successor: Digest, now: UnixTime) -> Self {
        let previous = Some(self.current);
        let replaced = Vec::new();
        Self { current: successor, previous, rotated_at: now, changed_at: now, replaced }
    }

    /// The chain after `successor` took the place of a successor that was missed.
    fn retry(&self, successor: Digest, now: UnixTime) -> Self {
        let mut chain = self.clone();
        chain.replaced.push(self.current);
        chain.current = successor;
        chain.changed_at = now;
        chain
    }

    /// Whether a token still leads anywhere: it is the current one, or a retry or twin of it.
    pub(super) fn is_recent(&self, presented: Digest) -> bool {
        presented == self.current
            || self.previous == Some(presented)
            || self.replaced.contains(&presented)
    }
}

/// Exchanges a refresh token for new tokens of its session.
///
/// # Errors
///
/// [`Refused::NotValid`] if the token is unknown, its session over, its user suspended or a retry
/// replaced it; [`Refused::Reused`] if it was exchanged before (its session is ended);
/// [`Refused::Raced`] if another request exchanges it at this moment;
/// [`Refused::TenantSuspended`]; [`Stop::Fault`] if the store,
/// custody or randomness failed.
///
/// # Security
///
/// The session's version decides between concurrent requests, in the same commit as the change.
pub async fn refresh(deps: &Deps, token: &RefreshToken) -> Result<(User, Tokens), Stop<Refused>> {
    if !deps.tenant.is_active() {
        return Err(Stop::Refused(Refused::TenantSuspended));
    }
    let keys = keys::load(deps).await?;
    let (of, presented) = token.open(deps, &keys).ok_or(Stop::Refused(Refused::NotValid))?;
    loop {
        let (found, user) =
            deps.store.get_both::<Session, User>(&deps.scope(), of.session, of.user).await?;
        let (Some(found), Some(Versioned { record: user, .. })) = (found, user) else {
            return Err(Stop::Refused(Refused::NotValid));
        };
        let now = deps.clock.now();
        if found.record.user != user.id || !found.record.is_alive(&user, now) {
            return Err(Stop::Refused(Refused::NotValid));
        }
        let rotation = &found.record.rotation;
        let grace = Deps::seconds(deps.tenant.settings.refresh_grace_seconds);
        let (successor, digest) = RefreshToken::make(deps, &keys, of)?;
        let next = match rotation.judge(presented, deps.received_at, grace, now) {
            Judgement::Exchange => rotation.exchange(digest, now),
            Judgement::Retry => rotation.retry(digest, now),
            Judgement::Raced => return Err(Stop::Refused(Refused::Raced)),
            Judgement::Replaced => return Err(Stop::Refused(Refused::NotValid)),
            Judgement::Reused => match end_reused(deps, &found).await? {
                Settled::Done => return Err(Stop::Refused(Refused::Reused)),
                Settled::LookAgain => continue,
            },
        };
        let session = continued(deps, &found.record, next, now);
        let tokens = issue(deps, &keys, &session, &user, successor)?;
        match store(deps, session, found.version).await? {
            Settled::Done => return Ok((user, tokens)),
            Settled::LookAgain => {}
        }
    }
}

pub(super) enum Settled {
    Done,
    /// The session was changed in between.
    LookAgain,
}

fn settle(result: Result<(), CommitError>) -> Result<Settled, Fault> {
    match result {
        Ok(()) => Ok(Settled::Done),
        Err(CommitError::Conflict(_)) => Ok(Settled::LookAgain),
        Err(CommitError::Fault(fault)) => Err(fault),
    }
}

fn continued(deps: &Deps, session: &Session, rotation: Rotation, now: UnixTime) -> Session {
    Session {
        rotation,
        idle_until: idle_until(deps, session.lifetime, now),
        last_used_at: now,
        device: deps.origin.clone(),
        ..session.clone()
    }
}

/// Stores the continued session. A session that is refreshed again and again leaves one audit entry
/// a minute, so that nobody fills the log with it.
async fn store(deps: &Deps, mut session: Session, version: u64) -> Result<Settled, Fault> {
    let mut batch = Batch::new();
    if session.last_used_at.since(session.noted_at) >= NOTED_EVERY {
        session.noted_at = session.last_used_at;
        let event = deps.event(EventType::SessionRefreshed)?.by(session.user).on(session.user);
        batch = batch.insert(&deps.scope(), &event.in_session(session.id));
    }
    settle(deps.store.commit(batch.replace(&deps.scope(), &session, version)).await)
}

/// Ends the session that a token of any age belongs to. A token that is not ours ends nothing.
pub(super) async fn end(deps: &Deps, token: &RefreshToken) -> Result<(), Fault> {
    let keys = keys::load(deps).await?;
    let Some((of, presented)) = token.open(deps, &keys) else {
        return Ok(());
    };
    loop {
        let Some(found) = deps.store.get::<Session>(&deps.scope(), of.session).await? else {
            return Ok(());
        };
        let settled = if found.record.rotation.is_recent(presented) {
            end_found(deps, &found, found.record.user).await?
        } else {
            end_reused(deps, &found).await?
        };
        if let Settled::Done = settled {
            return Ok(());
        }
    }
}

/// Ends a session as it was read.
pub(super) async fn end_found(
    deps: &Deps,
    found: &Versioned<Session>,
    actor: UserId,
) -> Result<Settled, Fault> {
    let session = &found.record;
    let event = deps.event(EventType::SessionEnded)?.by(actor).on(session.user);
    let batch = Batch::new().insert(&deps.scope(), &event.in_session(session.id));
    settle(
        deps.store.commit(batch.remove::<Session>(&deps.scope(), session.id, found.version)).await,
    )
}

async fn end_reused(deps: &Deps, found: &Versioned<Session>) -> Result<Settled, Fault> {
    let session = &found.record;
    let event =
        deps.event(EventType::SessionReuseDetected)?.on(session.user).in_session(session.id);
    let batch = Batch::new().insert(&deps.scope(), &event);
    settle(
        deps.store.commit(batch.remove::<Session>(&deps.scope(), session.id, found.version)).await,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_millis(millis)
    }

    /// `a` was exchanged for `b` at 100; it has twins until 1,100, and grace ends at 2,000.
    fn rotated() -> Rotation {
        let first = Rotation {
            current: digest("a"),
            previous: None,
            rotated_at: at(0),
            changed_at: at(0),
            replaced: Vec::new(),
        };
        first.exchange(digest("b"), at(100))
    }

    fn judge(chain: &Rotation, name: &str, received: u64, now: u64) -> Judgement {
        chain.judge(digest(name), at(received), Duration::from_millis(1_900), at(now))
    }

    #[test]
    fn the_truth_table_of_presented_tokens() {
        let chain = rotated();
        assert_eq!(judge(&chain, "b", 150, 150), Judgement::Exchange);
        assert_eq!(judge(&chain, "a", 99, 101), Judgement::Raced);
        assert_eq!(judge(&chain, "a", 1_099, 1_500), Judgement::Raced);
        assert_eq!(judge(&chain, "a", 1_100, 1_999), Judgement::Retry);
        assert_eq!(judge(&chain, "a", 1_100, 2_000), Judgement::Reused);
        assert_eq!(judge(&chain, "older", 1_100, 1_500), Judgement::Reused);
        let used = chain.exchange(digest("c"), at(1_110));
        assert_eq!(judge(&used, "a", 1_120, 1_500), Judgement::Reused, "its successor was used");
    }

    #[test]
    fn without_grace_only_what_came_in_before_the_exchange_is_its_twin() {
        let judge = |received| {
            rotated().judge(digest("a"), at(received), Duration::ZERO, at(received.max(100)))
        };
        assert_eq!([99, 100, 101].map(judge)[..2], [Judgement::Raced; 2]);
        assert_eq!(judge(101), Judgement::Reused);
    }

    #[test]
    fn a_retry_voids_the_successor_that_was_missed_and_has_twins_of_its_own() {
        let chain = rotated().retry(digest("b2"), at(1_100));
        assert_eq!(judge(&chain, "b2", 1_150, 1_150), Judgement::Exchange);
        assert_eq!(judge(&chain, "b", 1_150, 1_999), Judgement::Replaced);
        assert_eq!(judge(&chain, "b", 1_150, 2_000), Judgement::Reused);
        assert_eq!(judge(&chain, "a", 1_150, 1_999), Judgement::Raced);
        assert_eq!(judge(&chain, "a", 2_100, 1_999), Judgement::Retry);
    }

    #[test]
    fn retries_are_bounded_and_too_many_end_nothing() {
        let retry = |chain: Rotation, n: usize| chain.retry(digest(&n.to_string()), at(100));
        let chain = (0..RETRIES_MAX).fold(rotated(), retry);
        assert_eq!(judge(&chain, "a", 1_500, 1_500), Judgement::Raced);
        assert_eq!(judge(&chain, "a", 1_500, 2_000), Judgement::Reused);
    }
}
