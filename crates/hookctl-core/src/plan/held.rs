//! Webhooks that are left alone since a rollback.

use super::token::TokenDecision;
use super::{Cause, Change, Notice, Plan};
use crate::state::{AppliedRecord, DesiredWebhook};
use crate::webhook::{Field, Key};

/// Returns whether a webhook was rolled back, and is declared as before. Another token is another declaration.
pub(super) fn is_held(
    record: &AppliedRecord,
    webhook: &DesiredWebhook,
    token: &TokenDecision,
) -> bool {
    let is_new = |change: &Change| change.cause() == Cause::Edited;
    let Some(held) = record.held.as_deref() else {
        return false;
    };
    let ignored = &webhook.ignore_changes.fields;
    let mut fields = Field::ALL
        .into_iter()
        .filter(|field| !ignored.contains(field));
    fields.all(|field| held.field_equals(&webhook.spec, field))
        && !token.change.as_ref().is_some_and(is_new)
}

/// Leaves a held webhook alone, with a notice.
pub(super) fn leave(plan: &mut Plan, key: &Key, webhook: &DesiredWebhook) {
    plan.held.push(key.clone());
    plan.notices.push(Notice::Held {
        key: key.clone(),
        location: webhook.origin.key.clone(),
    });
}
