//! The store in memory: for tests, and the reference for what every backend must do.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{
    Backend, Bump, Change, CommitError, Conflict, ConflictKind, Count, Find, Migration, Op, Row,
    Scope, Table,
};
#[cfg(any(test, feature = "testing"))]
use crate::kernel::refusal::FaultKind;
use crate::kernel::{refusal::Fault, time::UnixTime};

type Place = (&'static str, Scope);

/// A store in memory. Nothing survives it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    tables: BTreeMap<Place, BTreeMap<String, Row>>,
    counters: BTreeMap<(Scope, String), Count>,
    #[cfg(any(test, feature = "testing"))]
    failure: Option<Failure>,
    #[cfg(any(test, feature = "testing"))]
    calls: usize,
}

/// When an injected failure strikes.
#[cfg(any(test, feature = "testing"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call fails and nothing happened.
    Before,
    /// The call happened and its answer is lost.
    After,
}

/// A failure to inject: the call with this number fails, counted from 0 since it was set.
#[cfg(any(test, feature = "testing"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The number of the call.
    pub call: usize,
    /// Before or after its effect.
    pub when: When,
}

impl Memory {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets one call fail; every call after it works again. `None` lets all work.
    #[cfg(any(test, feature = "testing"))]
    pub fn inject(&self, failure: Option<Failure>) {
        let mut state = self.lock();
        state.failure = failure;
        state.calls = 0;
    }

    /// How many calls were made since [`Self::inject`].
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(any(test, feature = "testing"))]
    fn call<T, E: From<Fault>>(
        &self,
        effect: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.lock();
        let number = state.calls;
        state.calls += 1;
        let strikes =
            state.failure.filter(|failure| failure.call == number).map(|failure| failure.when);
        let lost = || E::from(Fault::new(FaultKind::StoreUnavailable, "injected"));
        if strikes == Some(When::Before) {
            return Err(lost());
        }
        let result = effect(&mut state);
        if strikes == Some(When::After) { Err(lost()) } else { result }
    }

    #[cfg(not(any(test, feature = "testing")))]
    fn call<T, E>(&self, effect: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        effect(&mut self.lock())
    }
}

#[async_trait]
impl Backend for Memory {
    async fn get_many(
        &self,
        wanted: Vec<(Scope, &'static Table, String)>,
    ) -> Result<Vec<Option<Row>>, Fault> {
        self.call(|state| {
            let one = |(scope, table, key): &(Scope, &'static Table, String)| {
                state.tables.get(&(table.name, *scope)).and_then(|rows| rows.get(key)).cloned()
            };
            Ok(wanted.iter().map(one).collect())
        })
    }

    async fn find(
        &self,
        scope: Scope,
        table: &'static Table,
        find: Find,
    ) -> Result<Vec<Row>, Fault> {
        self.call(|state| {
            let Some(rows) = state.tables.get(&(table.name, scope)) else {
                return Ok(Vec::new());
            };
            let matches = |row: &&Row| {
                let Some((name, value)) = &find.by else {
                    return true;
                };
                let position = table.indexes.iter().position(|index| index.name == *name);
                position
                    .and_then(|at| row.indexes.get(at))
                    .is_some_and(|found| found.as_ref() == Some(value))
            };
            let from = find.from.clone().map_or(Bound::Unbounded, Bound::Included);
            let inside = rows.range((from, Bound::Unbounded)).map(|(_, row)| row);
            let inside =
                inside.take_while(|row| find.until.as_ref().is_none_or(|until| row.key < *until));
            let mut found: Vec<Row> = inside.filter(matches).cloned().collect();
            if find.descending {
                found.reverse();
            }
            if let Some(after) = &find.after {
                found.retain(
                    |row| {
                        if find.descending { row.key < *after } else { row.key > *after }
                    },
                );
            }
            found.truncate(find.limit);
            Ok(found)
        })
    }

    async fn take(
        &self,
        scope: Scope,
        table: &'static Table,
        key: String,
    ) -> Result<Option<Row>, Fault> {
        self.call(|state| {
            Ok(state.tables.get_mut(&(table.name, scope)).and_then(|rows| rows.remove(&key)))
        })
    }

    async fn bump(
        &self,
        scope: Scope,
        bumps: Vec<Bump>,
        now: UnixTime,
    ) -> Result<Vec<Count>, Fault> {
        self.call(|state| {
            let one = |bump: Bump| {
                let fresh = Count { value: 0, resets_at: now.plus(bump.window) };
                let count = state.counters.entry((scope, bump.key)).or_insert(fresh);
                if count.resets_at <= now {
                    *count = fresh;
                }
                count.value = count.value.saturating_add(bump.by).max(0);
                *count
            };
            Ok(bumps.into_iter().map(one).collect())
        })
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), CommitError> {
        self.call(|state| {
            let mut tables = state.tables.clone();
            for op in ops {
                apply(&mut tables, op).map_err(CommitError::Conflict)?;
            }
            state.tables = tables;
            Ok(())
        })
    }

    async fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, Fault> {
        self.call(|state| {
            let mut left = limit;
            for rows in state.tables.values_mut() {
                rows.retain(|_, row| {
                    let expired = left > 0 && row.expires_at.is_some_and(|end| end <= now);
                    left -= usize::from(expired);
                    !expired
                });
            }
            state.counters.retain(|_, count| {
                let expired = left > 0 && count.resets_at <= now;
                left -= usize::from(expired);
                !expired
            });
            Ok(limit - left)
        })
    }

    async fn migrate(&self, _: &'static [Migration]) -> Result<(), Fault> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.call(|_| Ok(()))
    }
}

fn apply(tables: &mut BTreeMap<Place, BTreeMap<String, Row>>, op: Op) -> Result<(), Conflict> {
    let rows = tables.entry((op.table.name, op.scope)).or_default();
    let conflict = |kind| Conflict { table: op.table.name, kind };
    let (row, previous) = match op.change {
        Change::Insert(row) => {
            if rows.contains_key(&row.key) {
                return Err(conflict(ConflictKind::Taken));
            }
            (row, None)
        }
        Change::Replace(row) => {
            let previous = row.version - 1;
            (row, Some(previous))
        }
        Change::Remove { key, version } => {
            let found = rows.get(&key).filter(|row| row.version == version);
            found.ok_or(conflict(ConflictKind::Changed))?;
            rows.remove(&key);
            return Ok(());
        }
    };
    if let Some(previous) = previous
        && rows.get(&row.key).is_none_or(|found| found.version != previous)
    {
        return Err(conflict(ConflictKind::Changed));
    }
    let unique = op.table.indexes.iter().zip(&row.indexes).enumerate();
    for (at, (index, value)) in unique {
        let holds = |other: &Row| other.key != row.key && other.indexes.get(at) == Some(value);
        if index.unique && value.is_some() && rows.values().any(holds) {
            return Err(conflict(ConflictKind::Taken));
        }
    }
    rows.insert(row.key.clone(), row);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::store::{Memory, Store};

    crate::conformance_suite!(conformance, async || Store::new(Memory::new()));
}
