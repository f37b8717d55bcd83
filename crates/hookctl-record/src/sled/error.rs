//! Why the record on sled cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use hookctl_core::outside::Outside;
use hookctl_core::record::{RecordError, RecordErrorKind};

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SledError {
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
    /// The commit is not the next one.
    #[error("the next commit of the local record is {expected}, not {found}")]
    Conflict {
        /// The number that it should have.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// The thread that writes has ended.
    #[error("the local record is no longer written")]
    Stopped,
    /// A commit took too long.
    #[error(
        "the local record could not be written in time: the disk, or this machine's threads, do not answer"
    )]
    Stalled,
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

impl SledError {
    /// Whether the record itself is not what was written, so that it has to be made again.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::RolledBack { .. })
    }

    /// What a caller can do about it.
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
