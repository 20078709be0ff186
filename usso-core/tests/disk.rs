//! SQLite files: full, read-only, newer, altered, garbage, shared, and left behind by a crash.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::path::Path;

use support::*;
use usso_core::{
    Deps, StartError, Usso,
    directory::identifier,
    kernel::{
        refusal::{FaultKind, Refusal, Stop},
        text::Identifier,
    },
    store::{Sqlite, SqliteOptions, Store},
};

/// An engine on a SQLite file.
async fn open(directory: &Path, options: &SqliteOptions) -> Result<World, StartError> {
    let sqlite = Sqlite::open(file_in(directory), options).map_err(StartError::Fault)?;
    let mut world = World::new().await;
    world.store = Store::new(sqlite);
    world.usso = Usso::start(config(), ports(&world.store, &world.clock)).await?;
    Ok(world)
}

async fn start_fault(directory: &Path) -> (FaultKind, String) {
    match open(directory, &SqliteOptions::default()).await {
        Err(StartError::Fault(fault)) => (fault.kind(), fault.to_string()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

/// Changes the database behind the engine's back.
fn tamper(directory: &Path, statement: &str) {
    let connection = rusqlite::Connection::open(file_in(directory)).unwrap();
    assert_eq!(connection.execute(statement, ()).unwrap(), 1);
}

fn fault_kind<T, R: Refusal>(result: Result<T, Stop<R>>) -> Option<FaultKind> {
    match result {
        Err(Stop::Fault(fault)) => Some(fault.kind()),
        Err(Stop::Refused(refused)) => panic!("{refused:?}"),
        Ok(_) => None,
    }
}

/// Registers until long after the disk is full: one at a time, and many that share a commit. Gives
/// the names that were acknowledged and the faults.
async fn fill(deps: &Deps) -> (Vec<String>, Vec<FaultKind>) {
    let (mut acknowledged, mut faults) = (Vec::new(), Vec::new());
    for round in 0..24 {
        let results = all_at_once([1, RACERS][round % 2], |number| {
            let (deps, name) = (deps.clone(), format!("user{round}_{number}"));
            async move { (name.clone(), register(&deps, &name, PASSWORD).await) }
        });
        for (name, result) in results.await {
            match fault_kind(result) {
                None => acknowledged.push(name),
                Some(kind) => faults.push(kind),
            }
        }
    }
    (acknowledged, faults)
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing_half_done() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().max_bytes(400 << 10);
    let world = open(directory.path(), &options).await.unwrap();
    let (user, tokens) = world.register("first").await;
    let deps = world.deps().await;
    let (acknowledged, mut faults) = fill(&deps).await;
    assert!(faults.len() > RACERS, "the disk is full for a while");
    faults.dedup();
    assert_eq!(faults, [FaultKind::StoreFull]);
    assert_whole(&world.store, &deps.scope()).await;
    for name in acknowledged {
        let name = Identifier::parse(&name).unwrap();
        assert!(identifier::owner(&deps, &name).await.unwrap().is_some());
    }
    assert_eq!(world.caller(&tokens).await.unwrap().user.id, user.id);
}

#[tokio::test]
async fn a_database_that_was_full_works_once_it_may_grow() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().max_bytes(400 << 10);
    let small = open(directory.path(), &options).await.unwrap();
    let (_, tokens) = small.register("first").await;
    fill(&small.deps().await).await;
    drop(small);
    let larger = open(directory.path(), &SqliteOptions::default()).await;
    let larger = larger.unwrap();
    larger.register("last").await;
    assert_eq!(code(&larger.refresh(&tokens).await), "ok");
}

#[tokio::test]
async fn a_read_only_database_is_read_and_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let writing = open(directory.path(), &SqliteOptions::default()).await.unwrap();
    let (_, tokens) = writing.register("alice").await;
    let options = SqliteOptions::default().read_only();
    let world = open(directory.path(), &options).await.unwrap();
    assert_eq!(code(&world.caller(&tokens).await), "ok");
    let registered = register(&world.deps().await, "bob", PASSWORD).await;
    assert_eq!(fault_kind(registered), Some(FaultKind::StoreReadOnly));
    assert_eq!(code(&writing.sign_in("alice").await), "ok");
}

#[tokio::test]
async fn a_database_of_a_newer_version_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), &SqliteOptions::default()).await.unwrap());
    tamper(
        directory.path(),
        "INSERT INTO usso_migration (version, name, checksum) VALUES (999, 'later', '')",
    );
    let (kind, text) = start_fault(directory.path()).await;
    assert_eq!(kind, FaultKind::Schema);
    assert!(text.contains("migration 999"), "{text}");
}

#[tokio::test]
async fn a_database_with_an_altered_migration_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), &SqliteOptions::default()).await.unwrap());
    tamper(directory.path(), "UPDATE usso_migration SET checksum = 'x'");
    let (kind, text) = start_fault(directory.path()).await;
    assert_eq!(kind, FaultKind::Schema);
    assert!(text.contains("migration 1"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_no_database_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = "these are not the records you are looking for\n".repeat(1000);
    std::fs::write(file_in(directory.path()), &garbage).unwrap();
    let (kind, text) = start_fault(directory.path()).await;
    assert_eq!(kind, FaultKind::Corrupt);
    assert!(text.contains("usso.db"), "{text}");
    let after = std::fs::read_to_string(file_in(directory.path())).unwrap();
    assert_eq!(after, garbage, "and stays as it was");
}

#[tokio::test]
async fn a_damaged_record_is_a_fault_and_not_an_absence() {
    let directory = tempfile::tempdir().unwrap();
    let world = open(directory.path(), &SqliteOptions::default()).await.unwrap();
    let (_, tokens) = world.register("alice").await;
    tamper(directory.path(), "UPDATE usso_user SET data = '{}'");
    assert_eq!(code(&world.sign_in("alice").await), "store.corrupt");
    assert_eq!(code(&world.refresh(&tokens).await), "store.corrupt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_engines_on_one_file_both_work() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = [
        open(directory.path(), &SqliteOptions::default()).await.unwrap(),
        open(directory.path(), &SqliteOptions::default()).await.unwrap(),
    ];
    let (_, tokens) = one.register("alice").await;
    assert_eq!(two.probe(&tokens).await, ALIVE);
    let both = [one.deps().await, two.deps().await];
    let results = all_at_once(RACERS, |number| {
        let deps = both[number % 2].clone();
        async move { register(&deps, &format!("user{}", number / 2), PASSWORD).await }
    });
    let won = results.await.iter().filter(|result| code(result) == "ok").count();
    assert_eq!(won, RACERS / 2);
    assert_whole(&two.store, &both[0].scope()).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let world = open(directory.path(), &SqliteOptions::default()).await.unwrap();
    let (_, first) = world.register("alice").await;
    let second = world.refresh(&first).await.unwrap();
    // No farewell: the files are copied as a crash would leave them.
    let crashed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), crashed.path().join(file.file_name())).unwrap();
    }
    let restarted = open(crashed.path(), &SqliteOptions::default()).await.unwrap();
    assert_eq!(restarted.probe(&second).await, ALIVE);
    assert_eq!(code(&restarted.sign_in("alice").await), "ok");
}
