//! Where the record on sled is, and how it is opened.

use std::path::PathBuf;
use std::time::Duration;

use hookctl_core::record::HistoryLimits;
use hookctl_core::secret::Followed;
use tokio_util::sync::CancellationToken;

/// Where the record is, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// The folder.
    pub directory: PathBuf,
    /// How long to wait for another process.
    pub lock_timeout: Duration,
    /// How much of the history is kept.
    pub history: HistoryLimits,
    /// Ends a wait for another process.
    pub cancellation: CancellationToken,
    /// The secrets that the API may have put into public fields: none of them is stored.
    pub followed: Followed,
}

impl SledOptions {
    /// Returns the options for a record in a folder: a wait of 10 seconds for another process, the default limits of
    /// the history, and no secrets to look for.
    pub fn in_folder(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            lock_timeout: Duration::from_secs(10),
            history: HistoryLimits::default(),
            cancellation: CancellationToken::new(),
            followed: Followed::default(),
        }
    }
}
