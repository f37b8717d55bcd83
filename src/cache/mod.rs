//! The local record, on sled: bindings, last-applied state, fingerprints, history, and what was last
//! observed, per target.
//!
//! # Expected flow
//! Opened for one pass and closed again, so that several commands live side by side. A second opener
//! waits, then gets a clear error. A dry run opens a copy and leaves the folder as it is.
//!
//! # Guarantees
//! - When [`Journal::settle`] returns, the settlement is durable, as a whole.
//! - Whatever is read was written by us: every value is checksummed, and a database that silently went
//!   back to an older state is told by a generation number that is kept beside it.
//! - No file holds a token or an API key, though the API may put one into a name or an address: that part is
//!   hidden.
//!
//! # Assumptions
//! The folder is on a local file system with working locks.
//!
//! # Caveats
//! It is a cache: damaged or lost, it is rebuilt from the API by name. So damage is an error that says
//! how to go on, and nothing is ever decided from a record that failed its check.
//!
//! Writes that wait at the same time are committed together: one wait for the disk for all of them.

mod care;
mod commit;
mod database;
mod folder;
mod generation;
mod guard;
mod history;
mod lock;
mod observed;
mod open;
mod schema;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use care::{Verified, salvage, set_aside, verify};
use database::Database;
pub use generation::RecordVersion;
pub use guard::GUARDED_THREAD;
use guard::{PATIENCE, guarded};
pub use history::HistoryLimits;
use lock::Lock;
use writer::{Write, Writer};

use crate::outside::Outside;
use crate::record::{HistoryEntry, Intent, Journal, JournalError, Pending, Settlement};
use crate::secret::Followed;
use crate::state::{LastApplied, ObservedState, ObservedWebhook};
use crate::webhook::Key;

/// Where the record is, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// The folder.
    pub directory: PathBuf,
    /// How long to wait for another opener.
    pub lock_timeout: Duration,
    /// How much of the history is kept.
    pub history: HistoryLimits,
    /// Ends a wait for another opener.
    pub cancellation: CancellationToken,
    /// The secrets that the API may have put into public fields: none of them is stored.
    pub followed: Followed,
}

/// The account that records belong to. Another base URL under the same name is another account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    target: String,
    api: String,
}

impl Account {
    /// The account of a target's name and its API's base URL.
    pub fn new(target: &str, api: &str) -> Self {
        // NUL separates the two in the database.
        let clean = |text: &str| text.replace('\0', " ");
        Self {
            target: clean(target),
            api: clean(api),
        }
    }

    /// The target's name.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The API's base URL.
    pub fn api(&self) -> &str {
        &self.api
    }
}

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Another process uses it.
    #[error("the local record in {} is in use{}", Outside::path(directory), holder.map_or_else(String::new, |pid| format!(" by process {pid}")))]
    Locked {
        /// The folder.
        directory: PathBuf,
        /// The process that uses it, if it says.
        holder: Option<u32>,
    },
    /// The wait for another process was cancelled; nothing was opened.
    #[error("interrupted while another process used the local record")]
    Interrupted,
    /// The folder or a file in it cannot be read or written.
    #[error("could not {attempt} {}", Outside::path(path))]
    Io {
        /// What was tried.
        attempt: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No record may be in the folder.
    #[error("{} cannot hold the local record: {why}", Outside::path(directory))]
    NoPlace {
        /// The folder.
        directory: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// The database is damaged.
    #[error(
        "the local record in {} is damaged ({what}), and is not trusted",
        Outside::path(directory)
    )]
    Damaged {
        /// The folder.
        directory: PathBuf,
        /// What was found.
        what: String,
    },
    /// The database went back to an older state.
    #[error(
        "the local record in {} went back from state {expected} to state {found}, as after a power loss or a restored copy, and is not trusted",
        Outside::path(directory)
    )]
    RolledBack {
        /// The folder.
        directory: PathBuf,
        /// The state that it should have at least.
        expected: u64,
        /// The state that it has.
        found: u64,
    },
    /// The database was made by a newer version.
    #[error(
        "the local record in {} was made by a newer version of hookctl (schema {found})",
        Outside::path(directory)
    )]
    Newer {
        /// The folder.
        directory: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// The clock of this machine is before 1970, which no record can hold.
    #[error("the clock of this machine is set to a time before 1970")]
    Clock,
    /// The database refused.
    #[error("could not {attempt} the local record in {}", Outside::path(directory))]
    Database {
        /// What was tried.
        attempt: &'static str,
        /// The folder.
        directory: PathBuf,
        /// Why.
        source: sled::Error,
    },
}

impl CacheError {
    /// Whether the record itself is not what was written, so that it has to be made again.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::RolledBack { .. })
    }
}

/// The record, opened for one pass.
pub struct Cache {
    writer: Writer,
    database: Arc<Database>,
    account: Account,
    // Released last.
    _lock: Lock,
}

/// The record, opened for reading: a copy, so that the folder stays as it is.
pub struct CacheReader {
    database: Database,
    account: Account,
    _copy: tempfile::TempDir,
}

/// What was last observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When, in RFC 3339.
    pub at: String,
    /// All webhooks of the account.
    pub webhooks: Vec<ObservedWebhook>,
}

impl Cache {
    /// Opens the record, and makes it if there is none.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn open(options: &CacheOptions, account: Account) -> Result<Self, CacheError> {
        folder::prepare(&options.directory)?;
        let lock = Lock::exclusive(options)?;
        folder::check(&options.directory)?;
        let mut database = Database::open(&options.directory, &options.directory)?;
        database.history_limits = options.history;
        database.followed = options.followed.clone();
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

    /// What is remembered of each bound webhook.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if a record fails its check.
    pub fn last_applied(&self) -> Result<LastApplied, CacheError> {
        self.database.last_applied(&self.account)
    }

    /// The writes whose outcome is not known, by key.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if one fails its check.
    pub fn pending(&self) -> Result<Pending, CacheError> {
        self.database.pending(&self.account)
    }

    /// What was last observed; none before the first time.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if a record fails its check.
    pub fn observed(&self) -> Result<Option<Snapshot>, CacheError> {
        self.database.observed(&self.account)
    }

    /// Keeps what was observed. Only what differs from the last time is written, and it is durable
    /// once the record is closed.
    ///
    /// # Errors
    /// [`CacheError`] if it cannot be written.
    pub fn keep_observed(&self, at: &str, observed: &ObservedState) -> Result<(), CacheError> {
        self.database.keep_observed(&self.account, at, observed)
    }

    /// The latest changes, the newest first.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if an entry fails its check.
    pub fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, CacheError> {
        self.database.history(&self.account, limit)
    }

    /// The accounts that anything is remembered of.
    ///
    /// # Errors
    /// [`CacheError`] if the database cannot be read.
    pub fn accounts(&self) -> Result<Vec<Account>, CacheError> {
        self.database.accounts()
    }

    /// Records several settlements all or nothing; durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if that cannot be promised.
    pub async fn settle_together(&self, settlements: Vec<Settlement>) -> Result<(), JournalError> {
        let Some(first) = settlements.first() else {
            return Ok(());
        };
        let key = first.key.clone();
        self.commit(key, Write::Settle(settlements)).await
    }

    /// Closes the record; what was written is durable then.
    ///
    /// # Errors
    /// [`CacheError`] if that cannot be promised.
    pub fn close(self) -> Result<(), CacheError> {
        let Self {
            writer, database, ..
        } = self;
        let path = database.directory().to_owned();
        let closed = guarded(PATIENCE, move || {
            drop(writer);
            database.sync()
        });
        closed.unwrap_or_else(|gone| Err(io_error("close", &path)(gone.into())))
    }
}

impl Journal for Cache {
    async fn intend(&self, intent: Intent) -> Result<(), JournalError> {
        let key = intent.key.clone();
        self.commit(key, Write::Intend(Box::new(intent))).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), JournalError> {
        let key = settlement.key.clone();
        self.commit(key, Write::Settle(vec![settlement])).await
    }
}

impl Cache {
    async fn commit(&self, key: Key, write: Write) -> Result<(), JournalError> {
        self.writer
            .commit(write)
            .await
            .map_err(|error| JournalError {
                key,
                source: Box::new(error),
            })
    }
}

impl CacheReader {
    /// The accounts that anything is remembered of.
    ///
    /// # Errors
    /// [`CacheError`] if the database cannot be read.
    pub fn accounts(&self) -> Result<Vec<Account>, CacheError> {
        self.database.accounts()
    }

    /// Opens a copy of the record; none if there is no record. Nothing is written to the folder.
    ///
    /// # Errors
    /// [`CacheError`]
    pub fn open(options: &CacheOptions, account: Account) -> Result<Option<Self>, CacheError> {
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

    /// What is remembered of each bound webhook.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if a record fails its check.
    pub fn last_applied(&self) -> Result<LastApplied, CacheError> {
        self.database.last_applied(&self.account)
    }

    /// The writes whose outcome is not known, by key.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if one fails its check.
    pub fn pending(&self) -> Result<Pending, CacheError> {
        self.database.pending(&self.account)
    }

    /// What was last observed; none before the first time.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if a record fails its check.
    pub fn observed(&self) -> Result<Option<Snapshot>, CacheError> {
        self.database.observed(&self.account)
    }

    /// The latest changes, the newest first.
    ///
    /// # Errors
    /// [`CacheError::Damaged`] if an entry fails its check.
    pub fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, CacheError> {
        self.database.history(&self.account, limit)
    }
}

/// Checks that a record is in a folder, or may be made there. The folder may not be a link; it may be missing or empty, or
/// hold what a record holds, which its names tell.
///
/// # Errors
/// [`CacheError::NoPlace`], or what keeps the folder from being looked at.
pub fn check_place(directory: &Path) -> Result<(), CacheError> {
    folder::check_place(directory)
}

fn io_error(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io {
        attempt,
        path,
        source,
    }
}

/// Reads a row, for the fuzz target.
#[cfg(any(fuzzing, test))]
pub fn fuzz_row(bytes: &[u8]) {
    schema::fuzz(bytes);
}

#[cfg(test)]
mod tests;
