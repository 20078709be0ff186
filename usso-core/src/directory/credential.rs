//! By what a user can prove to be itself. Each flow keeps its own text in it.

use serde::{Deserialize, Serialize};

use crate::{
    deps::Deps,
    kernel::{id::UserId, proof::Method, refusal::Fault, time::UnixTime},
    store::{Find, Index, IndexKind, PAGE_MAX, Record, Table, Value, Versioned},
};

/// A credential of a user: one per method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential<T = serde_json::Value> {
    /// Whose.
    pub user: UserId,
    /// For which method.
    pub method: Method,
    /// What the flow needs to check it: digests and hashes, never the secret.
    pub data: T,
    /// When it was set.
    pub changed_at: UnixTime,
}

impl<T> Credential<T> {
    /// The key of a user's credential for a method.
    #[must_use]
    pub fn key_of(method: Method, user: UserId) -> String {
        format!("{}:{user}", method.as_str())
    }
}

impl<T: Serialize + for<'de> Deserialize<'de> + Send + Sync> Record for Credential<T> {
    const TABLE: &'static Table = &Table {
        name: "credential",
        indexes: &[Index { name: "user", kind: IndexKind::Text, unique: false }],
    };

    fn key(&self) -> String {
        Self::key_of(self.method, self.user)
    }

    fn indexes(&self) -> Vec<Option<Value>> {
        vec![Some(Value::text(self.user))]
    }
}

/// Lists the credentials of a user, at most 200.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn of_user(deps: &Deps, user: UserId) -> Result<Vec<Versioned<Credential>>, Fault> {
    let find = Find::by("user", Value::text(user)).limit(PAGE_MAX);
    Ok(deps.store.find(&deps.scope(), find).await?.items)
}
