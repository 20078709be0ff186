//! What every backend must do, as tests that any backend can run.
//!
//! ```ignore
//! usso_core::store::conformance::suite!(my_backend, || async { Store::new(MyBackend::connect().await) });
//! ```
//!
//! Each function takes an empty store that was migrated with [`MIGRATIONS`] and panics where the
//! store does not do what the contract says.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "these are tests that are shipped"
)]

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::{
    Batch, Bump, CommitError, Conflict, ConflictKind, Find, Index, IndexKind, Migration, Record,
    Scope, Store, Table, Value, Versioned,
};
use crate::kernel::{id::TenantId, time::UnixTime};

/// How many callers race.
const RACERS: usize = 16;

/// The schema of the suite.
pub const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "conformance", tables: &[Thing::TABLE, Other::TABLE] }];

/// A record with one index of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    key: String,
    name: Option<String>,
    group: String,
    rank: i64,
    expires_at: Option<UnixTime>,
}

impl Record for Thing {
    const TABLE: &'static Table = &Table {
        name: "thing",
        indexes: &[
            Index { name: "name", kind: IndexKind::Text, unique: true },
            Index { name: "group", kind: IndexKind::Text, unique: false },
            Index { name: "rank", kind: IndexKind::Integer, unique: false },
        ],
    };

    fn key(&self) -> String {
        self.key.clone()
    }

    fn indexes(&self) -> Vec<Option<Value>> {
        vec![
            self.name.as_ref().map(Value::text),
            Some(Value::text(&self.group)),
            Some(Value::Integer(self.rank)),
        ]
    }

    fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

/// A record without indexes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    key: String,
}

impl Record for Other {
    const TABLE: &'static Table = &Table { name: "other", indexes: &[] };

    fn key(&self) -> String {
        self.key.clone()
    }
}

fn tenant(number: u8) -> Scope {
    Scope::Tenant(TenantId::from_bytes([number; 16]))
}

fn thing(key: &str) -> Thing {
    Thing { key: key.to_owned(), name: None, group: "g".to_owned(), rank: 0, expires_at: None }
}

fn named(key: &str, name: &str) -> Thing {
    Thing { name: Some(name.to_owned()), ..thing(key) }
}

fn expiring(key: &str, at: u64) -> Thing {
    Thing { expires_at: Some(UnixTime::from_millis(at)), ..thing(key) }
}

async fn insert(store: &Store, scope: &Scope, thing: &Thing) -> Result<(), CommitError> {
    store.commit(Batch::new().insert(scope, thing)).await
}

async fn get(store: &Store, scope: &Scope, key: &str) -> Option<Versioned<Thing>> {
    store.get(scope, key).await.unwrap()
}

fn conflict(kind: ConflictKind) -> Result<(), CommitError> {
    Err(CommitError::Conflict(Conflict { table: "thing", kind }))
}

async fn keys(store: &Store, scope: &Scope, find: Find) -> Vec<String> {
    let page = store.find::<Thing>(scope, find).await.unwrap();
    page.items.into_iter().map(|found| found.record.key).collect()
}

/// Runs `RACERS` callers at once and counts those that `won`.
async fn race<F>(store: &Store, caller: impl Fn(Store, usize) -> F) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for number in 0..RACERS {
        callers.spawn(caller(store.clone(), number));
    }
    callers.join_all().await.into_iter().filter(|won| *won).count()
}

/// A record comes back as it was stored, at version 1.
pub async fn a_record_comes_back_as_it_was(store: Store) {
    let record =
        Thing { rank: i64::MIN, expires_at: Some(UnixTime::from_millis(7)), ..named("k", "n") };
    insert(&store, &tenant(1), &record).await.unwrap();
    assert_eq!(get(&store, &tenant(1), "k").await, Some(Versioned { record, version: 1 }));
    assert_eq!(get(&store, &tenant(1), "absent").await, None);
}

/// Text of every kind survives, and two texts are one only if their bytes are.
pub async fn unicode_is_kept_byte_by_byte(store: Store) {
    let texts =
        ["é", "e\u{301}", "É", "日本", "\u{10ffff}", "a'b\"c;--", "%_", "", " ", "A", "a", "a "];
    for text in texts {
        insert(&store, &tenant(1), &named(text, text)).await.unwrap();
    }
    for text in texts {
        let found = store.find_one::<Thing>(&tenant(1), "name", Value::text(text)).await.unwrap();
        assert_eq!(found.unwrap().record.key, text);
    }
}

/// A key or unique value that is taken is refused, whatever comes at once.
pub async fn what_is_taken_is_refused(store: Store) {
    insert(&store, &tenant(1), &named("a", "n")).await.unwrap();
    assert_eq!(insert(&store, &tenant(1), &thing("a")).await, conflict(ConflictKind::Taken));
    assert_eq!(insert(&store, &tenant(1), &named("b", "n")).await, conflict(ConflictKind::Taken));
    insert(&store, &tenant(1), &thing("c")).await.unwrap();
    insert(&store, &tenant(1), &thing("d")).await.unwrap();
    let taken = store.commit(Batch::new().replace(&tenant(1), &named("d", "n"), 1)).await;
    assert_eq!(
        taken,
        conflict(ConflictKind::Taken),
        "absent values do not collide, present ones do"
    );
}

/// Of many inserts of one unique value at once, one wins.
pub async fn one_of_many_inserts_wins(store: Store) {
    let won = race(&store, |store, number| async move {
        insert(&store, &tenant(1), &named(&number.to_string(), "n")).await.is_ok()
    });
    assert_eq!(won.await, 1);
    assert_eq!(keys(&store, &tenant(1), Find::all()).await.len(), 1);
}

/// A change names the version it read; of many at once, one wins.
pub async fn one_of_many_replacements_wins(store: Store) {
    insert(&store, &tenant(1), &thing("a")).await.unwrap();
    let won = race(&store, |store, number| async move {
        let change = Thing { rank: i64::try_from(number).unwrap(), ..thing("a") };
        store.commit(Batch::new().replace(&tenant(1), &change, 1)).await.is_ok()
    });
    assert_eq!(won.await, 1);
    assert_eq!(get(&store, &tenant(1), "a").await.unwrap().version, 2);
    let absent = store.commit(Batch::new().replace(&tenant(1), &thing("absent"), 1)).await;
    assert_eq!(absent, conflict(ConflictKind::Changed));
}

/// A removal names the version it read.
pub async fn a_removal_needs_the_version(store: Store) {
    insert(&store, &tenant(1), &thing("a")).await.unwrap();
    let wrong = store.commit(Batch::new().remove::<Thing>(&tenant(1), "a", 2)).await;
    assert_eq!(wrong, conflict(ConflictKind::Changed));
    store.commit(Batch::new().remove::<Thing>(&tenant(1), "a", 1)).await.unwrap();
    let gone = store.commit(Batch::new().remove::<Thing>(&tenant(1), "a", 1)).await;
    assert_eq!(gone, conflict(ConflictKind::Changed));
}

/// Of many takers of one record, one gets it.
pub async fn one_of_many_takers_wins(store: Store) {
    for round in 0..20 {
        let key = round.to_string();
        insert(&store, &tenant(1), &thing(&key)).await.unwrap();
        let taken = race(&store, |store, _| {
            let key = key.clone();
            async move { store.take::<Thing>(&tenant(1), key).await.unwrap().is_some() }
        });
        assert_eq!(taken.await, 1);
    }
}

/// Taking and replacing one record at once: either it was taken, or it was replaced and then taken.
pub async fn a_taken_record_cannot_be_replaced(store: Store) {
    for round in 0..20 {
        let key = round.to_string();
        insert(&store, &tenant(1), &thing(&key)).await.unwrap();
        let taker = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
            async move { store.take::<Thing>(&tenant(1), key).await.unwrap().unwrap() }
        });
        let change = Thing { rank: 1, ..thing(&key) };
        let replaced = store.commit(Batch::new().replace(&tenant(1), &change, 1)).await.is_ok();
        assert_eq!(taker.await.unwrap().rank, i64::from(replaced));
        assert_eq!(get(&store, &tenant(1), &key).await, None);
    }
}

/// A batch that fails anywhere changes nothing anywhere.
pub async fn a_batch_is_all_or_nothing(store: Store) {
    insert(&store, &tenant(1), &named("a", "n")).await.unwrap();
    let batch = Batch::new()
        .insert(&tenant(1), &thing("b"))
        .insert(&Scope::Platform, &Other { key: "o".to_owned() })
        .replace(&tenant(1), &Thing { rank: 9, ..named("a", "n") }, 1)
        .insert(&tenant(1), &named("c", "n"));
    assert_eq!(store.commit(batch).await, conflict(ConflictKind::Taken));
    assert_eq!(get(&store, &tenant(1), "b").await, None);
    assert_eq!(store.get::<Other>(&Scope::Platform, "o").await.unwrap(), None);
    assert_eq!(get(&store, &tenant(1), "a").await.unwrap().version, 1);
}

/// Inside a batch, later changes see earlier ones: a unique value can move from row to row.
pub async fn a_batch_runs_in_order(store: Store) {
    insert(&store, &tenant(1), &named("a", "n")).await.unwrap();
    let batch =
        Batch::new().remove::<Thing>(&tenant(1), "a", 1).insert(&tenant(1), &named("b", "n"));
    store.commit(batch).await.unwrap();
    assert_eq!(keys(&store, &tenant(1), Find::all()).await, ["b"]);
}

/// Every verb of one tenant is blind to the rows of another.
pub async fn tenants_do_not_see_each_other(store: Store) {
    insert(&store, &tenant(1), &named("a", "n")).await.unwrap();
    insert(&store, &tenant(2), &named("a", "n")).await.unwrap();
    let change = Thing { rank: 5, ..named("a", "n") };
    store.commit(Batch::new().replace(&tenant(2), &change, 1)).await.unwrap();
    assert_eq!(get(&store, &tenant(1), "a").await.unwrap().record.rank, 0);
    assert_eq!(store.take::<Thing>(&tenant(3), "a").await.unwrap(), None);
    assert_eq!(keys(&store, &tenant(3), Find::by("group", Value::text("g"))).await.len(), 0);
    assert_eq!(keys(&store, &Scope::Platform, Find::all()).await.len(), 0);
    store.take::<Thing>(&tenant(2), "a").await.unwrap().unwrap();
    assert_eq!(keys(&store, &tenant(1), Find::all()).await, ["a"]);
    let bump = [Bump { key: "c".to_owned(), by: 1, window: Duration::from_secs(1) }];
    let now = UnixTime::from_seconds(1);
    store.bump(&tenant(1), &bump, now).await.unwrap();
    assert_eq!(store.bump(&tenant(2), &bump, now).await.unwrap()[0].value, 1);
}

/// Pages come in key order, both ways, with bounds, and cover all rows exactly once.
pub async fn pages_cover_all_rows_once(store: Store) {
    for number in 0..25 {
        let record = Thing { rank: number % 2, ..thing(&format!("{number:02}")) };
        insert(&store, &tenant(1), &record).await.unwrap();
    }
    let even = || Find::by("rank", Value::Integer(0)).limit(5);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.find::<Thing>(&tenant(1), even().after(cursor)).await.unwrap();
        seen.extend(page.items.into_iter().map(|found| found.record.key));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..25).step_by(2).map(|number| format!("{number:02}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(keys(&store, &tenant(1), even().descending()).await, ["24", "22", "20", "18", "16"]);
    let before = Find::all().descending().after(Some("02".to_owned()));
    assert_eq!(keys(&store, &tenant(1), before).await, ["01", "00"]);
    let inside = Find { from: Some("03".to_owned()), until: Some("05".to_owned()), ..Find::all() };
    assert_eq!(keys(&store, &tenant(1), inside).await, ["03", "04"]);
    let last = store.find::<Thing>(&tenant(1), Find::all().limit(25)).await.unwrap();
    assert_eq!(last.next, None, "a full last page has no next one");
}

/// Rows that come and go between pages neither hide nor repeat the others.
pub async fn pages_stay_whole_under_writes(store: Store) {
    for number in 0..10 {
        insert(&store, &tenant(1), &thing(&format!("{number}"))).await.unwrap();
    }
    let first = store.find::<Thing>(&tenant(1), Find::all().limit(4)).await.unwrap();
    store.take::<Thing>(&tenant(1), "3").await.unwrap();
    insert(&store, &tenant(1), &thing("00")).await.unwrap();
    let rest = keys(&store, &tenant(1), Find::all().after(first.next)).await;
    assert_eq!(rest, ["4", "5", "6", "7", "8", "9"]);
}

/// A counter counts in windows, gives back, never falls below zero, and loses no step to a race.
pub async fn counters_count_every_step(store: Store) {
    let bump = |by| [Bump { key: "c".to_owned(), by, window: Duration::from_millis(10) }];
    let at = UnixTime::from_millis;
    let count = |by, now| {
        let store = &store;
        async move { store.bump(&tenant(1), &bump(by), at(now)).await.unwrap()[0] }
    };
    assert_eq!((count(1, 100).await.value, count(1, 105).await.resets_at), (1, at(110)));
    assert_eq!(count(-1, 109).await.value, 1);
    assert_eq!(count(1, 110).await.value, 1, "the window ends at its end");
    assert_eq!(count(-5, 111).await.value, 0);
    race(&store, |store, _| async move { store.bump(&tenant(1), &bump(1), at(112)).await.is_ok() })
        .await;
    assert_eq!(count(0, 113).await.value, i64::try_from(RACERS).unwrap());
    let two =
        ["x", "y"].map(|key| Bump { key: key.to_owned(), by: 2, window: Duration::from_secs(1) });
    let counts = store.bump(&tenant(1), &two, at(1)).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.value).collect::<Vec<_>>(), [2, 2]);
}

/// Purging removes what has expired, at its end exactly, no more than asked for, and nothing else.
pub async fn purging_removes_what_has_expired(store: Store) {
    for (key, end) in [("a", 10), ("b", 20), ("c", 20), ("d", 21)] {
        insert(&store, &tenant(1), &expiring(key, end)).await.unwrap();
    }
    insert(&store, &tenant(1), &thing("forever")).await.unwrap();
    let at = UnixTime::from_millis;
    assert_eq!(store.purge(at(9), 100).await.unwrap(), 0);
    assert_eq!(store.purge(at(20), 2).await.unwrap(), 2);
    assert_eq!(store.purge(at(20), 100).await.unwrap(), 1);
    assert_eq!(keys(&store, &tenant(1), Find::all()).await, ["d", "forever"]);
    let bump = [Bump { key: "c".to_owned(), by: 3, window: Duration::from_millis(5) }];
    store.bump(&tenant(1), &bump, at(15)).await.unwrap();
    assert_eq!(store.purge(at(19), 100).await.unwrap(), 0);
    assert_eq!(store.purge(at(20), 100).await.unwrap(), 1, "the counter's window is over");
}

/// Many rows are read as of one moment, in the order asked for.
pub async fn reading_many_keeps_their_order(store: Store) {
    for key in ["a", "b"] {
        insert(&store, &tenant(1), &thing(key)).await.unwrap();
    }
    let found = store.get_many::<Thing>(&tenant(1), ["b", "absent", "a"]).await.unwrap();
    let found: Vec<_> =
        found.into_iter().map(|found| found.map(|found| found.record.key)).collect();
    assert_eq!(found, [Some("b".to_owned()), None, Some("a".to_owned())]);
    let (thing, other) = store.get_both::<Thing, Other>(&tenant(1), "a", "a").await.unwrap();
    assert!(thing.is_some() && other.is_none());
}

/// Migrating again changes nothing.
pub async fn migrating_twice_changes_nothing(store: Store) {
    insert(&store, &tenant(1), &thing("a")).await.unwrap();
    store.migrate(MIGRATIONS).await.unwrap();
    store.ping().await.unwrap();
    assert_eq!(keys(&store, &tenant(1), Find::all()).await, ["a"]);
}

/// Writers and readers at once: every batch is seen whole or not at all.
pub async fn readers_see_whole_batches(store: Store) {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let pair = |rank| {
        Batch::new()
            .insert(&tenant(1), &thing(&format!("l{rank}")))
            .insert(&tenant(1), &thing(&format!("r{rank}")))
    };
    let reader = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                let found = keys(&store, &tenant(1), Find::all()).await;
                assert_eq!(found.len() % 2, 0, "half a batch was seen");
                tokio::task::yield_now().await;
            }
        }
    });
    for number in 0..50 {
        store.commit(pair(number)).await.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    reader.await.unwrap();
}

/// Makes one test per behaviour for a backend: a name for the module and a function that makes an
/// empty store.
#[macro_export]
macro_rules! conformance_suite {
    ($module:ident, $make:expr) => {
        $crate::conformance_suite!(@each $module, $make;
            a_record_comes_back_as_it_was unicode_is_kept_byte_by_byte what_is_taken_is_refused
            one_of_many_inserts_wins one_of_many_replacements_wins a_removal_needs_the_version
            one_of_many_takers_wins a_taken_record_cannot_be_replaced a_batch_is_all_or_nothing
            a_batch_runs_in_order tenants_do_not_see_each_other pages_cover_all_rows_once
            pages_stay_whole_under_writes counters_count_every_step purging_removes_what_has_expired
            reading_many_keeps_their_order migrating_twice_changes_nothing readers_see_whole_batches
        );
    };
    (@each $module:ident, $make:expr; $($behaviour:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $behaviour() {
                    let store = ($make)().await;
                    store.migrate($crate::store::conformance::MIGRATIONS).await.unwrap();
                    $crate::store::conformance::$behaviour(store).await;
                }
            )*
        }
    };
}
pub use conformance_suite as suite;
