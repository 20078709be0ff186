//! The audit log: query by actor, type and time, newest first.
//!
//! Entries are written by the operations themselves, in the same commit as the change they record.

use crate::{
    deps::Deps,
    kernel::{
        event::{Event, EventType},
        id::EventId,
        refusal::Fault,
        time::UnixTime,
    },
    store::{Find, Page, Value},
};

/// Which entries are wanted. Absent fields do not restrict.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Entries of this actor: a user id, `operator` or `usso`.
    pub actor: Option<String>,
    /// Entries of this type.
    pub kind: Option<EventType>,
    /// Entries from this time on.
    pub from: Option<UnixTime>,
    /// Entries before this time.
    pub until: Option<UnixTime>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
    /// How many entries at most, 1..=200.
    pub limit: usize,
}

/// Reads a page of the tenant's entries, newest first.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn query(deps: &Deps, query: Query) -> Result<Page<Event>, Fault> {
    let by = match (query.actor, query.kind) {
        (Some(actor), Some(kind)) => {
            Some(("actor_type", Value::Text(Event::actor_and_type(&actor, kind))))
        }
        (Some(actor), None) => Some(("actor", Value::Text(actor))),
        (None, Some(kind)) => Some(("type", Value::text(kind.as_str()))),
        (None, None) => None,
    };
    let bound = |time: UnixTime| EventId::earliest_at(time).to_string();
    let find =
        Find { by, from: query.from.map(bound), until: query.until.map(bound), ..Find::all() };
    let page = deps
        .store
        .find(&deps.scope(), find.limit(query.limit).after(query.cursor).descending())
        .await?;
    Ok(page.map(|found| found.record))
}
