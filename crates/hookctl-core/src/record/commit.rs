//! What is appended to a record.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Intent, Settlement};
use crate::state::ObservedState;

/// Entries that become durable together: all of them or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The number of this commit, 1 greater than that of the commit before it. A back end whose last commit has another
    /// number refuses it, so that two writers never append to the same state.
    pub sequence: u64,
    /// What happened, in its order.
    pub entries: Vec<Entry>,
}

/// One thing that a record keeps.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A write is about to be sent.
    Intended(Box<Intent>),
    /// A write is settled.
    Settled(Settlement),
    /// The list was read.
    Observed(Observation),
}

impl Entry {
    /// Whether the entry only tells what the list showed. Such an entry need not be durable by itself.
    pub const fn is_observation(&self) -> bool {
        matches!(self, Self::Observed(_))
    }
}

/// What a complete list showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When it was read.
    pub at: Timestamp,
    /// All webhooks of the account.
    pub observed: Arc<ObservedState>,
}
