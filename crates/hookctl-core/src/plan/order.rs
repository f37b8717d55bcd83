//! The order of a plan: creates, then updates, then deletes; by key within each.
//!
//! A webhook that replaces another is there before the other goes, so no event falls between them.

use std::sync::Arc;

use super::{Action, PlannedAction};

/// A group of actions that may run side by side; the groups run one after the other.
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
    /// When it runs.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Create(_) | Self::Recreate { .. } => Phase::Create,
            Self::Update(_) | Self::Adopt(_) => Phase::Update,
            Self::Delete(_) => Phase::Delete,
            Self::Forget { .. } => Phase::Forget,
        }
    }
}

/// Puts actions in the order in which they are applied.
pub(super) fn sort(actions: &mut [Arc<PlannedAction>]) {
    actions.sort_by(|one, other| {
        (one.action.phase(), &one.key).cmp(&(other.action.phase(), &other.key))
    });
}
