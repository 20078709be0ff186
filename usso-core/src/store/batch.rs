//! Changes that happen together or not at all.

use std::fmt;

use super::{Record, Row, Scope, Table};
use crate::kernel::refusal::{Fault, FaultKind};

/// One change of a batch.
#[derive(Clone, Debug)]
pub struct Op {
    /// Whose row.
    pub scope: Scope,
    /// In which table.
    pub table: &'static Table,
    /// What to do.
    pub change: Change,
}

/// What a batch does to one row.
#[derive(Clone, Debug)]
pub enum Change {
    /// Adds a row whose key and unique values are not taken.
    Insert(Row),
    /// Removes the row if it still has this version.
    Remove {
        /// The key.
        key: String,
        /// The version that was read.
        version: u64,
    },
    /// Replaces the row if it still has the version that `Row::version` follows.
    Replace(Row),
}

/// Changes that happen together or not at all.
#[derive(Clone, Debug, Default)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(super) ops: Vec<Op>,
    pub(super) broken: Option<String>,
}

impl Batch {
    /// Starts an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record.
    pub fn insert<T: Record>(self, scope: &Scope, record: &T) -> Self {
        self.push(scope, record, 1, Change::Insert)
    }

    /// Replaces a record that was read with `version`.
    pub fn replace<T: Record>(self, scope: &Scope, record: &T, version: u64) -> Self {
        self.push(scope, record, version + 1, Change::Replace)
    }

    /// Removes a record that was read with `version`.
    pub fn remove<T: Record>(
        mut self,
        scope: &Scope,
        key: impl fmt::Display,
        version: u64,
    ) -> Self {
        let change = Change::Remove { key: key.to_string(), version };
        self.ops.push(Op { scope: *scope, table: T::TABLE, change });
        self
    }

    fn push<T: Record>(
        mut self,
        scope: &Scope,
        record: &T,
        version: u64,
        change: fn(Row) -> Change,
    ) -> Self {
        match serde_json::to_string(record) {
            Ok(data) => {
                let row = Row {
                    key: record.key(),
                    version,
                    expires_at: record.expires_at(),
                    indexes: record.indexes(),
                    data,
                };
                self.ops.push(Op { scope: *scope, table: T::TABLE, change: change(row) });
            }
            Err(error) => self.broken = Some(format!("{}: {error}", T::TABLE.name)),
        }
        self
    }
}

/// Why a batch did not happen.
#[derive(Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The stored state is not what the batch assumed. Nothing changed.
    Conflict(Conflict),
    /// The store failed.
    Fault(Fault),
}

impl CommitError {
    /// Takes a conflict for a fault, where nobody else can have changed the rows concerned.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Conflict(conflict) => {
                Fault::new(FaultKind::StoreUnavailable, format!("conflict on {}", conflict.table))
            }
            Self::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Which assumption of a batch did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The table of the row.
    pub table: &'static str,
    /// In which way.
    pub kind: ConflictKind,
}

/// How the stored state differs from what a batch assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// The row has another version, or is gone.
    Changed,
    /// The key or a unique value is taken.
    Taken,
}
