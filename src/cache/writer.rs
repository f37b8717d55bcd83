//! Commits of several writes together: what is waiting when a commit begins goes into it, so that
//! durability costs one wait for the disk per window and not one per write.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::database::Database;
use super::{Account, CacheError, io_error};
use crate::record::{Intent, Settlement};

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
type Done = (Result<(), Arc<CacheError>>, Write);

struct Job {
    write: Write,
    done: oneshot::Sender<Done>,
}

/// The thread that commits. Dropping it commits what is still waiting.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(database: Arc<Database>, account: Account) -> Result<Self, CacheError> {
        let (jobs, waiting) = mpsc::channel();
        let path = database.directory().to_owned();
        let thread = std::thread::Builder::new()
            .name("hookctl-record".to_owned())
            .spawn(move || run(&database, &account, &waiting))
            .map_err(io_error("start a thread to write", &path))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Hands over a write; durable when this returns.
    pub(super) async fn commit(&self, write: Write) -> Result<(), WriteError> {
        let (done, committed) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(WriteError::Stopped)?;
        jobs.send(Job { write, done })
            .map_err(|_| WriteError::Stopped)?;
        let (result, _write) = committed.await.map_err(|_| WriteError::Stopped)?;
        result.map_err(WriteError::Failed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Why a write is not durable.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Failed(Arc<CacheError>),
    #[error("the local record is no longer written")]
    Stopped,
}

fn run(database: &Database, account: &Account, waiting: &mpsc::Receiver<Job>) {
    let mut many = false;
    let mut jobs: Vec<Job> = Vec::new();
    while let Ok(first) = waiting.recv() {
        if many {
            std::thread::sleep(WINDOW);
        }
        jobs.push(first);
        jobs.extend(waiting.try_iter().take(AT_ONCE - 1));
        many = jobs.len() >= MANY;
        let result = database
            .commit(account, jobs.iter().map(|job| &job.write))
            .map_err(Arc::new);
        for job in jobs.drain(..) {
            // Whoever does not wait any more does not need the answer.
            let _ = job.done.send((result.clone(), job.write));
        }
    }
}
