//! SQL text made from declared tables. One place for every SQL database; dialects differ only in
//! what [`Dialect`] names.

use super::{Find, Index, IndexKind, Migration, Table};

/// The words in which SQL databases differ.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The type of a 64-bit number.
    pub(super) integer: &'static str,
    /// The type of a text that is compared byte by byte.
    pub(super) text: &'static str,
    /// What follows a table whose rows are stored by their primary key.
    pub(super) clustered: &'static str,
}

/// SQLite.
pub(super) const SQLITE: Dialect =
    Dialect { integer: "INTEGER", text: "TEXT", clustered: " STRICT, WITHOUT ROWID" };

/// The statements that a migration runs, in order.
pub(super) fn migration(dialect: &Dialect, migration: &Migration) -> Vec<String> {
    let mut statements: Vec<String> =
        migration.tables.iter().flat_map(|table| create(dialect, table)).collect();
    if migration.version == 1 {
        let Dialect { integer, text, clustered } = dialect;
        statements.push(format!(
            "CREATE TABLE usso_counter (tenant {text} NOT NULL, key {text} NOT NULL, \
             value {integer} NOT NULL, expires_at {integer} NOT NULL, PRIMARY KEY (tenant, key)){clustered}"
        ));
        statements
            .push("CREATE INDEX usso_counter_expires_at ON usso_counter (expires_at)".to_owned());
    }
    statements
}

fn create(dialect: &Dialect, table: &Table) -> Vec<String> {
    let Dialect { integer, text, clustered } = dialect;
    let name = table.name;
    let columns = table
        .indexes
        .iter()
        .map(|index| {
            let kind = if index.kind == IndexKind::Integer { integer } else { text };
            format!("\"{}\" {kind}, ", index.name)
        })
        .collect::<Vec<_>>()
        .concat();
    let main = format!(
        "CREATE TABLE usso_{name} (tenant {text} NOT NULL, key {text} NOT NULL, version {integer} NOT NULL, \
         expires_at {integer}, {columns}data {text} NOT NULL, PRIMARY KEY (tenant, key)){clustered}"
    );
    let expiry = format!(
        "CREATE INDEX usso_{name}_expires_at ON usso_{name} (expires_at) WHERE expires_at IS NOT NULL"
    );
    let secondary = table.indexes.iter().map(|Index { name: column, unique, .. }| {
        if *unique {
            format!(
                "CREATE UNIQUE INDEX usso_{name}_{column} ON usso_{name} (tenant, \"{column}\")"
            )
        } else {
            format!("CREATE INDEX usso_{name}_{column} ON usso_{name} (tenant, \"{column}\", key)")
        }
    });
    [main, expiry].into_iter().chain(secondary).collect()
}

/// `tenant, key, version, expires_at, <indexes>, data`, the order of every row.
fn columns(table: &Table) -> String {
    let indexes = table
        .indexes
        .iter()
        .map(|index| format!("\"{}\", ", index.name))
        .collect::<Vec<_>>()
        .concat();
    format!("tenant, key, version, expires_at, {indexes}data")
}

pub(super) fn select(table: &Table) -> String {
    format!("SELECT {} FROM usso_{} WHERE tenant = ?1 AND key = ?2", columns(table), table.name)
}

/// Finds a page. Parameters: tenant, then the index value, from, until and after where present, then
/// the limit.
pub(super) fn find(table: &Table, find: &Find) -> String {
    let mut clauses = vec!["tenant = ?1".to_owned()];
    let mut parameter = 1;
    let mut clause = |text: &str| {
        parameter += 1;
        clauses.push(format!("{text} ?{parameter}"));
    };
    if let Some((name, _)) = &find.by {
        clause(&format!("\"{name}\" ="));
    }
    if find.from.is_some() {
        clause("key >=");
    }
    if find.until.is_some() {
        clause("key <");
    }
    if find.after.is_some() {
        clause(if find.descending { "key <" } else { "key >" });
    }
    let order = if find.descending { "DESC" } else { "ASC" };
    format!(
        "SELECT {} FROM usso_{} WHERE {} ORDER BY key {order} LIMIT ?{}",
        columns(table),
        table.name,
        clauses.join(" AND "),
        parameter + 1
    )
}

pub(super) fn take(table: &Table) -> String {
    format!(
        "DELETE FROM usso_{} WHERE tenant = ?1 AND key = ?2 RETURNING {}",
        table.name,
        columns(table)
    )
}

pub(super) fn insert(table: &Table) -> String {
    let places: Vec<String> = (1..=table.indexes.len() + 5).map(|at| format!("?{at}")).collect();
    format!("INSERT INTO usso_{} ({}) VALUES ({})", table.name, columns(table), places.join(", "))
}

/// Replaces a row. Parameters as for [`insert`], then the version that it must still have.
pub(super) fn replace(table: &Table) -> String {
    let set = table
        .indexes
        .iter()
        .enumerate()
        .map(|(at, index)| format!("\"{}\" = ?{}, ", index.name, at + 5))
        .collect::<Vec<_>>()
        .concat();
    let data = table.indexes.len() + 5;
    format!(
        "UPDATE usso_{} SET version = ?3, expires_at = ?4, {set}data = ?{data} \
         WHERE tenant = ?1 AND key = ?2 AND version = ?{}",
        table.name,
        data + 1
    )
}

pub(super) fn remove(table: &Table) -> String {
    format!("DELETE FROM usso_{} WHERE tenant = ?1 AND key = ?2 AND version = ?3", table.name)
}

/// Moves a counter. Parameters: tenant, key, by, now, end of a window that starts now.
pub(super) const BUMP: &str = "INSERT INTO usso_counter AS c (tenant, key, value, expires_at) \
    VALUES (?1, ?2, max(?3, 0), ?5) ON CONFLICT (tenant, key) DO UPDATE SET \
    value = max(CASE WHEN c.expires_at <= ?4 THEN 0 ELSE c.value END + ?3, 0), \
    expires_at = CASE WHEN c.expires_at <= ?4 THEN ?5 ELSE c.expires_at END \
    RETURNING value, expires_at";

/// Purges a table. Parameters: now, limit.
pub(super) fn purge(name: &str) -> String {
    format!(
        "DELETE FROM usso_{name} WHERE (tenant, key) IN \
         (SELECT tenant, key FROM usso_{name} WHERE expires_at <= ?1 LIMIT ?2)"
    )
}
