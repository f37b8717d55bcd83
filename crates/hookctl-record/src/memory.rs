//! A record in memory, for tests and for programs that need no record after they end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookctl_core::record::{
    Backend, Commit, Entry, Head, HistoryEntry, HistoryLimits, Loaded, Observation, PortFuture,
    RecordError, RecordErrorKind, Remembered, Session,
};

/// The record of one account in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryRecord {
    state: Arc<Mutex<State>>,
    writer: Arc<tokio::sync::Mutex<()>>,
    limits: HistoryLimits,
}

#[derive(Debug, Default)]
struct State {
    remembered: Remembered,
    observed: Option<Observation>,
    history: VecDeque<HistoryEntry>,
    sequence: u64,
}

impl MemoryRecord {
    /// Returns an empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a record with an initial state.
    pub fn of(remembered: Remembered) -> Self {
        let state = State {
            remembered,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            ..Self::default()
        }
    }

    /// Returns the state.
    pub fn remembered(&self) -> Remembered {
        self.lock().remembered.clone()
    }

    /// Appends a commit.
    ///
    /// # Errors
    /// [`RecordErrorKind::Conflict`] if its number is not the next one.
    pub fn append(&self, commit: &Commit) -> Result<u64, RecordError> {
        let mut state = self.lock();
        if commit.sequence != state.sequence + 1 {
            let message = format!(
                "the next commit is {}, not {}",
                state.sequence + 1,
                commit.sequence
            );
            return Err(RecordError::new(RecordErrorKind::Conflict, message));
        }
        state.sequence = commit.sequence;
        state.remembered.apply(commit);
        for entry in &commit.entries {
            match entry {
                Entry::Observed(observation) => state.observed = Some(observation.clone()),
                Entry::Settled(settlement) => state.history.extend(settlement.history.clone()),
                Entry::Intended(_) => {}
            }
        }
        prune(&mut state.history, self.limits);
        Ok(state.sequence)
    }

    /// Returns the state and the number of the last commit.
    pub fn load(&self) -> Loaded {
        let state = self.lock();
        Loaded {
            remembered: state.remembered.clone(),
            sequence: state.sequence,
            head: Some(head(state.sequence)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes entries beyond the retention limits.
fn prune(history: &mut VecDeque<HistoryEntry>, limits: HistoryLimits) {
    let oldest = history
        .back()
        .and_then(|latest| latest.at.checked_sub(limits.keep).ok());
    while let Some(first) = history.front() {
        let is_old = oldest.is_some_and(|oldest| first.at < oldest);
        if !is_old && history.len() as u64 <= limits.max_entries {
            break;
        }
        history.pop_front();
    }
}

fn head(sequence: u64) -> Head {
    Head::new(sequence.to_be_bytes().to_vec())
}

impl Backend for MemoryRecord {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        Box::pin(async {
            let sequence = self.lock().sequence;
            Ok((sequence > 0).then(|| head(sequence)))
        })
    }

    fn load(&self) -> PortFuture<'_, Loaded> {
        Box::pin(async { Ok(Self::load(self)) })
    }

    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        Box::pin(async move {
            Ok(self
                .lock()
                .history
                .iter()
                .rev()
                .take(limit)
                .cloned()
                .collect())
        })
    }

    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        Box::pin(async { Ok(self.lock().observed.clone()) })
    }

    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        Box::pin(async {
            let session: Box<dyn Session> = Box::new(MemorySession {
                record: self.clone(),
                _writer: Arc::clone(&self.writer).lock_owned().await,
            });
            Ok(session)
        })
    }
}

struct MemorySession {
    record: MemoryRecord,
    _writer: tokio::sync::OwnedMutexGuard<()>,
}

impl Session for MemorySession {
    fn load(&self) -> PortFuture<'_, Loaded> {
        Box::pin(async { Ok(self.record.load()) })
    }

    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64> {
        Box::pin(async move { self.record.append(&commit) })
    }

    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>> {
        let head = self.record.load().head;
        Box::pin(async { Ok(head) })
    }
}
