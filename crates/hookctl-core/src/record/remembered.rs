//! The state of a record: a pure fold of its commits.

use super::{After, Commit, Entry, Pending, Settlement};
use crate::state::LastApplied;

/// The state of an account's record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// The last-applied state of each bound webhook.
    pub last_applied: LastApplied,
    /// The writes whose outcome is unknown.
    pub pending: Pending,
}

impl Remembered {
    /// Applies a commit.
    pub fn apply(&mut self, commit: &Commit) {
        for entry in &commit.entries {
            self.apply_entry(entry);
        }
    }

    /// Applies one entry of a commit.
    pub fn apply_entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Intended(intent) => {
                let intents = &mut self.pending.intents;
                intents.insert(intent.key.clone(), (**intent).clone());
            }
            Entry::Settled(settlement) => {
                let intents = &mut self.pending.intents;
                match &settlement.lingering {
                    Some(intent) => intents.insert(settlement.key.clone(), (**intent).clone()),
                    None => intents.remove(&settlement.key),
                };
                bind(settlement, &mut self.last_applied);
            }
            Entry::Observed(observation) => {
                self.pending.seen = observation.observed.webhooks.keys().cloned().collect();
            }
        }
    }
}

/// Applies a settled write to the bindings.
pub fn bind(settlement: &Settlement, last_applied: &mut LastApplied) {
    match &settlement.after {
        After::Record(record) => {
            last_applied.insert(settlement.key.clone(), (**record).clone());
        }
        After::Dropped => {
            last_applied.remove(&settlement.key);
        }
        After::Unchanged => {}
    }
}
