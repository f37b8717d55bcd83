//! Commits of several writes together: what is waiting when a commit begins goes into it, so that
//! durability costs one wait for the disk per window and not one per write.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::database::Database;
use super::{Account, CacheError, io_error};
use hookctl_core::record::{Intent, Settlement};

/// The most writes in one commit.
const AT_ONCE: usize = 1024;

/// From how many writes in a commit on there are so many under way that it pays to wait for more of them.
const MANY: usize = 8;

/// How long to wait for more of many. Nobody needs the answer before then: others are under way meanwhile.
const WINDOW: Duration = Duration::from_millis(1);

/// A write to the record.
pub(super) enum Write {
    /// Something is about to be sent.
    Intend(Box<Intent>),
    /// Something is settled, all of it or nothing.
    Settle(Vec<Settlement>),
}

/// What came of a write, and the write itself: memory is given back cheapest where it was taken.
type Done = (Result<(), WriteError>, Option<Write>);

/// The threads that commit, and see to it that they do. Dropping it commits what is still waiting.
pub(super) struct Writer {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Starts the threads. A commit that takes longer than `patience` has failed.
    pub(super) fn start(
        database: Arc<Database>,
        account: Account,
        patience: Duration,
    ) -> Result<Self, CacheError> {
        let path = database.directory().to_owned();
        let commit = move |writes: &[Write]| database.commit(&account, writes.iter());
        Self::start_with(commit, patience).map_err(io_error("start a thread to write", &path))
    }

    fn start_with(
        commit: impl Fn(&[Write]) -> Result<(), CacheError> + Send + 'static,
        patience: Duration,
    ) -> io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let mut writer = Self {
            queue: Arc::clone(&queue),
            threads: Vec::new(),
        };
        let watched = Arc::clone(&queue);
        let watch = move || watched.watch(patience);
        let run = move || queue.run(&commit);
        for (name, body) in [
            ("hookctl-record", Box::new(run) as Box<dyn FnOnce() + Send>),
            ("hookctl-record-watch", Box::new(watch)),
        ] {
            let thread = std::thread::Builder::new().name(name.to_owned());
            writer.threads.push(thread.spawn(body)?);
        }
        Ok(writer)
    }

    /// Hands over a write; durable when this returns.
    pub(super) async fn commit(&self, write: Write) -> Result<(), WriteError> {
        let (done, committed) = oneshot::channel();
        self.queue.add(write, done)?;
        let (result, _write) = committed.await.map_err(|_| WriteError::Stopped)?;
        result
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.queue.close() {
            for thread in self.threads.drain(..) {
                // A panic of the thread has been reported where it happened.
                let _ = thread.join();
            }
        }
    }
}

/// Why a write is not durable.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Failed(Arc<CacheError>),
    #[error("the local record is no longer written")]
    Stopped,
    #[error(
        "the local record could not be written in time: the disk, or this machine's threads, do not answer"
    )]
    Stalled,
}

/// What waits to be committed, and how it goes.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    writes: Vec<Write>,
    waiting: Vec<oneshot::Sender<Done>>,
    /// Since when a commit is under way, and whoever waits for it.
    begun: Option<Instant>,
    committing: Vec<oneshot::Sender<Done>>,
    /// Nothing is added any more.
    closed: bool,
    /// Nothing is committed any more.
    ended: bool,
    stalled: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, write: Write, done: oneshot::Sender<Done>) -> Result<(), WriteError> {
        let mut state = self.lock();
        if state.stalled {
            return Err(WriteError::Stalled);
        }
        if state.closed || state.ended {
            return Err(WriteError::Stopped);
        }
        state.writes.push(write);
        state.waiting.push(done);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until all is committed, or will never be; false for the latter.
    fn close(&self) -> bool {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        while !state.ended && !state.stalled {
            state = self.wait(state);
        }
        !state.stalled
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits what is added until it is closed.
    fn run(&self, commit: &impl Fn(&[Write]) -> Result<(), CacheError>) {
        let _end = End(self);
        let mut many = false;
        loop {
            let mut state = self.lock();
            while state.writes.is_empty() && !state.closed {
                state = self.wait(state);
            }
            if state.writes.is_empty() {
                return;
            }
            if many {
                drop(state);
                std::thread::sleep(WINDOW);
                state = self.lock();
            }
            let count = state.writes.len().min(AT_ONCE);
            let writes: Vec<Write> = state.writes.drain(..count).collect();
            state.committing = state.waiting.drain(..count).collect();
            state.begun = Some(Instant::now());
            drop(state);
            many = count >= MANY;
            let result = commit(&writes).map_err(|error| WriteError::Failed(Arc::new(error)));
            let mut state = self.lock();
            state.begun = None;
            let committed = std::mem::take(&mut state.committing);
            drop(state);
            for (done, write) in committed.into_iter().zip(writes) {
                // Whoever does not wait any more does not need the answer.
                let _ = done.send((result.clone(), Some(write)));
            }
        }
    }

    /// Looks whether a commit takes too long, and then answers in its place, for ever.
    fn watch(&self, patience: Duration) {
        let mut state = self.lock();
        while !state.ended {
            let taken = state.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
            if taken >= patience {
                state.stalled = true;
                let State {
                    committing,
                    waiting,
                    ..
                } = &mut *state;
                for done in committing.drain(..).chain(waiting.drain(..)) {
                    let _ = done.send((Err(WriteError::Stalled), None));
                }
                self.changed.notify_all();
                return;
            }
            let waited = self
                .changed
                .wait_timeout(state, patience.saturating_sub(taken));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Says that nothing is committed any more, also after a panic.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        // Dropping them tells whoever waits.
        state.committing.clear();
        state.waiting.clear();
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn forget() -> Write {
        Write::Settle(Vec::new())
    }

    #[tokio::test]
    async fn a_commit_that_never_comes_back_has_failed_and_nothing_waits_for_it() {
        let (_open, never) = mpsc::channel::<()>();
        let commit = move |_: &[Write]| {
            let _ = never.recv();
            Ok(())
        };
        let writer = Writer::start_with(commit, Duration::from_millis(20)).unwrap();
        let (one, other) = tokio::join!(writer.commit(forget()), writer.commit(forget()));
        for result in [one, other, writer.commit(forget()).await] {
            assert!(matches!(result, Err(WriteError::Stalled)), "{result:?}");
        }
        drop(writer);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let commit = |_: &[Write]| panic!("on purpose");
        let writer = Writer::start_with(commit, Duration::from_mins(1)).unwrap();
        for _ in 0..2 {
            let result = writer.commit(forget()).await;
            assert!(matches!(result, Err(WriteError::Stopped)), "{result:?}");
        }
    }
}
