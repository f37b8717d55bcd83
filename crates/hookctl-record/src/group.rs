//! Group commit: entries that arrive during a commit share the next one, so that each commit, not each write, costs
//! one wait for durability.
//!
//! It needs no task or thread: one of the waiting callers appends for all of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hookctl_core::record::{
    Backend, Commit, Entry, Head, Loaded, Observation, RecordError, RecordErrorKind, SendPermit,
    Session,
};
use tokio::sync::oneshot;

/// The maximum number of writes in one commit.
const AT_ONCE: usize = 1024;

/// The number of writes in a commit from which on it pays to wait for more of them.
const MANY: usize = 8;

/// The time to wait for more writes when many are in flight. No caller needs the result earlier, since other writes
/// are in flight meanwhile.
const WINDOW: Duration = Duration::from_millis(1);

/// The commits of a session.
pub(crate) struct Group {
    /// Set once this process is the writer.
    session: OnceLock<Box<dyn Session>>,
    /// Whether the record changed between the read of a caller and the beginning of the session, and was not read since.
    is_stale: AtomicBool,
    queue: Mutex<Queue>,
    /// Held by the caller that appends.
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Default)]
struct Queue {
    /// Entries that join the next commit without waiting for it.
    observed: Option<Observation>,
    writes: Vec<Write>,
}

struct Write {
    entries: Vec<Entry>,
    done: oneshot::Sender<Result<(), RecordError>>,
}

struct Turn {
    /// The number of the last commit. `None` before the first commit and after an error; it must then be read.
    sequence: Option<u64>,
    /// Whether the last commit held many writes.
    many: bool,
    /// Whether the caller of an unfinished commit was dropped, so that its outcome is unknown.
    lost: bool,
}

impl Group {
    /// Returns the commits of a session. `None` if it [begins](Self::begin) later.
    pub(crate) fn new(session: Option<Box<dyn Session>>, sequence: Option<u64>) -> Self {
        Self {
            session: session.map(OnceLock::from).unwrap_or_default(),
            is_stale: AtomicBool::new(false),
            queue: Mutex::default(),
            turn: tokio::sync::Mutex::new(Turn {
                sequence,
                many: false,
                lost: false,
            }),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process is the writer.
    pub(crate) fn has_begun(&self) -> bool {
        self.session.get().is_some()
    }

    /// Becomes the writer, unless it is. Returns whether what the caller read, up to `sequence`, is current. As long as it
    /// is not, nothing is appended.
    pub(crate) async fn begin(
        &self,
        backend: &dyn Backend,
        sequence: u64,
    ) -> Result<bool, RecordError> {
        if !self.has_begun() {
            let mut turn = self.turn.lock().await;
            if !self.has_begun() {
                let begun = backend.begin_after(sequence).await?;
                turn.sequence = begun.is_current.then_some(sequence);
                self.is_stale.store(!begun.is_current, Ordering::SeqCst);
                // Nothing else sets it: the turn is held.
                let _ = self.session.set(begun.session);
            }
        }
        Ok(!self.is_stale.load(Ordering::SeqCst))
    }

    /// Returns the permit of the session. Without one, nothing may be sent.
    pub(crate) fn send_permit(&self) -> SendPermit {
        let session = self.session.get();
        session.map_or_else(
            || SendPermit::new(|| false),
            |session| session.send_permit(),
        )
    }

    fn session(&self) -> Result<&dyn Session, RecordError> {
        let session = self.session.get().map(|session| &**session);
        session.ok_or_else(|| RecordError::new(RecordErrorKind::Conflict, "no session has begun"))
    }

    /// Reads the record, including every commit.
    pub(crate) async fn load(&self) -> Result<Loaded, RecordError> {
        let mut turn = self.turn.lock().await;
        let loaded = self.session()?.load().await?;
        turn.sequence = Some(loaded.sequence);
        turn.lost = false;
        self.is_stale.store(false, Ordering::SeqCst);
        Ok(loaded)
    }

    /// Keeps an observation for the next commit.
    pub(crate) fn observe(&self, observation: Observation) {
        self.queue().observed = Some(observation);
    }

    /// Appends entries, all or none. Durable when this returns.
    ///
    /// Cancel safety: if this is dropped, the entries may or may not become durable.
    pub(crate) async fn append(&self, entries: Vec<Entry>) -> Result<(), RecordError> {
        let (done, mut result) = oneshot::channel();
        self.queue().writes.push(Write { entries, done });
        loop {
            let turn = tokio::select! {
                biased;
                result = &mut result => return result.unwrap_or_else(|_| Err(dropped())),
                turn = self.turn.lock() => turn,
            };
            if let Ok(result) = result.try_recv() {
                return result;
            }
            // Outside `select!`: a commit that contains entries of other callers is always completed.
            self.lead(turn).await;
        }
    }

    /// Appends the waiting entries.
    async fn lead(&self, mut turn: tokio::sync::MutexGuard<'_, Turn>) {
        if turn.many {
            tokio::time::sleep(WINDOW).await;
        }
        let (entries, waiting) = self.take();
        turn.many = waiting.len() >= MANY;
        let result = self.commit(&mut turn, entries).await;
        drop(turn);
        for done in waiting {
            // A dropped caller needs no result.
            let _ = done.send(result.clone());
        }
    }

    fn take(&self) -> (Vec<Entry>, Vec<oneshot::Sender<Result<(), RecordError>>>) {
        let mut queue = self.queue();
        let count = queue.writes.len().min(AT_ONCE);
        let mut entries: Vec<Entry> = queue
            .observed
            .take()
            .map(Entry::Observed)
            .into_iter()
            .collect();
        let mut waiting = Vec::with_capacity(count);
        for write in queue.writes.drain(..count) {
            entries.extend(write.entries);
            waiting.push(write.done);
        }
        (entries, waiting)
    }

    async fn commit(&self, turn: &mut Turn, entries: Vec<Entry>) -> Result<(), RecordError> {
        if entries.is_empty() {
            return Ok(());
        }
        let last = match turn.sequence.filter(|_| !turn.lost) {
            Some(last) => last,
            None => self.session()?.load().await?.sequence,
        };
        turn.sequence = None;
        turn.lost = true;
        let commit = Arc::new(Commit {
            sequence: last + 1,
            entries,
        });
        let appended = self.session()?.append(commit).await;
        turn.lost = false;
        turn.sequence = Some(appended?);
        Ok(())
    }

    /// Appends the remaining entries, and ends the session.
    pub(crate) async fn end(self) -> Result<Option<Head>, RecordError> {
        if !self.has_begun() {
            return Ok(None);
        }
        let (entries, waiting) = self.take();
        let mut turn = self.turn.lock().await;
        let appended = self.commit(&mut turn, entries).await;
        drop(turn);
        for done in waiting {
            let _ = done.send(appended.clone());
        }
        let head = match self.session.into_inner() {
            Some(session) => session.end().await,
            None => Ok(None),
        };
        appended?;
        head
    }
}

fn dropped() -> RecordError {
    RecordError::new(
        RecordErrorKind::Unavailable,
        "the caller that committed for several was dropped",
    )
}
