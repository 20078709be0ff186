//! What happened: the entry that every security-relevant change writes in its own commit.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{
    id::{EventId, SessionId},
    time::UnixTime,
};
use crate::store::{Index, IndexKind, Record, Table, Value};

/// The types of events, in the form `subject.what_happened`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventType {
    /// A tenant's signing keys moved on: next became current, current retired.
    #[serde(rename = "keys.rotated")]
    KeysRotated,
    /// A user set a new password.
    #[serde(rename = "password.changed")]
    PasswordChanged,
    /// A sign-in or password change was tried with a wrong secret or an unknown identifier.
    #[serde(rename = "password.failed")]
    PasswordFailed,
    /// An attempt limit was reached; written once per limit and window.
    #[serde(rename = "password.limited")]
    PasswordLimited,
    /// The operator reset an administrator's password through the configuration.
    #[serde(rename = "password.reset")]
    PasswordReset,
    /// A session ended by logout, was revoked, or made room for a newer one.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// All sessions of a user ended at once.
    #[serde(rename = "session.ended_all")]
    SessionEndedAll,
    /// A session was opened.
    #[serde(rename = "session.opened")]
    SessionOpened,
    /// A refresh token was exchanged for its successor; at most once a minute for a session.
    #[serde(rename = "session.refreshed")]
    SessionRefreshed,
    /// A refresh token that was already exchanged came back; its session ended.
    #[serde(rename = "session.reuse_detected")]
    SessionReuseDetected,
    /// A tenant was created.
    #[serde(rename = "tenant.created")]
    TenantCreated,
    /// A tenant's name, domains, settings or status changed.
    #[serde(rename = "tenant.updated")]
    TenantUpdated,
    /// A user was created.
    #[serde(rename = "user.created")]
    UserCreated,
    /// A user was deleted.
    #[serde(rename = "user.deleted")]
    UserDeleted,
    /// A user's name, roles, scopes or status changed.
    #[serde(rename = "user.updated")]
    UserUpdated,
}

impl EventType {
    /// Every type, in alphabetical order of its text.
    pub const ALL: &'static [Self] = &[
        Self::KeysRotated,
        Self::PasswordChanged,
        Self::PasswordFailed,
        Self::PasswordLimited,
        Self::PasswordReset,
        Self::SessionEnded,
        Self::SessionEndedAll,
        Self::SessionOpened,
        Self::SessionRefreshed,
        Self::SessionReuseDetected,
        Self::TenantCreated,
        Self::TenantUpdated,
        Self::UserCreated,
        Self::UserDeleted,
        Self::UserUpdated,
    ];

    /// The text form, such as `session.opened`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeysRotated => "keys.rotated",
            Self::PasswordChanged => "password.changed",
            Self::PasswordFailed => "password.failed",
            Self::PasswordLimited => "password.limited",
            Self::PasswordReset => "password.reset",
            Self::SessionEnded => "session.ended",
            Self::SessionEndedAll => "session.ended_all",
            Self::SessionOpened => "session.opened",
            Self::SessionRefreshed => "session.refreshed",
            Self::SessionReuseDetected => "session.reuse_detected",
            Self::TenantCreated => "tenant.created",
            Self::TenantUpdated => "tenant.updated",
            Self::UserCreated => "user.created",
            Self::UserDeleted => "user.deleted",
            Self::UserUpdated => "user.updated",
        }
    }

    /// Reads the text form; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == text)
    }
}

/// From where and by which request something was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The client's address, taken from the connection or from a configured proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The request id under which logs can be found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// The `User-Agent`, cut to 256 characters. Never used for decisions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Sorts by time.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When.
    pub at: UnixTime,
    /// Who did it: a user id, or `operator` for the configuration. Empty when nobody was verified.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// What it was done to: the id of a user, tenant or key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The session concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// From where.
    #[serde(flatten)]
    pub origin: Origin,
    /// More, by type of event. Holds no secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
    /// When the entry may be purged.
    pub keep_until: UnixTime,
}

impl Event {
    /// Names who did it.
    #[must_use]
    pub fn by(mut self, actor: impl fmt::Display) -> Self {
        self.actor = actor.to_string();
        self
    }

    /// Names what it was done to.
    #[must_use]
    pub fn on(mut self, subject: impl fmt::Display) -> Self {
        self.subject = subject.to_string();
        self
    }

    /// Names the session concerned.
    #[must_use]
    pub fn in_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }

    /// The value of the index over actor and type together.
    pub(crate) fn actor_and_type(actor: &str, kind: EventType) -> String {
        format!("{actor} {}", kind.as_str())
    }
}

impl Record for Event {
    const TABLE: &'static Table = &Table {
        name: "event",
        indexes: &[
            Index { name: "actor", kind: IndexKind::Text, unique: false },
            Index { name: "type", kind: IndexKind::Text, unique: false },
            Index { name: "actor_type", kind: IndexKind::Text, unique: false },
        ],
    };

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<Option<Value>> {
        vec![
            Some(Value::text(&self.actor)),
            Some(Value::text(self.kind.as_str())),
            Some(Value::text(Self::actor_and_type(&self.actor, self.kind))),
        ]
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Some(self.keep_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_text_form() {
        for kind in EventType::ALL {
            assert_eq!(EventType::parse(kind.as_str()), Some(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!(EventType::ALL.is_sorted_by_key(|kind| kind.as_str()));
        assert_eq!(EventType::parse("session"), None);
    }
}
