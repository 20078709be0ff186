//! Declared tables and the records in them.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::kernel::{id::TenantId, time::UnixTime};

/// Whose rows: a tenant's, or the platform's own (the list of tenants).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Rows of the installation: tenants and their domains.
    Platform,
    /// Rows of one tenant.
    Tenant(TenantId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Tenant(tenant) => tenant.fmt(f),
        }
    }
}

/// A declared table. Its rows are named by scope and key.
#[derive(Debug)]
pub struct Table {
    /// Lower-case ASCII letters and `_`; SQL backends put `usso_` before it.
    pub name: &'static str,
    /// The indexes, in the order in which [`Record::indexes`] gives their values.
    pub indexes: &'static [Index],
}

/// A declared index of a table. SQL backends give it a column of its own.
#[derive(Debug)]
pub struct Index {
    /// Lower-case ASCII letters and `_`.
    pub name: &'static str,
    /// The type of its values.
    pub kind: IndexKind,
    /// Whether two rows of a scope may not share a value. Absent values never collide.
    pub unique: bool,
}

/// The type of an index's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Signed 64-bit numbers.
    Integer,
    /// Text, compared byte by byte.
    Text,
}

/// A value in an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl Value {
    /// Makes a text value.
    #[must_use]
    pub fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }
}

/// One step of a schema: the tables that it adds.
#[derive(Debug)]
pub struct Migration {
    /// Counts from 1 without gaps.
    pub version: u32,
    /// What it does, for people.
    pub name: &'static str,
    /// The tables it creates, as they were when it was released.
    pub tables: &'static [&'static Table],
}

/// A value that is stored as a row of a declared table.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// The table that holds records of this type.
    const TABLE: &'static Table;

    /// The key, unique in table and scope.
    fn key(&self) -> String;

    /// The values of the table's indexes, in their order.
    fn indexes(&self) -> Vec<Option<Value>> {
        Vec::new()
    }

    /// From when on [`Store::purge`](super::Store::purge) may remove it. Whether it still counts is
    /// the flow's to judge.
    fn expires_at(&self) -> Option<UnixTime> {
        None
    }
}

/// A record as it was read, with the version that a change of it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The record.
    pub record: T,
    /// Counts its changes.
    pub version: u64,
}

/// A stored record as backends see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The record's key.
    pub key: String,
    /// 1 when inserted, one more with each change.
    pub version: u64,
    /// From when on it may be purged.
    pub expires_at: Option<UnixTime>,
    /// One value per declared index.
    pub indexes: Vec<Option<Value>>,
    /// The record as JSON.
    pub data: String,
}
