//! The order of a plan: creates, then updates, then deletes; by key within each.
//!
//! A webhook is created before the one that it replaces is deleted, so that no event is lost.

use std::sync::Arc;

use super::{Action, PlannedAction};

/// A group of actions that may run concurrently. The groups run one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Creates and recreates.
    Create,
    /// Updates and adoptions.
    Update,
    /// Deletes.
    Delete,
    /// Records to drop.
    Forget,
}

impl Action {
    /// Returns the phase of an action.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Create(_) | Self::Recreate { .. } => Phase::Create,
            Self::Update(_) | Self::Adopt(_) => Phase::Update,
            Self::Delete(_) => Phase::Delete,
            Self::Forget { .. } => Phase::Forget,
        }
    }
}

/// Sorts actions in the order in which they are applied.
pub(super) fn sort(actions: &mut [Arc<PlannedAction>]) {
    actions.sort_by(|one, other| {
        (one.action.phase(), &one.key).cmp(&(other.action.phase(), &other.key))
    });
}
