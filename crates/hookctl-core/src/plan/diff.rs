//! The three-way comparison of fields.

use super::{Cause, Change};
use crate::state::{AppliedRecord, DesiredWebhook};
use crate::webhook::{Field, FieldValue, WebhookSpec};

/// The fields that must change.
pub(super) struct FieldDiff {
    /// The fields to send.
    pub(super) fields: Vec<(Field, FieldValue)>,
    /// The changes, for display.
    pub(super) changes: Vec<Change>,
    /// The fields that count as sent afterwards: the desired values, or for ignored changes those sent before or found.
    pub(super) sent: WebhookSpec,
}

/// Compares desired and observed fields. The record determines the causes.
pub(super) fn compare(
    desired: &DesiredWebhook,
    observed: &WebhookSpec,
    record: Option<&AppliedRecord>,
) -> FieldDiff {
    let mut diff = FieldDiff {
        fields: Vec::new(),
        changes: Vec::new(),
        sent: desired.spec.clone(),
    };
    for field in Field::ALL {
        if desired.ignore_changes.fields.contains(&field) {
            let known = record.filter(|record| observed.field_equals(&record.stored, field));
            diff.sent
                .copy_field(known.map_or(observed, |record| &record.sent), field);
        } else if let Some(cause) = cause(&desired.spec, observed, record, field) {
            let to = desired.spec.get(field);
            diff.fields.push((field, to.clone()));
            diff.changes.push(Change::Field {
                field,
                from: Some(observed.get(field)),
                to,
                cause,
            });
        }
    }
    diff
}

/// Returns why a field changes, or `None` if it does not.
fn cause(
    desired: &WebhookSpec,
    observed: &WebhookSpec,
    record: Option<&AppliedRecord>,
    field: Field,
) -> Option<Cause> {
    if desired.field_equals(observed, field) {
        return None;
    }
    let Some(record) = record else {
        return Some(Cause::Unrecorded);
    };
    let file_unchanged = desired.field_equals(&record.sent, field);
    let remote_unchanged = observed.field_equals(&record.stored, field);
    match (file_unchanged, remote_unchanged) {
        (true, true) => None,
        (false, true) => Some(Cause::Edited),
        (true, false) => Some(Cause::Drift),
        (false, false) => Some(Cause::Conflict),
    }
}
