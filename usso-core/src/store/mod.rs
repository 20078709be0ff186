//! The storage contract: few verbs over declared tables, every one inside a scope.
//!
//! A flow declares a [`Table`] and implements [`Record`]; a backend implements [`Backend`]. Between
//! them stands [`Store`], which turns records into rows. There are no free-form queries and no open
//! transactions: a change is one [`Batch`] that happens as a whole or not at all, and what must be
//! true of stored state is checked by a unique index, a version or [`Store::take`], never by reading
//! first.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod memory;
#[cfg(feature = "sqlite")]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};

use crate::kernel::{
    id::TenantId,
    refusal::{Fault, FaultKind},
    time::UnixTime,
};

pub use memory::Memory;
#[cfg(any(test, feature = "testing"))]
pub use memory::{Failure, When};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions};

/// The most rows that one page may ask for.
pub const PAGE_MAX: usize = 200;

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

    /// From when on [`Store::purge`] may remove it. Whether it still counts is the flow's to judge.
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
    ops: Vec<Op>,
    broken: Option<String>,
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

/// Which rows to find: all of a scope by key, or those with a value of a declared index.
#[derive(Clone, Debug)]
pub struct Find {
    /// The name of a declared index and the value wanted; absent for all rows of the scope.
    pub by: Option<(&'static str, Value)>,
    /// Only keys from this one on.
    pub from: Option<String>,
    /// Only keys before this one.
    pub until: Option<String>,
    /// The cursor: only keys that come after this one in the order of the page.
    pub after: Option<String>,
    /// Whether the largest keys come first.
    pub descending: bool,
    /// How many rows at most, 1..=[`PAGE_MAX`]; more is cut to that.
    pub limit: usize,
}

impl Find {
    /// All rows of the scope, smallest key first, up to [`PAGE_MAX`].
    #[must_use]
    pub fn all() -> Self {
        Self { by: None, from: None, until: None, after: None, descending: false, limit: PAGE_MAX }
    }

    /// The rows with this value in the index `name`.
    #[must_use]
    pub fn by(name: &'static str, value: Value) -> Self {
        Self { by: Some((name, value)), ..Self::all() }
    }

    /// Cuts the page at `limit` rows, at least 1 and at most [`PAGE_MAX`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, PAGE_MAX);
        self
    }

    /// Continues after the last key of the page before.
    #[must_use]
    pub fn after(mut self, cursor: Option<String>) -> Self {
        self.after = cursor;
        self
    }

    /// Puts the largest keys first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The records, in order.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Turns each record into something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// A step of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bump {
    /// The counter's name in its scope.
    pub key: String,
    /// How much to add; negative gives back. The count never falls below zero.
    pub by: i64,
    /// How long a window lasts, from the first step in it.
    pub window: Duration,
}

/// A counter after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The count in the present window.
    pub value: i64,
    /// When the window ends.
    pub resets_at: UnixTime,
}

/// What a database does for usso. Implementations must pass [`conformance`].
#[async_trait]
pub trait Backend: Send + Sync + fmt::Debug {
    /// Reads rows by key; absent ones are left out. One consistent read.
    async fn get_many(
        &self,
        wanted: Vec<(Scope, &'static Table, String)>,
    ) -> Result<Vec<Option<Row>>, Fault>;

    /// Reads a page in key order.
    async fn find(
        &self,
        scope: Scope,
        table: &'static Table,
        find: Find,
    ) -> Result<Vec<Row>, Fault>;

    /// Removes a row and returns it, in one step: of many callers one gets it.
    async fn take(
        &self,
        scope: Scope,
        table: &'static Table,
        key: String,
    ) -> Result<Option<Row>, Fault>;

    /// Moves counters on, in one step, and returns their counts in the same order.
    async fn bump(
        &self,
        scope: Scope,
        bumps: Vec<Bump>,
        now: UnixTime,
    ) -> Result<Vec<Count>, Fault>;

    /// Makes all changes or none. Durable when it returns.
    async fn commit(&self, ops: Vec<Op>) -> Result<(), CommitError>;

    /// Removes up to `limit` rows of the migrated tables, and counters, whose expiry is `now` or
    /// earlier; returns how many.
    async fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, Fault>;

    /// Runs the migrations that the database lacks, or refuses if it has one that is not listed.
    async fn migrate(&self, migrations: &'static [Migration]) -> Result<(), Fault>;

    /// Answers if the store can be read.
    async fn ping(&self) -> Result<(), Fault>;
}

/// The typed door to a backend. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Arc<dyn Backend>,
}

impl Store {
    /// Opens a door to `backend`.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend) }
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed or the record is damaged.
    pub async fn get<T: Record>(
        &self,
        scope: &Scope,
        key: impl fmt::Display,
    ) -> Result<Option<Versioned<T>>, Fault> {
        let rows = self.backend.get_many(vec![(*scope, T::TABLE, key.to_string())]).await?;
        rows.into_iter().flatten().next().map(read).transpose()
    }

    /// Reads many records of one type; absent ones are `None` in their place.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed or a record is damaged.
    pub async fn get_many<T: Record>(
        &self,
        scope: &Scope,
        keys: impl IntoIterator<Item = impl fmt::Display>,
    ) -> Result<Vec<Option<Versioned<T>>>, Fault> {
        let wanted = keys.into_iter().map(|key| (*scope, T::TABLE, key.to_string())).collect();
        let rows = self.backend.get_many(wanted).await?;
        rows.into_iter().map(|row| row.map(read).transpose()).collect()
    }

    /// Reads two records of different types at once.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed or a record is damaged.
    pub async fn get_both<T: Record, U: Record>(
        &self,
        scope: &Scope,
        first: impl fmt::Display,
        second: impl fmt::Display,
    ) -> Result<(Option<Versioned<T>>, Option<Versioned<U>>), Fault> {
        let wanted =
            vec![(*scope, T::TABLE, first.to_string()), (*scope, U::TABLE, second.to_string())];
        let mut rows = self.backend.get_many(wanted).await?.into_iter();
        let first = rows.next().flatten().map(read).transpose()?;
        Ok((first, rows.next().flatten().map(read).transpose()?))
    }

    /// Reads a page.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed or a record is damaged.
    pub async fn find<T: Record>(
        &self,
        scope: &Scope,
        find: Find,
    ) -> Result<Page<Versioned<T>>, Fault> {
        let limit = find.limit.clamp(1, PAGE_MAX);
        // One more than asked for tells whether there is a next page.
        let mut rows =
            self.backend.find(*scope, T::TABLE, Find { limit: limit + 1, ..find }).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|row| row.key.clone()) } else { None };
        let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// Reads the one record with this value of a unique index.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed or the record is damaged.
    pub async fn find_one<T: Record>(
        &self,
        scope: &Scope,
        index: &'static str,
        value: Value,
    ) -> Result<Option<Versioned<T>>, Fault> {
        Ok(self.find(scope, Find::by(index, value).limit(1)).await?.items.into_iter().next())
    }

    /// Removes a record and returns it: of many callers at once, one gets it.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed or the record is damaged.
    pub async fn take<T: Record>(
        &self,
        scope: &Scope,
        key: impl fmt::Display,
    ) -> Result<Option<T>, Fault> {
        let row = self.backend.take(*scope, T::TABLE, key.to_string()).await?;
        row.map(|row| read(row).map(|found| found.record)).transpose()
    }

    /// Moves counters on, all in one step.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed.
    pub async fn bump(
        &self,
        scope: &Scope,
        bumps: &[Bump],
        now: UnixTime,
    ) -> Result<Vec<Count>, Fault> {
        self.backend.bump(*scope, bumps.to_vec(), now).await
    }

    /// Makes all changes of a batch or none. The changes are durable when this returns.
    ///
    /// # Errors
    ///
    /// [`CommitError::Conflict`] if a key, unique value or version is not as assumed,
    /// [`CommitError::Fault`] if the store failed.
    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        if let Some(broken) = batch.broken {
            return Err(Fault::new(FaultKind::Corrupt, broken).into());
        }
        self.backend.commit(batch.ops).await
    }

    /// Removes up to `limit` expired rows of all tenants; returns how many.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed.
    pub async fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, Fault> {
        self.backend.purge(now, limit).await
    }

    /// Runs the migrations that the database lacks.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Schema`] if a newer version wrote it or applied migrations were altered.
    pub async fn migrate(&self, migrations: &'static [Migration]) -> Result<(), Fault> {
        self.backend.migrate(migrations).await
    }

    /// Answers if the store can be read.
    ///
    /// # Errors
    ///
    /// [`Fault`] if it cannot.
    pub async fn ping(&self) -> Result<(), Fault> {
        self.backend.ping().await
    }
}

fn read<T: Record>(row: Row) -> Result<Versioned<T>, Fault> {
    let Row { key, version, data, .. } = row;
    match serde_json::from_str(&data) {
        Ok(record) => Ok(Versioned { record, version }),
        Err(error) => {
            let detail = format!("{} {key}: {error}", T::TABLE.name);
            Err(Fault::new(FaultKind::Corrupt, detail))
        }
    }
}
