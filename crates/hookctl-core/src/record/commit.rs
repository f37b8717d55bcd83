//! The commits of a record.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Intent, Settlement};
use crate::state::ObservedState;

/// Entries that become durable together, all or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The number of this commit, 1 greater than that of the previous one. A back end refuses any other number, so
    /// that two writers never append to the same state.
    pub sequence: u64,
    /// The entries, in the order in which they happened.
    pub entries: Vec<Entry>,
}

/// An entry of a commit.
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
    /// Returns whether the entry is an observation, which need not be durable by itself.
    pub const fn is_observation(&self) -> bool {
        matches!(self, Self::Observed(_))
    }
}

/// The result of a complete list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The time of the list.
    pub at: Timestamp,
    /// All webhooks of the account.
    pub observed: Arc<ObservedState>,
}
