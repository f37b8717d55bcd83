//! The port through which an apply is recorded.

use super::HistoryEntry;
use crate::state::AppliedRecord;
use crate::webhook::Key;

/// Records what was applied. The cache is one; a test may use a map.
pub trait Journal: Send + Sync {
    /// Records one settled action: the binding, the last-applied state, the fingerprint, and the
    /// history, all or nothing, and durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if that cannot be promised.
    fn settle(&self, settlement: &Settlement) -> Result<(), JournalError>;

    /// Records several at once, each all or nothing; an implementation may make them durable together.
    ///
    /// # Errors
    /// [`JournalError`] for the first that could not be recorded.
    fn settle_all(&self, settlements: &[Settlement]) -> Result<(), JournalError> {
        settlements
            .iter()
            .try_for_each(|settlement| self.settle(settlement))
    }
}

/// What one settled action leaves in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The key.
    pub key: Key,
    /// The record from now on; none to drop it.
    pub record: Option<AppliedRecord>,
    /// What to note in the history; none where nothing changed at the API or in a binding.
    pub history: Option<HistoryEntry>,
}

/// Why something could not be recorded.
#[derive(Debug, thiserror::Error)]
#[error("could not record the change of '{key}'")]
pub struct JournalError {
    /// The key.
    pub key: Key,
    /// What went wrong.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
