//! Errors of the shared record.

use std::time::Duration;

use hookctl_core::outside::{Outside, beginning};
use hookctl_core::record::{RecordError, RecordErrorKind};

use super::blobs::{BlobError, BlobErrorKind};
use super::holder::Holder;

/// How much of a text of the head a message shows, in characters.
const SHOWN: usize = 300;

/// Why the shared record could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// No record has been made at this place.
    #[error("there is no record at this place")]
    Missing,
    /// A record exists already.
    #[error("a record exists already")]
    Exists,
    /// The store failed.
    #[error("the object store failed: {0}")]
    Store(BlobError),
    /// Another process holds the lease.
    #[error(
        "the record is being written by {} (epoch {epoch}, since {}, last heartbeat {} s ago)",
        Outside::text(&beginning(&.holder.run, SHOWN)), .holder.since, .silent.as_secs()
    )]
    Held {
        /// The holder.
        holder: Box<Holder>,
        /// Its epoch.
        epoch: u64,
        /// How long its heartbeat has not changed, as far as this process saw.
        silent: Duration,
    },
    /// The holder is not the expected one.
    #[error("the record is in epoch {found}")]
    OtherEpoch {
        /// The current epoch.
        found: u64,
    },
    /// The wait for another holder was cancelled.
    #[error("interrupted while another process writes the record")]
    Interrupted,
    /// Another process took over the lease.
    #[error("this run lost its lease, and another run took over")]
    Fenced,
    /// The commit is not the next one.
    #[error("the next commit is {expected}, not {found}")]
    Conflict {
        /// The sequence of the next commit.
        expected: u64,
        /// That of the commit.
        found: u64,
    },
    /// An append failed before, so the end of the log is unknown.
    #[error("an earlier append failed")]
    Ended,
    /// An object is not what was written.
    #[error("{object} is damaged: {reason}")]
    Damaged {
        /// The name of the object.
        object: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A newer version wrote the record.
    #[error("a newer version wrote the record (format {found})")]
    Newer {
        /// The format that a reader must support.
        found: u32,
    },
    /// The record belongs to another account.
    #[error("the record belongs to {}", Outside::text(&beginning(.found, SHOWN)))]
    OtherAccount {
        /// The account.
        found: String,
    },
    /// The record was set back, for example by restoring older objects.
    #[error(
        "the record was set back: its log ends with entry {found}, and this machine has read entry {known} before"
    )]
    RolledBack {
        /// The last entry now.
        found: u64,
        /// The last entry that was read before.
        known: u64,
    },
    /// The record was migrated.
    #[error("the record was moved to {}", Outside::text(&beginning(.to, SHOWN)))]
    Moved {
        /// Where it is now.
        to: String,
    },
    /// The store ignores the conditions of writes, so that two runs could overwrite each other.
    #[error("the object store ignores conditional writes: {what}")]
    Unsafe {
        /// What the store accepted.
        what: &'static str,
    },
    /// A batch of changes is larger than any entry that is read.
    #[error("a batch of {bytes} bytes is larger than an entry of the record can be")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A value has no stored form.
    #[error("a value cannot be stored")]
    Format {
        /// The cause.
        source: serde_json::Error,
    },
    /// The system has no random numbers.
    #[error("the system has no random numbers: {0}")]
    Random(getrandom::Error),
}

impl SharedError {
    const fn kind(&self) -> RecordErrorKind {
        match self {
            Self::Missing => RecordErrorKind::Missing,
            Self::Exists | Self::OtherAccount { .. } | Self::Moved { .. } | Self::Unsafe { .. } => {
                RecordErrorKind::Misplaced
            }
            Self::Store(error) => match error.kind() {
                BlobErrorKind::TooLarge => RecordErrorKind::Damaged,
                _ => RecordErrorKind::Unavailable,
            },
            Self::Held { .. } | Self::OtherEpoch { .. } => RecordErrorKind::Held,
            Self::Interrupted => RecordErrorKind::Interrupted,
            Self::Fenced => RecordErrorKind::Fenced,
            Self::Conflict { .. } => RecordErrorKind::Conflict,
            Self::Ended | Self::TooLarge { .. } | Self::Format { .. } | Self::Random(_) => {
                RecordErrorKind::Unavailable
            }
            Self::Damaged { .. } | Self::RolledBack { .. } => RecordErrorKind::Damaged,
            Self::Newer { .. } => RecordErrorKind::Newer,
        }
    }
}

impl From<SharedError> for RecordError {
    fn from(error: SharedError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl From<BlobError> for SharedError {
    fn from(error: BlobError) -> Self {
        Self::Store(error)
    }
}
