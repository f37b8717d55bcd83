//! The counts of a plan.

use serde::{Deserialize, Serialize};

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
