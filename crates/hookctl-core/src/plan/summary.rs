//! The counts of a plan.

use serde::{Deserialize, Serialize};

use super::{Action, Plan};

/// How many webhooks each action concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// To make.
    pub create: usize,
    /// To patch.
    pub update: usize,
    /// To delete.
    pub delete: usize,
    /// To bind.
    pub adopt: usize,
    /// To make again.
    pub recreate: usize,
    /// To drop from the record.
    pub forget: usize,
    /// Declared and in order.
    pub unchanged: usize,
    /// Bound, declared no more, and left alone.
    pub orphan: usize,
    /// Neither bound nor declared.
    pub unmanaged: usize,
    /// Tried without success; 0 in a plan.
    pub failed: usize,
}

impl Summary {
    /// Counts a plan.
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
