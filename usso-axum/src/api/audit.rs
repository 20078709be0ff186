//! `audit`: for administrators of the tenant.

use axum::Json as Answer;
use serde::Deserialize;
use usso_core::{
    flow::audit::{self, Query},
    kernel::{event::EventType, time::UnixTime},
};
use utoipa::IntoParams;

use super::view::{EventView, Page, page_limit};
use crate::http::{
    caller::Admin,
    error::{ErrorBody, Failure},
    input::Parameters,
};

/// Which entries are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Entries of this actor: a user id, `operator` or `usso`.
    actor: Option<String>,
    /// Entries of this type, such as `session.opened`.
    #[param(value_type = Option<String>)]
    r#type: Option<EventType>,
    /// Entries from this time on, RFC 3339.
    #[param(value_type = Option<String>)]
    from: Option<Time>,
    /// Entries before this time, RFC 3339.
    #[param(value_type = Option<String>)]
    until: Option<Time>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many entries at most, 1 to 200; default 50.
    limit: Option<usize>,
}

/// A time in a query, RFC 3339.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Time(UnixTime);

impl TryFrom<String> for Time {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        UnixTime::parse_rfc3339(&text)
            .map(Self)
            .ok_or("not an RFC 3339 time such as 2026-01-31T12:00:00Z")
    }
}

/// Reads the tenant's audit log, newest entries first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Filter), security(("bearer" = [])), responses(
    (status = 200, body = Page<EventView>),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 422, body = ErrorBody, description = "`request.invalid`"),
))]
pub(crate) async fn query(
    Admin { deps, .. }: Admin,
    Parameters(filter): Parameters<Filter>,
) -> Result<Answer<Page<EventView>>, Failure> {
    let query = Query {
        actor: filter.actor,
        kind: filter.r#type,
        from: filter.from.map(|time| time.0),
        until: filter.until.map(|time| time.0),
        cursor: filter.cursor,
        limit: page_limit(filter.limit)?,
    };
    Ok(Answer(audit::query(&deps, query).await?.map(EventView::from).into()))
}
