//! The embedded configuration store: the record of one account, for a program that runs many passes.
//!
//! # Expected flow
//! [`Store::kept`] says what is remembered if nobody wrote since the last look; a pass that finds nothing
//! to do needs no more. For one that does, [`Store::open`] locks the record, and [`OpenStore`] is what
//! a pass writes through. Whoever subscribed hears of each change.
//!
//! # Guarantees
//! - What is kept in memory is used only while the record on disk is still in the state it was read from.
//! - A subscriber hears of a change after it is durable.
//!
//! # Assumptions
//! The API is spoken to by the pass, not here: the store knows what was, never what is.
//!
//! # Caveats
//! A subscriber that falls [`BACKLOG`] changes behind is told how many it missed, and goes on from there.
//!
//! The example `long_lived_record` of the repository shows it whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::cache::{
    Account, Cache, CacheError, CacheOptions, CacheReader, RecordVersion, Snapshot,
};
use hookctl_core::record::{HistoryEntry, Intent, Journal, JournalError, Settlement};
use hookctl_core::record::{RecordSource, Records, RecordsError, Remembered};
use hookctl_core::state::ObservedState;

/// How many changes are held for a subscriber that does not keep up.
pub const BACKLOG: usize = 1_024;

/// The record of one account.
pub struct Store {
    options: CacheOptions,
    account: Account,
    kept: Mutex<Option<Kept>>,
    /// What was opened ahead, for the next opening.
    ahead: Mutex<Option<Cache>>,
    changes: broadcast::Sender<Arc<HistoryEntry>>,
}

/// How a record may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// From a copy of it: its folder stays as it is.
    Copy,
    /// In its folder, under its lock.
    InPlace,
}

/// What was read, and the state of the record that it was read from.
#[derive(Debug)]
struct Kept {
    version: RecordVersion,
    remembered: Arc<Remembered>,
}

impl Store {
    /// The record of an account in a folder. Nothing is read yet, and no folder made.
    pub fn new(options: CacheOptions, account: Account) -> Self {
        Self {
            options,
            account,
            kept: Mutex::new(None),
            ahead: Mutex::new(None),
            changes: broadcast::Sender::new(BACKLOG),
        }
    }

    /// The account.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// What is remembered, if it was read before and nobody wrote since. Reads one small file.
    pub fn kept(&self) -> Option<Arc<Remembered>> {
        let kept = lock(&self.kept);
        let kept = kept.as_ref()?;
        let current = RecordVersion::read(&self.options)?;
        (current == kept.version).then(|| Arc::clone(&kept.remembered))
    }

    /// What is remembered: last-applied state, and writes whose outcome is not known. Read from a copy of
    /// the record unless it is [kept](Self::kept); nothing is written.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn remembered(&self) -> Result<Arc<Remembered>, CacheError> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        self.read_copy(&self.options)
    }

    /// Reads what is remembered into memory for whoever asks for it later, such as beside the reading of
    /// the files. Read in place, the record stays open and locked for the next [opening](Self::open), until
    /// it is [released](Self::release) of. Does nothing if there is no record, if somebody uses it, or if it
    /// cannot be read, which whoever asks is then told.
    pub fn read_ahead(&self, access: Access) {
        if RecordVersion::read(&self.options).is_none() || self.kept().is_some() {
            return;
        }
        let options = CacheOptions {
            lock_timeout: Duration::ZERO,
            ..self.options.clone()
        };
        let _ = match access {
            Access::Copy => self.read_copy(&options).map(drop),
            Access::InPlace => self.read_in_place(&options),
        };
    }

    fn read_in_place(&self, options: &CacheOptions) -> Result<(), CacheError> {
        let open = self.opened(Cache::open(options, self.account.clone())?);
        let remembered = open.remembered()?;
        self.keep(RecordVersion::read(options), Some(remembered));
        *lock(&self.ahead) = Some(open.cache);
        Ok(())
    }

    /// Lets go of a record that was read ahead in place, so that others may have it. What was read stays in
    /// memory, for as long as they do not write.
    pub fn release(&self) {
        drop(lock(&self.ahead).take());
    }

    fn read_copy(&self, options: &CacheOptions) -> Result<Arc<Remembered>, CacheError> {
        // Read before the copy is made: a write between the two makes another version.
        let version = RecordVersion::read(options);
        let Some(reader) = CacheReader::open(options, self.account.clone())? else {
            return Ok(Arc::default());
        };
        let remembered = Arc::new(Remembered {
            last_applied: reader.last_applied()?,
            pending: reader.pending()?,
        });
        self.keep(version, Some(Arc::clone(&remembered)));
        Ok(remembered)
    }

    /// What was last observed, and when; none before the first pass.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn observed(&self) -> Result<Option<Snapshot>, CacheError> {
        self.read()?.map_or(Ok(None), |reader| reader.observed())
    }

    /// The latest changes, the newest first.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, CacheError> {
        self.read()?
            .map_or_else(|| Ok(Vec::new()), |reader| reader.history(limit))
    }

    /// A copy of the record, for reading; none if there is no record.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn read(&self) -> Result<Option<CacheReader>, CacheError> {
        CacheReader::open(&self.options, self.account.clone())
    }

    /// Changes from now on, each as it is applied and durable.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<HistoryEntry>> {
        self.changes.subscribe()
    }

    /// Locks and opens the record, and makes it if there is none.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn open(&self) -> Result<OpenStore<'_>, CacheError> {
        let ahead = lock(&self.ahead).take();
        let cache = ahead.map_or_else(|| Cache::open(&self.options, self.account.clone()), Ok)?;
        let open = self.opened(cache);
        // Nobody else writes from here on, so that what is kept now is what the record says.
        *open.lock() = self.kept();
        Ok(open)
    }

    const fn opened(&self, cache: Cache) -> OpenStore<'_> {
        OpenStore {
            store: self,
            cache,
            read: Mutex::new(None),
        }
    }

    fn keep(&self, version: Option<RecordVersion>, remembered: Option<Arc<Remembered>>) {
        *lock(&self.kept) = version.zip(remembered).map(|(version, remembered)| Kept {
            version,
            remembered,
        });
    }
}

/// The record, locked for one pass.
pub struct OpenStore<'a> {
    store: &'a Store,
    cache: Cache,
    /// What was read since the last write.
    read: Mutex<Option<Arc<Remembered>>>,
}

impl OpenStore<'_> {
    /// What is remembered.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn remembered(&self) -> Result<Arc<Remembered>, CacheError> {
        let mut read = self.lock();
        if let Some(remembered) = &*read {
            return Ok(Arc::clone(remembered));
        }
        let remembered = Arc::new(Remembered {
            last_applied: self.cache.last_applied()?,
            pending: self.cache.pending()?,
        });
        *read = Some(Arc::clone(&remembered));
        Ok(remembered)
    }

    /// The record itself.
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Makes everything durable and lets go of the record. What was read stays in memory if nothing was
    /// written since.
    ///
    /// # Errors
    /// [`CacheError`] if what was written may not be durable.
    pub fn close(self) -> Result<(), CacheError> {
        // Read under the lock: a write by somebody else after it makes another version.
        let version = RecordVersion::read(&self.store.options);
        let read = self.lock().take();
        self.cache.close()?;
        self.store.keep(version, read);
        Ok(())
    }

    /// The same for whoever opens it again soon: what is remembered is in memory afterwards.
    ///
    /// # Errors
    /// [`CacheError`] if what was written may not be durable.
    pub fn close_and_keep(self) -> Result<(), CacheError> {
        // If it cannot be read, the next pass says what is wrong.
        let _ = self.remembered();
        self.close()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Remembered>>> {
        lock(&self.read)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal for OpenStore<'_> {
    async fn intend(&self, intent: Intent) -> Result<(), JournalError> {
        self.lock().take();
        self.cache.intend(intent).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), JournalError> {
        self.lock().take();
        let heard = self.store.changes.receiver_count() > 0;
        let change = settlement.history.as_ref().filter(|_| heard);
        let change = change.cloned().map(Arc::new);
        self.cache.settle(settlement).await?;
        if let Some(change) = change {
            // That nobody listens is no error.
            let _ = self.store.changes.send(change);
        }
        Ok(())
    }
}

impl RecordSource for Store {
    type Open<'a> = OpenStore<'a>;

    fn open(&self) -> Result<OpenStore<'_>, RecordsError> {
        Ok(Self::open(self)?)
    }

    fn close(&self, open: OpenStore<'_>) -> Result<(), RecordsError> {
        Ok(open.close()?)
    }
}

impl Records for OpenStore<'_> {
    fn remembered(&self) -> Result<Arc<Remembered>, RecordsError> {
        Ok(Self::remembered(self)?)
    }

    fn keep_observed(&self, at: &str, observed: &ObservedState) -> Result<(), RecordsError> {
        Records::keep_observed(&self.cache, at, observed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookctl_core::record::After;
    use hookctl_core::webhook::{Key, RemoteId};

    fn store(directory: &std::path::Path) -> Store {
        waiting(directory, Duration::from_secs(10))
    }

    fn impatient(directory: &std::path::Path) -> Store {
        waiting(directory, Duration::ZERO)
    }

    fn waiting(directory: &std::path::Path, lock_timeout: Duration) -> Store {
        let options = CacheOptions {
            directory: directory.to_owned(),
            lock_timeout,
            history: crate::cache::HistoryLimits::default(),
            cancellation: tokio_util::sync::CancellationToken::new(),
            followed: hookctl_core::secret::Followed::default(),
        };
        Store::new(options, Account::new("qa", "https://api.example"))
    }

    fn forgotten(key: &str) -> Settlement {
        let key = Key::parse(key).unwrap();
        Settlement {
            key: key.clone(),
            after: After::Dropped,
            lingering: None,
            history: Some(HistoryEntry {
                at: "2026-01-01T00:00:00Z".into(),
                key,
                id: RemoteId::parse("id-1").unwrap(),
                action: "forget".into(),
                changes: Vec::new(),
                provenance: None,
            }),
        }
    }

    #[test]
    fn what_was_read_is_kept_until_somebody_writes() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (store(folder.path()), store(folder.path()));
        assert!(ours.kept().is_none(), "nothing was read yet");
        ours.open().unwrap().close().unwrap();
        assert!(ours.kept().is_none(), "nobody asked to keep it");
        ours.open().unwrap().close_and_keep().unwrap();
        assert!(ours.kept().is_some());
        theirs.open().unwrap().close().unwrap();
        assert!(ours.kept().is_some(), "to look is not to write");
        let open = theirs.open().unwrap();
        block_on(open.settle(forgotten("a"))).unwrap();
        open.close_and_keep().unwrap();
        assert!(ours.kept().is_none());
        assert_eq!(theirs.kept(), Some(ours.remembered().unwrap()));
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert!(theirs.kept().is_none(), "the record was deleted");
    }

    #[test]
    fn what_is_read_ahead_is_what_an_opening_finds() {
        for access in [Access::Copy, Access::InPlace] {
            let folder = tempfile::tempdir().unwrap();
            let record = folder.path().join("record");
            let (ours, theirs) = (store(&record), impatient(&record));
            ours.read_ahead(access);
            assert!(ours.kept().is_none() && !record.exists(), "nothing is made");
            let open = theirs.open().unwrap();
            block_on(open.settle(forgotten("a"))).unwrap();
            ours.read_ahead(access);
            assert!(ours.kept().is_none(), "somebody else has it");
            open.close().unwrap();

            ours.read_ahead(access);
            let ahead = ours.kept().unwrap();
            assert_eq!(theirs.open().is_err(), access == Access::InPlace);
            let open = ours.open().unwrap();
            assert!(Arc::ptr_eq(&ahead, &open.remembered().unwrap()));
            open.close().unwrap();

            ours.read_ahead(access);
            ours.release();
            let open = theirs.open().unwrap();
            block_on(open.settle(forgotten("b"))).unwrap();
            open.close().unwrap();
            let open = ours.open().unwrap();
            assert!(!Arc::ptr_eq(&ahead, &open.remembered().unwrap()));
        }
    }

    #[test]
    fn a_subscriber_hears_of_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let mut changes = store.subscribe();
        let open = store.open().unwrap();
        for key in ["a", "b"] {
            block_on(open.settle(forgotten(key))).unwrap();
        }
        open.close().unwrap();
        assert_eq!(changes.try_recv().unwrap().key.as_str(), "a");
        assert_eq!(changes.try_recv().unwrap().key.as_str(), "b");
        assert!(changes.try_recv().is_err());
        assert_eq!(store.history(10).unwrap().len(), 2);
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }
}
