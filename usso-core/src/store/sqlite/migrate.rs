//! Which migrations a database has, and running those it lacks.

use rusqlite::Connection;

use super::super::{Migration, sql};
use crate::kernel::{
    refusal::{Fault, FaultKind},
    secret::Digest,
};

/// Version and checksum of each applied migration; none for a new database.
pub(super) fn applied(connection: &Connection) -> rusqlite::Result<Vec<(u32, String)>> {
    let known: bool = connection.query_row(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'usso_migration'",
        (),
        |row| row.get(0),
    )?;
    if !known {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare("SELECT version, checksum FROM usso_migration ORDER BY version")?;
    statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Refuses databases of a newer version or with altered migrations; gives those still to run.
pub(super) fn missing(
    migrations: &'static [Migration],
    applied: &[(u32, String)],
) -> Result<&'static [Migration], Fault> {
    for (position, (version, stored)) in applied.iter().enumerate() {
        let known = migrations.get(position).filter(|migration| migration.version == *version);
        let Some(migration) = known else {
            let detail = format!(
                "the database has migration {version}, which this version of usso does not know; \
                 run the version that wrote it, or a newer one"
            );
            return Err(Fault::new(FaultKind::Schema, detail));
        };
        if *stored != checksum(migration) {
            let detail = format!(
                "migration {version} in the database is not the one of this version of usso"
            );
            return Err(Fault::new(FaultKind::Schema, detail));
        }
    }
    Ok(migrations.get(applied.len()..).unwrap_or_default())
}

fn checksum(migration: &Migration) -> String {
    Digest::of(sql::migration(&sql::SQLITE, migration).join(";\n").as_bytes()).to_string()
}

pub(super) fn run(connection: &Connection, migration: &Migration) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS usso_migration \
         (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT",
    )?;
    for statement in sql::migration(&sql::SQLITE, migration) {
        connection.execute_batch(&statement)?;
    }
    let row = (migration.version, migration.name, checksum(migration));
    connection
        .execute("INSERT INTO usso_migration (version, name, checksum) VALUES (?1, ?2, ?3)", row)?;
    Ok(())
}
