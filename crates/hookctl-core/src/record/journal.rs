//! The port that an apply writes through.

use std::future::Future;

use super::{HistoryEntry, Intent, SendPermit};
use crate::state::AppliedRecord;
use crate::webhook::Key;

/// Journals intents and settlements. The record implements it; a test may use a map.
///
/// Calls may be concurrent, and an implementation may make several durable together.
pub trait Journal: Send + Sync {
    /// Journals a write before it is sent. Durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if durability is not certain. Nothing may be sent then.
    fn intend(&self, intent: Intent) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Records a settled write: the binding, the last-applied state, the fingerprint, the history, and the end of its
    /// intent. All or nothing, and durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] if durability is not certain.
    fn settle(
        &self,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Returns the permit to send requests. Checked right before each send. It ends once another writer may take over
    /// before the response arrives.
    fn send_permit(&self) -> SendPermit {
        SendPermit::lasting()
    }
}

/// The effect of a settled write on the record. It ends its key's intent, unless one [lingers](Self::lingering).
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The webhook's key.
    pub key: Key,
    /// The key's binding after the write.
    pub after: After,
    /// The history entry; `None` if nothing changed at the API or in a binding.
    pub history: Option<HistoryEntry>,
    /// A send of this key that may still take effect; `None` ends its intent.
    pub lingering: Option<Box<Intent>>,
}

/// The binding of a key after a settled write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The key has this binding.
    Record(Box<AppliedRecord>),
    /// The key has no binding.
    Dropped,
    /// The key's binding does not change: the write certainly did not happen, or changed nothing that is recorded.
    Unchanged,
}

impl Settlement {
    /// Returns a settlement that only ends an intent.
    pub const fn nothing(key: Key) -> Self {
        Self {
            key,
            after: After::Unchanged,
            history: None,
            lingering: None,
        }
    }
}

/// A failure to write to the journal.
#[derive(Debug, thiserror::Error)]
#[error("could not record '{key}'")]
pub struct JournalError {
    /// The webhook's key.
    pub key: Key,
    /// The cause.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl JournalError {
    /// Returns the chain of causes as text.
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
