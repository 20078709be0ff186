//! How often a password may be tried, from where.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Refused;
use crate::{
    deps::Deps,
    kernel::{
        event::{Event, EventType},
        id::UserId,
        limit::{self, Attempt, Exceeded, Limit},
        refusal::{Fault, Stop},
        secret::Digest,
        time::UnixTime,
    },
    store::{Batch, CommitError, Record, Table},
};

/// The limits of a sign-in. A familiar source is not held to the account's own limit, which others
/// may have used up. That limit counts for all identifiers of an account together.
pub(super) fn limits(
    deps: &Deps,
    account: &str,
    owner: Option<UserId>,
    is_familiar: bool,
) -> Vec<(String, Limit)> {
    let configured = &deps.config.limits;
    let source = deps.source().to_string();
    let mut limits = vec![
        (limit::key("account+source", &[account, &source]), configured.account_and_source),
        (limit::key("source", &[&source]), configured.source),
    ];
    if !is_familiar {
        let whole = owner.map_or_else(|| account.to_owned(), |owner| owner.to_string());
        limits.push((limit::key("account", &[&whole]), configured.account));
    }
    limits
}

/// Refuses a source that is known to be over its own limit, before any work is done for it.
pub(super) fn check_source(deps: &Deps) -> Result<(), Stop<Refused>> {
    let key = limit::key("source", &[&deps.source().to_string()]);
    match deps.caches.reached.left(&deps.scope(), &key, deps.clock.now()) {
        Some(left) => Err(Stop::Refused(Refused::Limited(left))),
        None => Ok(()),
    }
}

/// Counts an attempt; the first one over a limit is written to the audit log.
pub(super) async fn count(
    deps: &Deps,
    limits: &[(String, Limit)],
    subject: Option<UserId>,
) -> Result<Attempt, Stop<Refused>> {
    let reached = &deps.caches.reached;
    match Attempt::count(&deps.store, &deps.scope(), reached, limits, deps.clock.now()).await? {
        Ok(attempt) => Ok(attempt),
        Err(Exceeded { retry_after, first }) => {
            if first {
                let event = about(deps.event(EventType::PasswordLimited)?, subject);
                let batch = Batch::new().insert(&deps.scope(), &event);
                deps.store.commit(batch).await.map_err(CommitError::into_fault)?;
            }
            Err(Stop::Refused(Refused::Limited(retry_after)))
        }
    }
}

/// Writes the failed attempt down, for known and unknown accounts alike.
pub(super) async fn fail(deps: &Deps, subject: Option<UserId>) -> Result<Stop<Refused>, Fault> {
    let event = about(deps.event(EventType::PasswordFailed)?, subject);
    let batch = Batch::new().insert(&deps.scope(), &event);
    deps.store.commit(batch).await.map_err(CommitError::into_fault)?;
    Ok(Stop::Refused(Refused::NotValid))
}

fn about(event: Event, subject: Option<UserId>) -> Event {
    match subject {
        Some(user) => event.on(user),
        None => event,
    }
}

/// Gives a successful attempt back. If that fails it stays counted, which only costs attempts.
pub(super) async fn give_back(deps: &Deps, attempt: Attempt) {
    let reached = &deps.caches.reached;
    if let Err(fault) =
        attempt.give_back(&deps.store, &deps.scope(), reached, deps.clock.now()).await
    {
        tracing::warn!(%fault, "a successful attempt stays counted");
    }
}

/// That the owner of an account signed in from a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Familiar {
    key: String,
    until: UnixTime,
}

impl Record for Familiar {
    const TABLE: &'static Table = &Table { name: "familiar_source", indexes: &[] };

    fn key(&self) -> String {
        self.key.clone()
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Some(self.until)
    }
}

impl Familiar {
    pub(super) fn key_of(account: &str, deps: &Deps) -> String {
        Digest::of(format!("{account}\0{}", deps.source()).as_bytes()).to_string()
    }

    /// How long the source stays familiar; zero if it is not.
    pub(super) async fn left(deps: &Deps, key: &str) -> Result<Duration, Fault> {
        let found = deps.store.get::<Self>(&deps.scope(), key).await?;
        Ok(found.map_or(Duration::ZERO, |found| found.record.until.since(deps.clock.now())))
    }
}

/// Remembers the source of a successful sign-in, anew in each half of its time. A failure costs only
/// the familiarity.
pub(super) async fn remember(deps: &Deps, key: String, left: Duration) {
    if left > deps.config.limits.familiar_for / 2 {
        return;
    }
    // What is there may go; if another request was first, that is as well.
    let result = async {
        deps.store.take::<Familiar>(&deps.scope(), &key).await?;
        let until = deps.clock.now().plus(deps.config.limits.familiar_for);
        let batch = Batch::new().insert(&deps.scope(), &Familiar { key, until });
        match deps.store.commit(batch).await {
            Err(CommitError::Fault(fault)) => Err(fault),
            Ok(()) | Err(CommitError::Conflict(_)) => Ok(()),
        }
    };
    if let Err(fault) = result.await {
        tracing::warn!(%fault, "a source does not become familiar");
    }
}
