//! Unreadable webhooks at the API. They are logged when they change, not at every pass.

use std::sync::{Mutex, PoisonError};

use hookctl::plan::{Notice, Plan};
use hookctl::state::UnreadableWebhook;

/// The unreadable unmanaged webhooks of the last pass.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<Vec<UnreadableWebhook>>);

impl Unreadable {
    /// Logs the difference to the last pass.
    pub(super) fn passed(&self, plan: &Plan) {
        let found = of_plan(plan);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for webhook in found.iter().filter(|webhook| !known.contains(webhook)) {
            tracing::warn!("unmanaged {webhook}; no webhook of this name is created");
        }
        if found.is_empty() && !known.is_empty() {
            tracing::info!("every webhook at the API is readable again");
        }
        *known = found;
    }
}

/// Returns the unreadable unmanaged webhooks of a plan.
pub(super) fn of_plan(plan: &Plan) -> Vec<UnreadableWebhook> {
    let notices = plan.notices.iter();
    notices
        .filter_map(|notice| match notice {
            Notice::Unreadable { webhook } => Some(webhook.clone()),
            _ => None,
        })
        .collect()
}
