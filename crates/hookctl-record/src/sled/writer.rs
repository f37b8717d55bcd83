//! The thread that commits, and a watchdog thread.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookctl_core::record::{Account, Commit};
use tokio::sync::oneshot;

use super::database::Database;
use super::error::{SledError, io_error};

/// The result of a commit: the number of the last one.
type Done = Result<u64, Arc<SledError>>;

/// The threads. Dropping this commits what is still queued.
pub(super) struct Writer {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Starts the threads. A commit that takes longer than `patience` counts as failed.
    pub(super) fn start(
        database: Arc<Database>,
        account: Account,
        patience: Duration,
    ) -> Result<Self, SledError> {
        let path = database.directory().to_owned();
        let commit = move |commit: &Commit| database.commit(&account, commit);
        Self::start_with(commit, patience).map_err(io_error("start a thread to write", &path))
    }

    fn start_with(
        commit: impl Fn(&Commit) -> Result<u64, SledError> + Send + 'static,
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

    /// Queues a commit, and waits for its result.
    pub(super) async fn append(&self, commit: Arc<Commit>) -> Done {
        let (done, ended) = oneshot::channel();
        self.queue.add(commit, done)?;
        ended
            .await
            .unwrap_or_else(|_| Err(Arc::new(SledError::Stopped)))
    }
}

impl Writer {
    /// Waits until nothing is queued or being written. Blocks the thread, for as long as a commit may take at most.
    pub(super) fn finish(&self) {
        let mut state = self.queue.lock();
        while state.waiting.is_some() || state.begun.is_some() {
            state = self.queue.wait(state);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.queue.close() {
            for thread in self.threads.drain(..) {
                // The panic hook has reported a panic of the thread.
                let _ = thread.join();
            }
        }
    }
}

/// The queue between callers and the threads.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Option<(Arc<Commit>, oneshot::Sender<Done>)>,
    /// When the current commit began, and the sender of its result.
    begun: Option<(Instant, oneshot::Sender<Done>)>,
    /// Whether the queue accepts no more commits.
    closed: bool,
    /// Whether the writer thread has ended.
    ended: bool,
    stalled: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, commit: Arc<Commit>, done: oneshot::Sender<Done>) -> Result<(), Arc<SledError>> {
        let mut state = self.lock();
        if state.stalled {
            return Err(Arc::new(SledError::Stalled));
        }
        if state.closed || state.ended {
            return Err(Arc::new(SledError::Stopped));
        }
        // Callers commit one at a time. Replacing a queued commit drops its sender, which fails its caller.
        state.waiting = Some((commit, done));
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until everything is committed. Returns `false` if the writer stalled.
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

    /// Commits from the queue until it is closed.
    fn run(&self, commit: &impl Fn(&Commit) -> Result<u64, SledError>) {
        let _end = End(self);
        loop {
            let mut state = self.lock();
            while state.waiting.is_none() && !state.closed {
                state = self.wait(state);
            }
            let Some((next, done)) = state.waiting.take() else {
                return;
            };
            state.begun = Some((Instant::now(), done));
            drop(state);
            let result = commit(&next).map_err(Arc::new);
            drop(next);
            let begun = self.lock().begun.take();
            self.changed.notify_all();
            if let Some((_, done)) = begun {
                // A dropped caller needs no result.
                let _ = done.send(result);
            }
        }
    }

    /// Detects a commit that takes too long, and from then on fails all commits.
    fn watch(&self, patience: Duration) {
        let mut state = self.lock();
        while !state.ended {
            let begun = state.begun.as_ref();
            let taken = begun.map_or(Duration::ZERO, |(begun, _)| begun.elapsed());
            if taken >= patience {
                state.stalled = true;
                let begun = state.begun.take().map(|(_, done)| done);
                let waiting = state.waiting.take().map(|(_, done)| done);
                for done in begun.into_iter().chain(waiting) {
                    let _ = done.send(Err(Arc::new(SledError::Stalled)));
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

/// Marks the writer thread as ended, also after a panic.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        // Dropping the senders fails their callers.
        state.begun = None;
        state.waiting = None;
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn empty() -> Arc<Commit> {
        Arc::new(Commit {
            sequence: 1,
            entries: Vec::new(),
        })
    }

    #[tokio::test]
    async fn a_commit_that_never_comes_back_has_failed_and_nothing_waits_for_it() {
        let (_open, never) = mpsc::channel::<()>();
        let commit = move |_: &Commit| {
            let _ = never.recv();
            Ok(1)
        };
        let writer = Writer::start_with(commit, Duration::from_millis(20)).unwrap();
        for _ in 0..2 {
            let result = writer.append(empty()).await;
            let error = result.unwrap_err();
            assert!(matches!(*error, SledError::Stalled), "{error:?}");
        }
        drop(writer);
    }

    #[tokio::test]
    async fn the_commit_of_a_dropped_caller_can_be_waited_for() {
        let (ends, end) = mpsc::channel::<()>();
        let written = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&written);
        let commit = move |_: &Commit| {
            let _ = end.recv();
            written.store(true, Ordering::SeqCst);
            Ok(1)
        };
        let writer = Writer::start_with(commit, Duration::from_mins(1)).unwrap();
        tokio::select! {
            biased;
            _ = writer.append(empty()) => unreachable!("the commit has not ended"),
            () = std::future::ready(()) => {}
        }
        assert!(!seen.load(Ordering::SeqCst));
        ends.send(()).unwrap();
        writer.finish();
        assert!(seen.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let commit = |_: &Commit| panic!("on purpose");
        let writer = Writer::start_with(commit, Duration::from_mins(1)).unwrap();
        for _ in 0..2 {
            let result = writer.append(empty()).await;
            let error = result.unwrap_err();
            assert!(matches!(*error, SledError::Stopped), "{error:?}");
        }
    }
}
