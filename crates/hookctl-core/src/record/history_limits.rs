//! The retention of the history.

use std::time::Duration;

/// The retention limits of each account's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// The age at which a change expires, counted back from the latest change.
    pub keep: Duration,
    /// The maximum number of changes.
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
