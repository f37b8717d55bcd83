//! The errors of the record on sled.

use std::io;
use std::path::{Path, PathBuf};

use hookctl_core::outside::Outside;
use hookctl_core::record::{RecordError, RecordErrorKind};

/// A failure to use the record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SledError {
    /// Another process uses it.
    #[error("the local record in {} is in use{}", Outside::path(directory), holder.map_or_else(String::new, |pid| format!(" by process {pid}")))]
    Locked {
        /// The record's folder.
        directory: PathBuf,
        /// The id of that process, if known.
        holder: Option<u32>,
    },
    /// The wait for another process was cancelled; nothing was opened.
    #[error("interrupted while waiting for another process to release the local record")]
    Interrupted,
    /// The folder or a file in it cannot be read or written.
    #[error("could not {attempt} {}", Outside::path(path))]
    Io {
        /// The attempted operation, as a verb.
        attempt: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder cannot hold a record.
    #[error("{} cannot hold the local record: {why}", Outside::path(directory))]
    NoPlace {
        /// The record's folder.
        directory: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// The database is damaged.
    #[error("the local record in {} is damaged: {what}", Outside::path(directory))]
    Damaged {
        /// The record's folder.
        directory: PathBuf,
        /// The kind of damage.
        what: String,
    },
    /// The database was rolled back to an older state.
    #[error(
        "the local record in {} was rolled back (expected generation {expected}, found {found})",
        Outside::path(directory)
    )]
    RolledBack {
        /// The record's folder.
        directory: PathBuf,
        /// The minimum expected generation.
        expected: u64,
        /// The generation found.
        found: u64,
    },
    /// A newer version of hookctl created the database.
    #[error(
        "the local record in {} was created by a newer version of hookctl (schema {found})",
        Outside::path(directory)
    )]
    Newer {
        /// The record's folder.
        directory: PathBuf,
        /// The database's schema version.
        found: u32,
    },
    /// The clock of this machine is before 1970, which sled does not support.
    #[error("the clock of this machine is set to a time before 1970")]
    Clock,
    /// The commit is not the next one.
    #[error("the next commit of the local record is {expected}, not {found}")]
    Conflict {
        /// The expected number.
        expected: u64,
        /// The commit's number.
        found: u64,
    },
    /// The thread that writes has ended.
    #[error("the writer of the local record has stopped")]
    Stopped,
    /// A commit took too long.
    #[error("timed out while writing the local record")]
    Stalled,
    /// The database failed.
    #[error("could not {attempt} the local record in {}", Outside::path(directory))]
    Database {
        /// The attempted operation, as a verb.
        attempt: &'static str,
        /// The record's folder.
        directory: PathBuf,
        /// Why.
        source: sled::Error,
    },
}

impl SledError {
    /// Returns whether the stored data is damaged, so that the record must be rebuilt.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::RolledBack { .. })
    }

    /// Returns the kind of the error.
    pub const fn kind(&self) -> RecordErrorKind {
        match self {
            Self::Locked { .. } => RecordErrorKind::Held,
            Self::Interrupted => RecordErrorKind::Interrupted,
            Self::Conflict { .. } => RecordErrorKind::Conflict,
            Self::NoPlace { .. } => RecordErrorKind::Misplaced,
            Self::Damaged { .. } | Self::RolledBack { .. } => RecordErrorKind::Damaged,
            Self::Newer { .. } => RecordErrorKind::Newer,
            Self::Io { .. }
            | Self::Clock
            | Self::Database { .. }
            | Self::Stopped
            | Self::Stalled => RecordErrorKind::Unavailable,
        }
    }
}

impl From<SledError> for RecordError {
    fn from(error: SledError) -> Self {
        Self::new(error.kind(), error)
    }
}

pub(super) fn io_error(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SledError {
    let path = path.to_owned();
    move |source| SledError::Io {
        attempt,
        path,
        source,
    }
}
