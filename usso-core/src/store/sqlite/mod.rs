//! SQLite in one file: WAL, one writer thread that commits waiting changes together, readers beside
//! it.
//!
//! A commit is acknowledged after it is on disk (`synchronous=FULL`). Changes that arrive while the
//! disk is busy share the next sync; each keeps its own savepoint, so one that conflicts does not
//! touch the others.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params_from_iter, types};
use tokio::sync::{Semaphore, mpsc, oneshot};

mod migrate;

use super::{
    Backend, Bump, Change, CommitError, Conflict, ConflictKind, Count, Find, Migration, Op, Row,
    Scope, Table, Value, sql,
};
use crate::kernel::{
    refusal::{Fault, FaultKind},
    time::UnixTime,
};

/// How many waiting changes one disk sync carries at most.
const GROUP_MAX: usize = 256;
/// How many changes may wait for the writer before callers wait for a place.
const QUEUE: usize = 1024;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 64;

/// How a database file is opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The size in bytes that the file may grow to, at least 64 KiB; default: as large as the disk
    /// allows. A change that does not fit fails as [`FaultKind::StoreFull`] and leaves nothing.
    pub max_bytes: Option<u64>,
    /// Whether nothing may be written, as for a copy that is only looked at; default no.
    pub read_only: bool,
    /// How many reads run at once, 1..=64; default 4.
    pub readers: Option<usize>,
}

impl SqliteOptions {
    /// Bounds the size of the file.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Forbids writing.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

/// A store in a SQLite file. Cheap to clone; clones share writer and readers.
#[derive(Clone, Debug)]
pub struct Sqlite(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    jobs: mpsc::Sender<Message>,
    idle: Mutex<Vec<Connection>>,
    reading: Semaphore,
    tables: OnceLock<Vec<&'static str>>,
    /// Goes with the store that a test made in it.
    #[cfg(test)]
    directory: Option<tempfile::TempDir>,
}

/// A change: runs inside the group's transaction, if there is one, and says how to report once that
/// is committed.
type Job = Box<dyn FnOnce(Result<&Connection, Fault>) -> Settle + Send>;
type Settle = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// What the writer is asked for.
enum Message {
    Change(Job),
    /// Bring the log into the main file.
    Checkpoint(oneshot::Sender<Result<(), Fault>>),
}

impl Sqlite {
    /// Opens a database file, or creates it readable by its owner only.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the file cannot be opened or is not a database.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, Fault> {
        let path = path.as_ref().to_owned();
        let named = |fault: Fault| Fault::new(fault.kind(), format!("{}: {fault}", path.display()));
        if !options.read_only {
            create_private(&path).map_err(|error| {
                named(Fault::new(FaultKind::StoreUnavailable, error.to_string()))
            })?;
        }
        let writer = writer(&path, options).map_err(|error| named(fault(&error)))?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("usso-sqlite".to_owned())
            .spawn(move || write_loop(&writer, queue))
            .map_err(|error| Fault::new(FaultKind::StoreUnavailable, error.to_string()))?;
        let reading = Semaphore::new(options.readers.unwrap_or(4).clamp(1, 64));
        Ok(Self(Arc::new(Inner {
            path,
            jobs,
            idle: Mutex::default(),
            reading,
            tables: OnceLock::new(),
            #[cfg(test)]
            directory: None,
        })))
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, CommitError> + Send + 'static,
    ) -> Result<T, CommitError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let result =
                transaction.map_err(CommitError::Fault).and_then(|open| in_savepoint(open, work));
            Box::new(move |group| {
                // A caller that stopped waiting does not undo its change.
                drop(reply.send(group.map_err(CommitError::Fault).and(result)));
            })
        });
        self.0.jobs.send(Message::Change(job)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let _place = self.0.reading.acquire().await.map_err(|_| stopped())?;
        let inner = Arc::clone(&self.0);
        let reading = tokio::task::spawn_blocking(move || {
            let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = idle.map_or_else(|| reader(&inner.path), Ok)?;
            let result = work(&connection);
            inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        });
        let result = reading
            .await
            .map_err(|error| Fault::new(FaultKind::StoreUnavailable, error.to_string()))?;
        result.map_err(|error| fault(&error))
    }
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    open.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    match open.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn writer(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if options.read_only {
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    tracing::debug!(mode, "database opened");
    connection.pragma_update(None, "synchronous", "full")?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1)).max(16);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Runs until the last handle to the store is gone.
fn write_loop(connection: &Connection, mut queue: mpsc::Receiver<Message>) {
    while let Some(first) = queue.blocking_recv() {
        let mut next = Some(first);
        let mut group = Vec::new();
        while let Some(Message::Change(job)) = next {
            group.push(job);
            next = if group.len() < GROUP_MAX { queue.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            run_group(connection, group);
        }
        if let Some(Message::Checkpoint(reply)) = next {
            drop(reply.send(checkpoint(connection)));
        }
    }
}

fn checkpoint(connection: &Connection) -> Result<(), Fault> {
    let run = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    run.map_err(|error| fault(&error))
}

fn run_group(connection: &Connection, group: Vec<Job>) {
    let mut settles = Vec::with_capacity(group.len());
    let mut outcome = connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| fault(&error));
    for job in group {
        settles.push(job(outcome.clone().map(|()| connection)));
        // On a full disk SQLite may roll the whole transaction back by itself. What was in it is
        // lost then, and what follows must not run outside of it.
        if outcome.is_ok() && connection.is_autocommit() {
            outcome = Err(Fault::new(FaultKind::StoreFull, "the transaction was rolled back"));
        }
    }
    if outcome.is_ok() {
        outcome = connection.execute_batch("COMMIT").map_err(|error| fault(&error));
    }
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "rollback failed");
    }
    for settle in settles {
        settle(outcome.clone());
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, CommitError>,
) -> Result<T, CommitError> {
    let run = |text: &str| {
        connection.execute_batch(text).map_err(|error| CommitError::Fault(fault(&error)))
    };
    run("SAVEPOINT job")?;
    match work(connection) {
        Ok(value) => run("RELEASE job").map(|()| value),
        Err(error) => {
            // The savepoint is gone already if SQLite rolled the transaction back by itself.
            if !connection.is_autocommit() {
                run("ROLLBACK TO job; RELEASE job")?;
            }
            Err(error)
        }
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn get_many(
        &self,
        wanted: Vec<(Scope, &'static Table, String)>,
    ) -> Result<Vec<Option<Row>>, Fault> {
        self.read(move |connection| {
            // One transaction: all rows are of one moment.
            let snapshot = connection.unchecked_transaction()?;
            let one = |(scope, table, key): (Scope, &'static Table, String)| {
                let mut statement = snapshot.prepare_cached(&sql::select(table))?;
                statement.query_row((scope.to_string(), key), |row| read_row(row, table)).optional()
            };
            wanted.into_iter().map(one).collect()
        })
        .await
    }

    async fn find(
        &self,
        scope: Scope,
        table: &'static Table,
        find: Find,
    ) -> Result<Vec<Row>, Fault> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&sql::find(table, &find))?;
            let limit = types::Value::Integer(i64::try_from(find.limit).unwrap_or(i64::MAX));
            let value = find.by.map(|(_, value)| sql_value(Some(value)));
            let keys =
                [find.from, find.until, find.after].into_iter().flatten().map(types::Value::Text);
            let parameters = std::iter::once(types::Value::Text(scope.to_string()))
                .chain(value)
                .chain(keys)
                .chain(std::iter::once(limit));
            statement.query_map(params_from_iter(parameters), |row| read_row(row, table))?.collect()
        })
        .await
    }

    async fn take(
        &self,
        scope: Scope,
        table: &'static Table,
        key: String,
    ) -> Result<Option<Row>, Fault> {
        self.write(move |connection| {
            let taken = connection.prepare_cached(&sql::take(table)).and_then(|mut statement| {
                statement.query_row((scope.to_string(), key), |row| read_row(row, table)).optional()
            });
            taken.map_err(|error| CommitError::Fault(fault(&error)))
        })
        .await
        .map_err(CommitError::into_fault)
    }

    async fn bump(
        &self,
        scope: Scope,
        bumps: Vec<Bump>,
        now: UnixTime,
    ) -> Result<Vec<Count>, Fault> {
        self.write(move |connection| {
            let one = |bump: Bump| {
                let end = millis(now.plus(bump.window));
                let mut statement = connection.prepare_cached(sql::BUMP)?;
                statement
                    .query_row((scope.to_string(), bump.key, bump.by, millis(now), end), |row| {
                        Ok(Count { value: row.get(0)?, resets_at: time(row.get(1)?) })
                    })
            };
            let counts: rusqlite::Result<Vec<Count>> = bumps.into_iter().map(one).collect();
            counts.map_err(|error| CommitError::Fault(fault(&error)))
        })
        .await
        .map_err(CommitError::into_fault)
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), CommitError> {
        self.write(move |connection| ops.into_iter().try_for_each(|op| apply(connection, op))).await
    }

    async fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, Fault> {
        let tables = self.0.tables.get().cloned().unwrap_or_default();
        self.write(move |connection| {
            let mut left = limit;
            for name in tables.into_iter().chain(std::iter::once("counter")) {
                let bound = i64::try_from(left).unwrap_or(i64::MAX);
                let removed = connection
                    .prepare_cached(&sql::purge(name))
                    .and_then(|mut statement| statement.execute((millis(now), bound)))
                    .map_err(|error| CommitError::Fault(fault(&error)))?;
                left = left.saturating_sub(removed);
            }
            Ok(limit - left)
        })
        .await
        .map_err(CommitError::into_fault)
    }

    async fn migrate(&self, migrations: &'static [Migration]) -> Result<(), Fault> {
        let tables = migrations
            .iter()
            .flat_map(|migration| migration.tables)
            .map(|table| table.name)
            .collect();
        self.0.tables.get_or_init(|| tables);
        let applied = self.read(migrate::applied).await?;
        if migrate::missing(migrations, &applied)?.is_empty() {
            return Ok(());
        }
        self.write(move |connection| {
            // Another process may have migrated since: what is still missing is decided here.
            let applied = migrate::applied(connection).map_err(|error| fault(&error))?;
            for migration in migrate::missing(migrations, &applied)? {
                migrate::run(connection, migration).map_err(|error| fault(&error))?;
            }
            Ok(())
        })
        .await
        .map_err(CommitError::into_fault)
    }

    async fn checkpoint(&self) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.0.jobs.send(Message::Checkpoint(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.read(|connection| {
            connection.query_row("SELECT count(*) FROM usso_migration", (), |_| Ok(()))
        })
        .await
    }
}

fn apply(connection: &Connection, op: Op) -> Result<(), CommitError> {
    let table = op.table;
    let conflict = |kind| CommitError::Conflict(Conflict { table: table.name, kind });
    let run = |text: &str, parameters: Vec<types::Value>| {
        let run = connection
            .prepare_cached(text)
            .and_then(|mut statement| statement.execute(params_from_iter(parameters)));
        match run {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(conflict(ConflictKind::Taken))
            }
            Err(error) => Err(CommitError::Fault(fault(&error))),
            Ok(changed) => Ok(changed),
        }
    };
    let changed = match op.change {
        Change::Insert(row) => run(&sql::insert(table), parameters(op.scope, row))?,
        Change::Replace(row) => {
            let previous = number(row.version - 1);
            let mut parameters = parameters(op.scope, row);
            parameters.push(previous);
            run(&sql::replace(table), parameters)?
        }
        Change::Remove { key, version } => {
            let parameters = vec![op.scope.to_string().into(), key.into(), number(version)];
            run(&sql::remove(table), parameters)?
        }
    };
    if changed == 1 { Ok(()) } else { Err(conflict(ConflictKind::Changed)) }
}

fn parameters(scope: Scope, row: Row) -> Vec<types::Value> {
    let mut parameters = vec![
        scope.to_string().into(),
        row.key.into(),
        number(row.version),
        row.expires_at.map_or(types::Value::Null, |end| millis(end).into()),
    ];
    parameters.extend(row.indexes.into_iter().map(sql_value));
    parameters.push(row.data.into());
    parameters
}

fn sql_value(value: Option<Value>) -> types::Value {
    match value {
        None => types::Value::Null,
        Some(Value::Integer(number)) => number.into(),
        Some(Value::Text(text)) => text.into(),
    }
}

fn read_row(row: &rusqlite::Row<'_>, table: &Table) -> rusqlite::Result<Row> {
    let index = |(at, _)| {
        Ok(match row.get(at + 4)? {
            types::Value::Integer(number) => Some(Value::Integer(number)),
            types::Value::Text(text) => Some(Value::Text(text)),
            _ => None,
        })
    };
    Ok(Row {
        key: row.get(1)?,
        version: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
        expires_at: row.get::<_, Option<i64>>(3)?.map(time),
        indexes: table.indexes.iter().enumerate().map(index).collect::<rusqlite::Result<_>>()?,
        data: row.get(table.indexes.len() + 4)?,
    })
}

fn millis(time: UnixTime) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> UnixTime {
    UnixTime::from_millis(u64::try_from(millis).unwrap_or_default())
}

fn number(version: u64) -> types::Value {
    types::Value::Integer(i64::try_from(version).unwrap_or(i64::MAX))
}

fn stopped() -> Fault {
    Fault::new(FaultKind::StoreUnavailable, "the store was closed")
}

fn fault(error: &rusqlite::Error) -> Fault {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => FaultKind::StoreFull,
        Some(ErrorCode::ReadOnly) => FaultKind::StoreReadOnly,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => FaultKind::Corrupt,
        _ => FaultKind::StoreUnavailable,
    };
    Fault::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// A file in a directory that is removed with the last handle to the store.
    fn store() -> Store {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let mut sqlite = Sqlite::open(path, &SqliteOptions::default()).unwrap();
        Arc::get_mut(&mut sqlite.0).unwrap().directory = Some(directory);
        Store::new(sqlite)
    }

    #[tokio::test]
    async fn a_checkpoint_empties_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let store = Store::new(Sqlite::open(&path, &SqliteOptions::default()).unwrap());
        store.migrate(super::super::conformance::MIGRATIONS).await.unwrap();
        let log = || std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
        assert_ne!(log(), 0);
        store.checkpoint().await.unwrap();
        assert_eq!(log(), 0);
    }

    crate::conformance_suite!(conformance, async || store());
}
