//! The open record, either as the only writer or as a reader of a copy.

use std::sync::Arc;

use hookctl_core::record::{Account, Commit, HistoryEntry, Loaded, Observation, Remembered};

use super::database::Database;
use super::error::{SledError, io_error};
use super::folder;
use super::guard::{PATIENCE, guarded};
use super::lock::Lock;
use super::options::SledOptions;
use super::writer::Writer;

/// The record, opened by its only writer.
pub(super) struct Opened {
    writer: Writer,
    pub(super) database: Arc<Database>,
    account: Account,
    // Released last.
    _lock: Lock,
}

impl Opened {
    /// Opens the record, and creates it if it is missing.
    pub(super) fn open(options: &SledOptions, account: Account) -> Result<Self, SledError> {
        folder::prepare(&options.directory)?;
        let lock = Lock::exclusive(options)?;
        folder::check(&options.directory)?;
        let mut database = Database::open(&options.directory, &options.directory)?;
        database.history_limits = options.history;
        database.followed = options.followed.clone();
        database.tag_unrecorded()?;
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database), account.clone(), PATIENCE)?;
        folder::close_to_others(&options.directory)?;
        Ok(Self {
            writer,
            database,
            account,
            _lock: lock,
        })
    }

    /// Reads the state, including a commit whose caller was dropped before it ended.
    pub(super) fn load(&self) -> Result<Loaded, SledError> {
        self.writer.finish();
        load(&self.database, &self.account)
    }

    #[cfg(test)]
    pub(super) fn observed(&self) -> Result<Option<Observation>, SledError> {
        self.database.observed(&self.account)
    }

    #[cfg(test)]
    pub(super) fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, SledError> {
        self.database.history(&self.account, limit)
    }

    /// Appends a commit. Durable when this returns, unless it contains only observations.
    pub(super) async fn append(&self, commit: Arc<Commit>) -> Result<u64, Arc<SledError>> {
        self.writer.append(commit).await
    }

    /// Closes the record. All writes are durable when this returns.
    pub(super) fn close(self) -> Result<(), SledError> {
        let Self {
            writer,
            database,
            account: _,
            _lock,
        } = self;
        let path = database.directory().to_owned();
        let closed = guarded(PATIENCE, move || {
            drop(writer);
            database.sync()
        });
        closed.unwrap_or_else(|gone| Err(io_error("close", &path)(gone.into())))
    }
}

/// A copy of the record for reading, which leaves the folder unchanged.
pub(super) struct Copied {
    database: Database,
    account: Account,
    _copy: tempfile::TempDir,
}

impl Copied {
    /// Copies the record, and opens the copy. Returns `None` if there is no record.
    pub(super) fn open(options: &SledOptions, account: Account) -> Result<Option<Self>, SledError> {
        let directory = &options.directory;
        folder::check_place(directory)?;
        if !Database::is_in(directory)? {
            return Ok(None);
        }
        let lock = Lock::shared(options)?;
        folder::check(directory)?;
        let copy = folder::copy(directory)?;
        drop(lock);
        let database = Database::open(copy.path(), directory)?;
        Ok(Some(Self {
            database,
            account,
            _copy: copy,
        }))
    }

    pub(super) fn load(&self) -> Result<Loaded, SledError> {
        load(&self.database, &self.account)
    }

    pub(super) fn observed(&self) -> Result<Option<Observation>, SledError> {
        self.database.observed(&self.account)
    }

    pub(super) fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, SledError> {
        self.database.history(&self.account, limit)
    }

    pub(super) fn accounts(&self) -> Result<Vec<Account>, SledError> {
        self.database.accounts()
    }
}

fn load(database: &Database, account: &Account) -> Result<Loaded, SledError> {
    Ok(Loaded {
        remembered: Remembered {
            last_applied: database.last_applied(account)?,
            pending: database.pending(account)?,
        },
        sequence: database.generation()?.unwrap_or_default().number,
        head: None,
    })
}
