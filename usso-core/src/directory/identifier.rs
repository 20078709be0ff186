//! The index from what a person types to the user it names. Unique per tenant by its key.

use serde::{Deserialize, Serialize};

use crate::{
    deps::Deps,
    kernel::{
        id::UserId,
        refusal::Fault,
        text::{Identifier, IdentifierType},
        time::UnixTime,
    },
    store::{Find, Index, IndexKind, Record, Table, Value, Versioned},
};

/// How many identifiers one user may have.
pub const IDENTIFIERS_MAX: usize = 20;

/// That an identifier names a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentifierRecord {
    /// The identifier.
    pub identifier: Identifier,
    /// Whom it names.
    pub user: UserId,
    /// When its owner proved to hold it; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<UnixTime>,
    /// Since when.
    pub created_at: UnixTime,
}

impl IdentifierRecord {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> IdentifierType {
        self.identifier.kind()
    }
}

impl Record for IdentifierRecord {
    const TABLE: &'static Table = &Table {
        name: "identifier",
        indexes: &[Index { name: "user", kind: IndexKind::Text, unique: false }],
    };

    fn key(&self) -> String {
        self.identifier.key()
    }

    fn indexes(&self) -> Vec<Option<Value>> {
        vec![Some(Value::text(self.user))]
    }
}

/// Finds whom an identifier names.
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn owner(deps: &Deps, identifier: &Identifier) -> Result<Option<UserId>, Fault> {
    let found = deps.store.get::<IdentifierRecord>(&deps.scope(), identifier.key()).await?;
    Ok(found.map(|found| found.record.user))
}

/// Takes as long as [`owner`] and finds nobody: for texts that are no identifiers.
pub(crate) async fn owner_of_nothing(deps: &Deps) -> Result<Option<UserId>, Fault> {
    let found = deps.store.get::<IdentifierRecord>(&deps.scope(), "").await?;
    Ok(found.map(|found| found.record.user))
}

/// Lists the identifiers of a user, at most [`IDENTIFIERS_MAX`].
///
/// # Errors
///
/// [`Fault`] if the store failed.
pub async fn of_user(deps: &Deps, user: UserId) -> Result<Vec<Versioned<IdentifierRecord>>, Fault> {
    let find = Find::by("user", Value::text(user)).limit(IDENTIFIERS_MAX);
    Ok(deps.store.find(&deps.scope(), find).await?.items)
}
