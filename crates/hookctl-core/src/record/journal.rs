//! The port through which an apply is recorded.

use std::future::Future;

use super::{HistoryEntry, Intent};
use crate::state::AppliedRecord;
use crate::webhook::Key;

/// Records what is about to be sent, and what became of it. The cache is one; a test may use a map.
///
/// Several calls may be under way at once, and an implementation may make them durable together.
pub trait Journal: Send + Sync {
    /// Writes down a write before it leaves; durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if that cannot be promised: then nothing may be sent.
    fn intend(&self, intent: Intent) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Records one settled write: the binding, the last-applied state, the fingerprint, the history, and
    /// the end of its intent, all or nothing, and durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if that cannot be promised.
    fn settle(
        &self,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Returns whether requests may be sent now. Checked right before each send. `false` once another writer may take
    /// over before the response arrives.
    fn may_send(&self) -> bool {
        true
    }
}

/// What one settled write leaves in the record. Its key's intent, if there was one, is over, unless one
/// [lingers](Self::lingering).
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The key.
    pub key: Key,
    /// The record from now on.
    pub after: After,
    /// What to note in the history; none where nothing changed at the API or in a binding.
    pub history: Option<HistoryEntry>,
    /// A send of this key that may still take effect; `None` ends its intent.
    pub lingering: Option<Box<Intent>>,
}

/// The record of a key after a settled write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// This one.
    Record(Box<AppliedRecord>),
    /// None.
    Dropped,
    /// The one that there was, if any: the write certainly did not happen, or changed nothing that is
    /// recorded.
    Unchanged,
}

impl Settlement {
    /// A settlement that ends an intent and changes nothing else.
    pub const fn nothing(key: Key) -> Self {
        Self {
            key,
            after: After::Unchanged,
            history: None,
            lingering: None,
        }
    }
}

/// Why something could not be recorded.
#[derive(Debug, thiserror::Error)]
#[error("could not record '{key}'")]
pub struct JournalError {
    /// The key.
    pub key: Key,
    /// What went wrong.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl JournalError {
    /// Says why, down to what the system said.
    pub fn cause(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
