//! Webhooks that are left alone since a rollback.

use super::token::TokenDecision;
use super::{Cause, Change, Notice, Plan, Policy};
use crate::state::{AppliedRecord, DesiredWebhook};
use crate::webhook::{Field, Key, WebhookSpec};

/// Returns whether a webhook was rolled back, and is declared as before. Another token is another declaration. If the API has
/// what is declared, the rollback did not take effect, and nothing is held.
pub(super) fn is_held(
    record: &AppliedRecord,
    webhook: &DesiredWebhook,
    found: &WebhookSpec,
    token: &TokenDecision,
) -> bool {
    let is_new = |change: &Change| change.cause() == Cause::Edited;
    is_declared_as_held(record, webhook)
        && !is_same(&webhook.spec, found, webhook)
        && !token.change.as_ref().is_some_and(is_new)
}

/// Returns whether a webhook that was deleted at the API is not made again, because it was held.
pub(super) fn stays_gone(
    policy: &Policy,
    record: Option<&AppliedRecord>,
    webhook: &DesiredWebhook,
) -> bool {
    !policy.retry_held && record.is_some_and(|record| is_declared_as_held(record, webhook))
}

/// Returns whether a webhook was rolled back, and is declared as before, whatever the API has.
fn is_declared_as_held(record: &AppliedRecord, webhook: &DesiredWebhook) -> bool {
    let held = record.held.as_deref();
    held.is_some_and(|held| is_same(held, &webhook.spec, webhook))
}

/// Returns whether two specs have the same values in the fields that a declaration does not ignore.
fn is_same(one: &WebhookSpec, other: &WebhookSpec, webhook: &DesiredWebhook) -> bool {
    let ignored = &webhook.ignore_changes.fields;
    let mut fields = Field::ALL
        .into_iter()
        .filter(|field| !ignored.contains(field));
    fields.all(|field| one.field_equals(other, field))
}

/// Leaves a held webhook alone, with a notice.
pub(super) fn leave(plan: &mut Plan, key: &Key, webhook: &DesiredWebhook) {
    plan.held.push(key.clone());
    plan.notices.push(Notice::Held {
        key: key.clone(),
        location: webhook.origin.key.clone(),
    });
}
