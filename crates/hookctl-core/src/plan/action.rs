//! The parts of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cause, Change, Notice, Patch, Summary};
use crate::location::Location;
use crate::secret::Fingerprints;
use crate::state::{AppliedRecord, ObservedWebhook, Origin, TokenEvidence, Written};
use crate::webhook::{Field, FieldValue, Key, RemoteId};

/// The ordered actions that turn the observed state into the desired state, with notices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing until it is applied"]
pub struct Plan {
    /// Creates, then updates, then deletes, so that events always have a subscriber.
    pub actions: Vec<Arc<PlannedAction>>,
    /// Records to refresh without a request.
    pub refresh: Vec<Refresh>,
    /// Bound webhooks that are no longer declared and are left alone.
    pub orphans: Vec<Orphan>,
    /// Remote webhooks that are neither bound nor declared. Never touched.
    pub unmanaged: Vec<Unmanaged>,
    /// Declared webhooks without changes.
    pub unchanged: Vec<Key>,
    /// Keys that are declared released and are not bound.
    pub released: Vec<Key>,
    /// Webhooks that are left alone since a rollback.
    pub held: Vec<Key>,
    /// The number of keys that the filter excludes.
    pub not_selected: usize,
    /// Notices about what the plan leaves alone.
    pub notices: Vec<Notice>,
    /// The number of managed remote webhooks, by binding or adoption. The safety limits are percentages of it.
    pub ours: usize,
    /// The number of bindings, and of those whose webhooks still exist.
    pub bindings: Bindings,
    /// The events of the last 24 hours, by webhook, if they were counted. For display only.
    pub recent_events: BTreeMap<RemoteId, u64>,
}

/// The bindings before a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// The number of bindings.
    pub known: usize,
    /// The number of bindings whose webhooks still exist.
    pub present: usize,
}

impl Plan {
    /// Returns whether the plan has neither requests nor changes to the record.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.refresh.is_empty()
    }

    /// Returns whether the plan has any requests.
    pub fn has_requests(&self) -> bool {
        self.actions
            .iter()
            .any(|planned| planned.action.has_request())
    }

    /// Returns whether the files ask for any request, rather than drift alone.
    pub fn files_ask_for_changes(&self) -> bool {
        self.actions
            .iter()
            .filter(|planned| planned.action.has_request())
            .any(|planned| !planned.is_drift_only())
    }

    /// Iterates over the webhooks that would no longer receive events: those that are deleted or disabled.
    pub fn silenced(&self) -> impl Iterator<Item = &RemoteId> {
        self.actions
            .iter()
            .filter(|planned| planned.silences())
            .filter_map(|planned| planned.id())
    }

    /// Returns whether any action relies on something not being in the list: a webhook that is created because none
    /// exists, forgotten because it was deleted, or adopted because no other matches.
    pub fn relies_on_absences(&self) -> bool {
        self.actions.iter().any(|planned| {
            matches!(
                planned.action,
                Action::Create(_)
                    | Action::Recreate { .. }
                    | Action::Adopt(_)
                    | Action::Forget {
                        reason: ForgetReason::Gone,
                        ..
                    }
            )
        })
    }

    /// Returns the counts of the plan.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            unchanged: self.unchanged.len() + self.released.len(),
            orphan: self.orphans.len(),
            unmanaged: self.unmanaged.len(),
            ..Summary::default()
        };
        for planned in &self.actions {
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

/// An action on one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAction {
    /// The key.
    pub key: Key,
    /// The current or future name of the webhook, for display.
    pub name: String,
    /// The action.
    pub action: Action,
    /// The changes, for display. Requests are built from `action` alone.
    pub changes: Vec<Change>,
    /// Where the webhook is declared. `None` if it is no longer declared.
    pub origin: Option<Origin>,
}

impl PlannedAction {
    /// Returns the id of the remote webhook, if it exists.
    pub fn id(&self) -> Option<&RemoteId> {
        match &self.action {
            Action::Create(_) => None,
            Action::Update(update) => Some(&update.before.id),
            Action::Adopt(adoption) => Some(&adoption.before.id),
            Action::Delete(deletion) => Some(&deletion.before.id),
            Action::Recreate { gone, .. } => Some(gone),
            Action::Forget { id, .. } => Some(id),
        }
    }

    /// Returns whether the webhook no longer receives events after this action.
    pub fn silences(&self) -> bool {
        match &self.action {
            Action::Delete(_) => true,
            other => other.patch().is_some_and(|patch| {
                patch
                    .fields()
                    .contains(&(Field::Enabled, FieldValue::Flag(false)))
            }),
        }
    }

    /// Returns the location of the declaration.
    pub fn location(&self) -> Option<&Location> {
        self.origin.as_ref().map(|origin| &origin.key)
    }

    /// Returns the location of a changed value that differs by target.
    pub fn location_in_target(&self, change: &Change) -> Option<&Location> {
        self.origin.as_ref()?.of_target(change.field_name())
    }

    /// Returns whether the action only corrects drift.
    pub fn is_drift_only(&self) -> bool {
        match &self.action {
            Action::Recreate { .. } => true,
            Action::Update(_) => self
                .changes
                .iter()
                .all(|change| change.cause() == Cause::Drift),
            Action::Create(_) | Action::Adopt(_) | Action::Delete(_) | Action::Forget { .. } => {
                false
            }
        }
    }
}

/// An action, with exactly the data that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Creates the webhook.
    Create(Written<TokenEvidence>),
    /// Patches the webhook.
    Update(Update),
    /// Deletes the webhook.
    Delete(Deletion),
    /// Binds an existing webhook, and patches it if it differs.
    Adopt(Adoption),
    /// Creates the webhook again, since its id no longer exists.
    Recreate {
        /// The id that no longer exists.
        gone: RemoteId,
        /// The webhook to create.
        creation: Written<TokenEvidence>,
    },
    /// Drops the record, without a request.
    Forget {
        /// The id of the binding.
        id: RemoteId,
        /// Why the record is dropped.
        reason: ForgetReason,
    },
}

impl Action {
    /// Returns the name of the action.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
            Self::Adopt(_) => "adopt",
            Self::Recreate { .. } => "recreate",
            Self::Forget { .. } => "forget",
        }
    }

    /// Returns the reason of an action that may have several, in snake case.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Delete(deletion) => Some(match deletion.reason {
                DeletionReason::Absent => "absent",
                DeletionReason::Orphan => "orphan",
            }),
            Self::Forget { reason, .. } => Some(match reason {
                ForgetReason::Gone => "gone",
                ForgetReason::Moved => "moved",
                ForgetReason::Released => "released",
            }),
            Self::Create(_) | Self::Update(_) | Self::Adopt(_) | Self::Recreate { .. } => None,
        }
    }

    /// Returns whether the action sends a request.
    pub const fn has_request(&self) -> bool {
        match self {
            Self::Create(_) | Self::Update(_) | Self::Delete(_) | Self::Recreate { .. } => true,
            Self::Adopt(adoption) => adoption.patch.is_some(),
            Self::Forget { .. } => false,
        }
    }

    /// Returns the patch to send, if any.
    pub const fn patch(&self) -> Option<&Patch> {
        match self {
            Self::Update(update) => Some(&update.patch),
            Self::Adopt(adoption) => adoption.patch.as_ref(),
            Self::Create(_) | Self::Delete(_) | Self::Recreate { .. } | Self::Forget { .. } => None,
        }
    }
}

/// A webhook to patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The webhook before the update.
    pub before: ObservedWebhook,
    /// The patch to send.
    pub patch: Patch,
    /// The record after the update.
    pub record: Written<Fingerprints>,
}

/// A webhook to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The webhook before the adoption.
    pub before: ObservedWebhook,
    /// The patch to send, if it differs.
    pub patch: Option<Patch>,
    /// The record after the adoption.
    pub record: Written<Fingerprints>,
}

/// A webhook to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The webhook before the deletion.
    pub before: ObservedWebhook,
    /// Why it is deleted.
    pub reason: DeletionReason,
}

/// Why a webhook is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionReason {
    /// A file says `state: absent`.
    Absent,
    /// It is no longer declared, and orphans are pruned.
    Orphan,
}

/// Why the record of a webhook is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetReason {
    /// It is neither declared nor at the API.
    Gone,
    /// Another key is bound to the webhook, or its key is pinned to another webhook.
    Moved,
    /// A file says `state: released`: the webhook stays at the API.
    Released,
}

impl ForgetReason {
    /// Returns why a key with `state: absent` loses its binding without a delete. If it is pinned to a webhook that no
    /// longer exists, it leaves one that does.
    pub(super) const fn of_absent(still_exists: bool) -> Self {
        if still_exists {
            Self::Moved
        } else {
            Self::Gone
        }
    }
}

/// A record to write without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The key of the record.
    pub key: Key,
    /// The new record.
    pub record: AppliedRecord,
}

/// A bound webhook that is no longer declared and is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The key that it is bound to.
    pub key: Key,
    /// Its id.
    pub id: RemoteId,
    /// Its name.
    pub name: String,
}

/// A remote webhook that is neither bound nor declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmanaged {
    /// Its id.
    pub id: RemoteId,
    /// Its name. `None` if it cannot be read.
    pub name: Option<String>,
}
