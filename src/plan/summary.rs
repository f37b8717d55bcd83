//! The counts of a plan.

use serde::{Deserialize, Serialize};

use super::{Action, Plan};

/// The number of webhooks by action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Webhooks to create.
    pub create: usize,
    /// Webhooks to patch.
    pub update: usize,
    /// Webhooks to delete.
    pub delete: usize,
    /// Webhooks to bind.
    pub adopt: usize,
    /// Webhooks to create again.
    pub recreate: usize,
    /// Webhooks to drop from the record.
    pub forget: usize,
    /// Declared webhooks without changes.
    pub unchanged: usize,
    /// Bound webhooks that are no longer declared and left alone.
    pub orphan: usize,
    /// Webhooks that are neither bound nor declared.
    pub unmanaged: usize,
    /// Failed actions; 0 in a plan.
    pub failed: usize,
}

impl Summary {
    /// Counts the actions of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut summary = Self {
            unchanged: plan.unchanged.len() + plan.released.len(),
            orphan: plan.orphans.len(),
            unmanaged: plan.unmanaged.len(),
            ..Self::default()
        };
        for planned in &plan.actions {
            match planned.action {
                Action::Create(_) => summary.create += 1,
                Action::Update(_) => summary.update += 1,
                Action::Delete(_) => summary.delete += 1,
                Action::Adopt(_) => summary.adopt += 1,
                Action::Recreate { .. } => summary.recreate += 1,
                Action::Forget { .. } => summary.forget += 1,
            }
        }
        summary
    }
}
