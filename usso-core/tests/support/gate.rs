//! A store whose calls can be held up, so that a test decides what happens in between.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;
use usso_core::{
    kernel::{refusal::Fault, time::UnixTime},
    store::{Backend, Bump, CommitError, Count, Find, Memory, Migration, Op, Row, Scope, Table},
};

/// A kind of call that can be held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Bump,
    Commit,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    held: Option<Verb>,
    /// How many more calls are held.
    left: usize,
    waiting: usize,
}

/// A store in memory with a gate before it.
#[derive(Clone, Debug)]
pub(crate) struct Gated {
    memory: Memory,
    state: watch::Sender<State>,
    /// The tables that rows were read from by key, one entry for each row.
    reads: Arc<Mutex<Vec<&'static str>>>,
}

impl Default for Gated {
    fn default() -> Self {
        Self {
            memory: Memory::new(),
            state: watch::Sender::new(State::default()),
            reads: Arc::default(),
        }
    }
}

impl Gated {
    /// Holds the next `count` calls of a kind until [`Self::open`].
    pub(crate) fn hold(&self, verb: Verb, count: usize) {
        self.state.send_replace(State { held: Some(verb), left: count, waiting: 0 });
    }

    /// Waits until `count` calls are held.
    pub(crate) async fn holds(&self, count: usize) {
        let mut state = self.state.subscribe();
        state.wait_for(|state| state.waiting == count).await.unwrap();
    }

    /// Lets all calls pass.
    pub(crate) fn open(&self) {
        self.state.send_replace(State::default());
    }

    /// How many rows of a table were asked for by key.
    pub(crate) fn reads_of(&self, table: &str) -> usize {
        let reads = self.reads.lock().unwrap();
        reads.iter().filter(|name| **name == table).count()
    }

    async fn pass(&self, verb: Verb) {
        let held = self.state.send_if_modified(|state| {
            let held = state.held == Some(verb) && state.left > 0;
            if held {
                state.left -= 1;
                state.waiting += 1;
            }
            held
        });
        if held {
            let mut state = self.state.subscribe();
            state.wait_for(|state| state.held.is_none()).await.unwrap();
        }
    }
}

#[async_trait]
impl Backend for Gated {
    async fn get_many(
        &self,
        wanted: Vec<(Scope, &'static Table, String)>,
    ) -> Result<Vec<Option<Row>>, Fault> {
        let tables = wanted.iter().map(|(_, table, _)| table.name);
        self.reads.lock().unwrap().extend(tables);
        self.memory.get_many(wanted).await
    }

    async fn find(
        &self,
        scope: Scope,
        table: &'static Table,
        find: Find,
    ) -> Result<Vec<Row>, Fault> {
        self.memory.find(scope, table, find).await
    }

    async fn take(
        &self,
        scope: Scope,
        table: &'static Table,
        key: String,
    ) -> Result<Option<Row>, Fault> {
        self.memory.take(scope, table, key).await
    }

    async fn bump(
        &self,
        scope: Scope,
        bumps: Vec<Bump>,
        now: UnixTime,
    ) -> Result<Vec<Count>, Fault> {
        self.pass(Verb::Bump).await;
        self.memory.bump(scope, bumps, now).await
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), CommitError> {
        self.pass(Verb::Commit).await;
        self.memory.commit(ops).await
    }

    async fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, Fault> {
        self.memory.purge(now, limit).await
    }

    async fn migrate(&self, migrations: &'static [Migration]) -> Result<(), Fault> {
        self.memory.migrate(migrations).await
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.memory.ping().await
    }
}
