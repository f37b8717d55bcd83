//! The options of the record on sled.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookctl_core::record::HistoryLimits;
use hookctl_core::secret::Followed;
use tokio_util::sync::CancellationToken;

/// The options of the record on sled.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// The record's folder.
    pub directory: PathBuf,
    /// How long to wait for another process.
    pub lock_timeout: Duration,
    /// The retention limits of the history.
    pub history: HistoryLimits,
    /// Cancels the wait for another process.
    pub cancellation: CancellationToken,
    /// The secrets to remove from public fields before they are stored, in case the API put them there.
    pub followed: Followed,
    /// Receives, again and again, that the record waits for another process, whose id is passed if it is known.
    pub on_wait: OnWait,
}

/// A function that receives that the record waits for another process. It must not block.
#[derive(Clone, Default)]
pub struct OnWait(Option<Arc<dyn Fn(Option<u32>) + Send + Sync>>);

impl OnWait {
    /// Wraps a function.
    pub fn new(handle: impl Fn(Option<u32>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(handle)))
    }

    pub(super) fn emit(&self, holder: impl FnOnce() -> Option<u32>) {
        if let Some(handle) = &self.0 {
            handle(holder());
        }
    }
}

impl fmt::Debug for OnWait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnWait")
    }
}

impl SledOptions {
    /// Returns the options for a record in a folder: a wait of 10 seconds for another process, the default retention
    /// limits, and no secrets to remove.
    pub fn in_folder(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            lock_timeout: Duration::from_secs(10),
            history: HistoryLimits::default(),
            cancellation: CancellationToken::new(),
            followed: Followed::default(),
            on_wait: OnWait::default(),
        }
    }
}
