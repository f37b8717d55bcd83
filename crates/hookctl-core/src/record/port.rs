//! The port through which a pass reads and writes the record.

use std::sync::Arc;

use super::{Journal, Pending};
use crate::state::{LastApplied, ObservedState};

/// What a pass reads and writes records through.
pub trait Records: Journal {
    /// What is remembered, every write so far included.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn remembered(&self) -> Result<Arc<Remembered>, RecordsError>;

    /// Keeps what was observed: for looking at it later, and so that a webhook that was there before a
    /// write is never taken for one that it made. Durable with the next intent at the latest.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    fn keep_observed(&self, at: &str, observed: &ObservedState) -> Result<(), RecordsError>;
}

/// Why records could not be read or written.
pub type RecordsError = Box<dyn std::error::Error + Send + Sync>;

/// Where the record is opened for a session, and closed so that other processes may have it.
pub trait RecordSource: Sync {
    /// The open record.
    type Open<'a>: Records
    where
        Self: 'a;

    /// Opens the record.
    ///
    /// # Errors
    /// Whatever keeps it from being opened.
    fn open(&self) -> Result<Self::Open<'_>, RecordsError>;

    /// Closes the record; what was written is durable when this returns.
    ///
    /// # Errors
    /// Whatever keeps it from being durable.
    fn close(&self, open: Self::Open<'_>) -> Result<(), RecordsError>;
}

/// What is remembered before a plan: of each bound webhook, and of writes without an outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// What is remembered of each bound webhook.
    pub last_applied: LastApplied,
    /// The writes whose outcome is not known.
    pub pending: Pending,
}
