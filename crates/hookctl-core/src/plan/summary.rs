//! The counts of a plan.

use serde::{Deserialize, Serialize};

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
