//! How much of the history is kept.

use std::time::Duration;

/// How much of the history is kept of each account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// How long a change is kept, counted back from the latest one.
    pub keep: Duration,
    /// The most changes that are kept.
    pub max_entries: u64,
}

impl Default for HistoryLimits {
    /// 90 days and 10,000 changes.
    fn default() -> Self {
        Self {
            keep: Duration::from_hours(24 * 90),
            max_entries: 10_000,
        }
    }
}
