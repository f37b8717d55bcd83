//! Picks what is pulled from a plan. Pure.
//!
//! | cause of the change | result |
//! | --- | --- |
//! | drift, unrecorded | pulled |
//! | edited, conflict | left, or pulled if edits are overwritten |
//! | any, and a rollback holds the webhook | left, or pulled if edits are overwritten |
//! | of a token | left |
//! | the webhook was deleted at the API, or is not there yet | left |
//! | a write to the webhook may still take effect | left |

use std::collections::BTreeSet;

use super::NewValue;
use super::reason::Reason;
use hookctl_core::plan::{Action, Cause, Change, Plan, PlannedAction};
use hookctl_core::webhook::{Attribute, Field, FieldValue, Key};

/// What is pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The fields to pull. An empty set selects all, and reports tokens.
    pub fields: BTreeSet<Field>,
    /// Whether edits of the files that were not synced are overwritten.
    pub overwrites_edits: bool,
    /// The keys whose webhooks may still change by a write without a response.
    pub unsettled: BTreeSet<Key>,
    /// The keys whose webhooks are left alone since a rollback. The plan has their changes.
    pub held: BTreeSet<Key>,
}

/// A value that changed at the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The value of the files.
    pub from: FieldValue,
    /// The value of the API.
    pub new: NewValue,
    /// Why they differ.
    pub cause: Cause,
}

/// What is not pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The key of the webhook.
    pub key: Key,
    /// The field. `None` for the webhook as a whole.
    pub field: Option<Attribute>,
    /// The reason.
    pub reason: Reason,
}

/// What a plan has to pull.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The values to pull.
    pub changed: Vec<Changed>,
    /// What is left.
    pub left: Vec<Left>,
}

/// Picks what is pulled from a plan. `is_secret` tells whether a value contains a secret of this run.
pub fn select(plan: &Plan, scope: &Scope, is_secret: &dyn Fn(&FieldValue) -> bool) -> Selection {
    let mut selection = Selection::default();
    for planned in &plan.actions {
        let whole = match &planned.action {
            Action::Delete(_) | Action::Forget { .. } => continue,
            Action::Create(_) => Some(Reason::NotCreated),
            Action::Recreate { .. } => Some(Reason::Deleted),
            Action::Update(_) | Action::Adopt(_) if scope.unsettled.contains(&planned.key) => {
                Some(Reason::Unsettled)
            }
            Action::Update(_) | Action::Adopt(_) => None,
        };
        match whole {
            Some(reason) => selection.left.push(Left {
                key: planned.key.clone(),
                field: None,
                reason,
            }),
            None => selection.webhook(planned, scope, is_secret),
        }
    }
    selection
}

impl Selection {
    fn webhook(
        &mut self,
        planned: &PlannedAction,
        scope: &Scope,
        is_secret: &dyn Fn(&FieldValue) -> bool,
    ) {
        let key = &planned.key;
        let is_held = scope.held.contains(key);
        for change in &planned.changes {
            let (field, from, to, cause) = match change {
                Change::Field {
                    field,
                    from: Some(remote),
                    to: declared,
                    cause,
                } => (*field, declared, remote, *cause),
                Change::Field { from: None, .. } => continue,
                Change::Token { .. } if !scope.fields.is_empty() => continue,
                Change::Token { cause, .. } => {
                    let is_edit = matches!(cause, Cause::Edited | Cause::Unverified);
                    self.left.push(Left {
                        key: key.clone(),
                        field: Some(Attribute::BearerToken),
                        reason: if is_edit {
                            Reason::Edited
                        } else {
                            Reason::Token
                        },
                    });
                    continue;
                }
            };
            if !scope.fields.is_empty() && !scope.fields.contains(&field) {
                continue;
            }
            let reason = match cause {
                _ if is_secret(to) => Some(Reason::Secret),
                _ if is_held && !scope.overwrites_edits => Some(Reason::Held),
                Cause::Conflict if !scope.overwrites_edits => Some(Reason::Conflict),
                Cause::Edited if !scope.overwrites_edits => Some(Reason::Edited),
                _ => None,
            };
            match reason {
                Some(reason) => self.left.push(Left {
                    key: key.clone(),
                    field: Some(field.into()),
                    reason,
                }),
                None => self.changed.push(Changed {
                    from: from.clone(),
                    new: NewValue {
                        key: key.clone(),
                        field,
                        value: to.clone(),
                    },
                    cause,
                }),
            }
        }
    }
}
