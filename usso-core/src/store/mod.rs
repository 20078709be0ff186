//! The storage contract: few verbs over declared tables, every one inside a scope.
//!
//! A flow declares a [`Table`] and implements [`Record`]; a backend implements [`Backend`]. Between
//! them stands [`Store`], which turns records into rows. There are no free-form queries and no open
//! transactions: a change is one [`Batch`] that happens as a whole or not at all, and what must be
//! true of stored state is checked by a unique index, a version or [`Store::take`], never by reading
//! first.

mod batch;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod find;
mod memory;
#[cfg(feature = "sqlite")]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::kernel::{
    refusal::{Fault, FaultKind},
    time::UnixTime,
};

pub use batch::{Batch, Change, CommitError, Conflict, ConflictKind, Op};
pub use find::{Find, PAGE_MAX, Page};
pub use memory::Memory;
#[cfg(any(test, feature = "testing"))]
pub use memory::{Failure, When};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions};
pub use table::{Index, IndexKind, Migration, Record, Row, Scope, Table, Value, Versioned};

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

    /// Brings everything into the place where backups look for it. What was acknowledged is durable
    /// without it.
    async fn checkpoint(&self) -> Result<(), Fault> {
        Ok(())
    }

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

    /// Brings everything into the place where backups look for it: with SQLite, from the log into
    /// the main file. Call it when the process is about to end.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the store failed; what was acknowledged is durable all the same.
    pub async fn checkpoint(&self) -> Result<(), Fault> {
        self.backend.checkpoint().await
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
