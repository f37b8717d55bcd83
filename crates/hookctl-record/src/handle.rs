//! The record of one account, for a program that runs many passes on it.
//!
//! # Expected flow
//! [`Record::cached`] returns the state if it is in memory and nothing was written since. An idle pass needs no more.
//! For any other pass, [`Record::open`] makes this process the only writer, and the pass writes through
//! [`OpenRecord`]. Subscribers receive each change.
//!
//! # Guarantees
//! - The state in memory is used only while the record has not changed since it was read.
//! - A subscriber receives a change only after it is durable.
//! - Concurrent writes are committed together.
//!
//! # Assumptions
//! The handle works over any [`Backend`].
//!
//! # Caveats
//! A subscriber that falls [`BACKLOG`] changes behind receives the number of missed changes, and continues from
//! there.
//!
//! The repository's example `long_lived_record` is a complete program.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookctl_core::record::{
    Account, Backend, Entry, Head, HistoryEntry, Intent, Journal, JournalError, Observation,
    RecordError, RecordErrorKind, Remembered, SendPermit, Session, Settlement,
};
use tokio::sync::broadcast;

use crate::group::Group;

/// The number of changes that are buffered for a slow subscriber.
pub const BACKLOG: usize = 1_024;

/// The record of one account. Clones share the state in memory.
#[derive(Clone)]
pub struct Record(Arc<Shared>);

struct Shared {
    backend: Box<dyn Backend>,
    account: Account,
    cached: Mutex<Option<Cached>>,
    /// The prefetched session, for the next [`Record::open`].
    prefetched: Mutex<Option<Prefetched>>,
    changes: broadcast::Sender<Arc<HistoryEntry>>,
}

/// How a record is prefetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As a reader.
    Read,
    /// As the writer, for the next [`Record::open`].
    Write,
}

/// A state, with the tag of the record's state when it was read.
struct Cached {
    head: Head,
    remembered: Arc<Remembered>,
}

struct Prefetched {
    session: Box<dyn Session>,
    remembered: Arc<Remembered>,
    sequence: u64,
}

impl Record {
    /// Returns the record of an account over a back end. Reads nothing.
    pub fn new(backend: impl Backend + 'static, account: Account) -> Self {
        Self(Arc::new(Shared {
            backend: Box::new(backend),
            account,
            cached: Mutex::default(),
            prefetched: Mutex::default(),
            changes: broadcast::Sender::new(BACKLOG),
        }))
    }

    /// Returns the account.
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// Returns the tag of the record's current state. Returns `None` if there is no record, or if its state cannot be
    /// determined.
    pub async fn head(&self) -> Option<Head> {
        self.0.backend.head().await.ok().flatten()
    }

    /// Returns the state if it is in memory and still current. Reads only the tag of the record's state.
    pub async fn cached(&self) -> Option<Arc<Remembered>> {
        let (head, remembered) = {
            let cached = lock(&self.0.cached);
            let cached = cached.as_ref()?;
            (cached.head.clone(), Arc::clone(&cached.remembered))
        };
        let current = self.0.backend.head().await.ok()??;
        (current == head).then_some(remembered)
    }

    /// Returns the state. Reads the record unless the state in memory is current. Writes nothing.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn remembered(&self) -> Result<Arc<Remembered>, RecordError> {
        if let Some(cached) = self.cached().await {
            return Ok(cached);
        }
        let loaded = self.0.backend.load().await?;
        let remembered = Arc::new(loaded.remembered);
        self.cache(loaded.head, Some(Arc::clone(&remembered)));
        Ok(remembered)
    }

    /// Prefetches the state while the program does something else. With [`Access::Write`] the record stays open for
    /// the next [`open`](Self::open), until it is [released](Self::release).
    ///
    /// Does nothing if the record is missing, in use, or unreadable; the next read reports the error.
    pub async fn prefetch(&self, access: Access) {
        if !matches!(self.0.backend.head().await, Ok(Some(_))) || self.cached().await.is_some() {
            return;
        }
        match access {
            Access::Write if !self.0.backend.begins_late() => {
                let Ok(session) = self.0.backend.begin().await else {
                    return;
                };
                if let Ok(loaded) = session.load().await {
                    *lock(&self.0.prefetched) = Some(Prefetched {
                        session,
                        remembered: Arc::new(loaded.remembered),
                        sequence: loaded.sequence,
                    });
                }
            }
            // The lease of a record that begins late is taken only for a write.
            Access::Read | Access::Write => drop(self.remembered().await),
        }
    }

    /// Returns the number of webhooks in the state in memory, which may be out of date. Returns `None` if nothing was read.
    pub fn size_in_memory(&self) -> Option<usize> {
        let prefetched = lock(&self.0.prefetched);
        let cached = lock(&self.0.cached);
        let remembered = prefetched.as_ref().map(|prefetched| &prefetched.remembered);
        let remembered = remembered.or_else(|| Some(&cached.as_ref()?.remembered));
        remembered.map(|remembered| remembered.last_applied.len())
    }

    /// Ends a prefetched session, so that other writers can continue. The state stays in memory until the record
    /// changes.
    pub async fn release(&self) {
        let prefetched = lock(&self.0.prefetched).take();
        if let Some(prefetched) = prefetched {
            let ended = prefetched.session.end().await;
            self.cache(ended.ok().flatten(), Some(prefetched.remembered));
        }
    }

    /// Returns the last observation; `None` before the first pass.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn observed(&self) -> Result<Option<Observation>, RecordError> {
        self.0.backend.observed().await
    }

    /// Returns up to `limit` changes of the history, the newest first.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, RecordError> {
        self.0.backend.history(limit).await
    }

    /// Returns a stream of the changes from now on, each once it is applied and durable.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<HistoryEntry>> {
        self.0.changes.subscribe()
    }

    /// Becomes the only writer of the record, and creates it if it is missing.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn open(&self) -> Result<OpenRecord, RecordError> {
        let prefetched = lock(&self.0.prefetched).take();
        let (group, read) = if let Some(prefetched) = prefetched {
            let group = Group::new(Some(prefetched.session), Some(prefetched.sequence));
            (group, Some(prefetched.remembered))
        } else {
            let session = self.0.backend.begin().await?;
            // No other writer exists from here on, so the state in memory is current if its tag is.
            (Group::new(Some(session), None), self.cached().await)
        };
        Ok(OpenRecord {
            record: self.clone(),
            group,
            read: Mutex::new(read),
            read_to: AtomicU64::default(),
        })
    }

    /// Opens the record for a pass, which may have nothing to write. Where the back end prefers it, this process becomes
    /// the writer only when [`OpenRecord::begin`] is called.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn open_late(&self) -> Result<OpenRecord, RecordError> {
        if !self.0.backend.begins_late() {
            return self.open().await;
        }
        Ok(OpenRecord {
            record: self.clone(),
            group: Group::new(None, None),
            read: Mutex::default(),
            read_to: AtomicU64::default(),
        })
    }

    fn cache(&self, head: Option<Head>, remembered: Option<Arc<Remembered>>) {
        let cached = head.zip(remembered);
        *lock(&self.0.cached) = cached.map(|(head, remembered)| Cached { head, remembered });
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("account", &self.0.account)
            .finish_non_exhaustive()
    }
}

/// An open record, with this process as its only writer.
pub struct OpenRecord {
    record: Record,
    group: Group,
    /// The state, if it was read since the last write.
    read: Mutex<Option<Arc<Remembered>>>,
    /// The last commit that was read before this process became the writer.
    read_to: AtomicU64,
}

impl OpenRecord {
    /// Returns the state, including every write so far.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn remembered(&self) -> Result<Arc<Remembered>, RecordError> {
        if let Some(remembered) = &*lock(&self.read) {
            return Ok(Arc::clone(remembered));
        }
        let loaded = if self.group.has_begun() {
            self.group.load().await?
        } else {
            self.record.0.backend.load().await?
        };
        self.read_to.store(loaded.sequence, Ordering::SeqCst);
        let remembered = Arc::new(loaded.remembered);
        *lock(&self.read) = Some(Arc::clone(&remembered));
        Ok(remembered)
    }

    /// Becomes the writer, unless this process is. Returns whether the state that [`remembered`](Self::remembered)
    /// returned last is still current. If not, a plan that was made from it may not hold, and nothing can be written until
    /// the state is read again.
    ///
    /// # Errors
    /// [`RecordError`]
    pub async fn begin(&self) -> Result<bool, RecordError> {
        let read_to = self.read_to.load(Ordering::SeqCst);
        let backend = &*self.record.0.backend;
        let is_current = self.group.begin(backend, read_to).await?;
        if !is_current {
            lock(&self.read).take();
        }
        Ok(is_current)
    }

    /// Records an observation, so that a webhook that existed before a create is never mistaken for the created one.
    /// Durable with the next write, or when the record is closed. Dropped if this process never becomes the writer.
    pub fn observe(&self, observation: Observation) {
        self.group.observe(observation);
    }

    /// Records several settlements, all or none. Durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if durability is not certain.
    pub async fn settle_together(&self, settlements: Vec<Settlement>) -> Result<(), JournalError> {
        let Some(first) = settlements.first() else {
            return Ok(());
        };
        let key = first.key.clone();
        let heard = self.record.0.changes.receiver_count() > 0;
        let changes: Vec<_> = settlements
            .iter()
            .filter_map(|settlement| settlement.history.clone().filter(|_| heard))
            .map(Arc::new)
            .collect();
        let entries = settlements.into_iter().map(Entry::Settled).collect();
        self.append(key, entries).await?;
        for change in changes {
            // Sending fails only without a subscriber.
            let _ = self.record.0.changes.send(change);
        }
        Ok(())
    }

    async fn append(
        &self,
        key: hookctl_core::webhook::Key,
        entries: Vec<Entry>,
    ) -> Result<(), JournalError> {
        let appended = match self.begin().await {
            Ok(true) => {
                lock(&self.read).take();
                self.group.append(entries).await
            }
            Ok(false) => Err(RecordError::new(
                RecordErrorKind::Conflict,
                "another writer changed the record meanwhile",
            )),
            Err(error) => Err(error),
        };
        appended.map_err(|error| JournalError {
            key,
            source: Box::new(error),
        })
    }

    /// Makes everything durable, and releases the record. The state stays in memory if nothing was written since it
    /// was read.
    ///
    /// # Errors
    /// [`RecordError`] if durability is not certain.
    pub async fn close(self) -> Result<(), RecordError> {
        let Self {
            record,
            group,
            read,
            read_to: _,
        } = self;
        if !group.has_begun() {
            return Ok(());
        }
        let read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
        let head = group.end().await?;
        record.cache(head, read);
        Ok(())
    }

    /// Closes the record for a program that opens it again soon. The state is in memory afterwards.
    ///
    /// # Errors
    /// [`RecordError`] if durability is not certain.
    pub async fn close_and_cache(self) -> Result<(), RecordError> {
        // If it cannot be read, the next pass reports the error.
        let _ = self.remembered().await;
        self.close().await
    }
}

impl Journal for OpenRecord {
    async fn intend(&self, intent: Intent) -> Result<(), JournalError> {
        let key = intent.key.clone();
        self.append(key, vec![Entry::Intended(Box::new(intent))])
            .await
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), JournalError> {
        self.settle_together(vec![settlement]).await
    }

    fn send_permit(&self) -> SendPermit {
        self.group.send_permit()
    }
}

impl fmt::Debug for OpenRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenRecord")
            .field("account", &self.record.0.account)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
