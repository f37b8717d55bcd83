//! What a plan consists of.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cause, Change, Patch, Summary};
use crate::diagnostic::Location;
use crate::secret::Fingerprint;
use crate::state::{
    AppliedRecord, ObservedWebhook, Origin, TokenEvidence, UnreadableWebhook, Written,
};
use crate::webhook::{Field, FieldValue, Key, RemoteId};

/// The ordered actions that turn the observed state into the desired state, and what else was seen on
/// the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing until it is applied"]
pub struct Plan {
    /// Creates, then updates, then deletes, so that there is no moment without a subscriber.
    pub actions: Vec<Arc<PlannedAction>>,
    /// Records that are out of date though nothing has to be sent.
    pub refresh: Vec<Refresh>,
    /// Bound webhooks that no file declares and that are left alone.
    pub orphans: Vec<Orphan>,
    /// Remote webhooks that are neither bound nor declared; never touched.
    pub unmanaged: Vec<Unmanaged>,
    /// Declared webhooks that need nothing.
    pub unchanged: Vec<Key>,
    /// Keys that are declared released and not bound.
    pub released: Vec<Key>,
    /// How many keys the filter left out.
    pub not_selected: usize,
    /// What a person should know though nothing is done about it.
    pub notices: Vec<Notice>,
    /// How many remote webhooks are ours, by binding or adoption: what the safety limits are a
    /// percentage of.
    pub ours: usize,
    /// How many keys were bound before, and how many of those ids are still observed.
    pub bindings: Bindings,
    /// How many events webhooks received in the last 24 hours, where somebody asked. For people: no part
    /// of any decision.
    pub recent_events: BTreeMap<RemoteId, u64>,
}

/// How many keys were bound before this plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// All of them.
    pub known: usize,
    /// Those whose id is still on the remote.
    pub present: usize,
}

impl Plan {
    /// Whether nothing has to be sent or recorded.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.refresh.is_empty()
    }

    /// Whether anything has to be sent.
    pub fn has_requests(&self) -> bool {
        self.actions
            .iter()
            .any(|planned| planned.action.has_request())
    }

    /// Whether anything that has to be sent was asked for by the files, rather than by a drift of the
    /// remote alone.
    pub fn files_ask_for_changes(&self) -> bool {
        self.actions
            .iter()
            .filter(|planned| planned.action.has_request())
            .any(|planned| !planned.is_drift_only())
    }

    /// The webhooks that would stop to receive: those that are deleted or disabled.
    pub fn silenced(&self) -> impl Iterator<Item = &RemoteId> {
        self.actions
            .iter()
            .filter(|planned| planned.silences())
            .filter_map(|planned| planned.id())
    }

    /// Whether any action is there because something was not observed: a webhook that is made since there
    /// was none, forgotten since it is gone, or adopted since there was no other.
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

    /// The counts.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }
}

/// One action on one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAction {
    /// The key.
    pub key: Key,
    /// The name that the webhook has, or will have, for people.
    pub name: String,
    /// What is to be done.
    pub action: Action,
    /// What changes, for people; the requests are made from `action` alone.
    pub changes: Vec<Change>,
    /// Where it is declared; none if no file declares it any more.
    pub origin: Option<Origin>,
}

impl PlannedAction {
    /// The remote webhook that it is about, if there is one yet.
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

    /// Whether the webhook stops to receive events by it.
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

    /// Where it is declared.
    pub fn location(&self) -> Option<&Location> {
        self.origin.as_ref().map(|origin| &origin.key)
    }

    /// Whether it is there only because somebody changed the remote.
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

/// What is to be done with one webhook. Each variant holds exactly what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make it.
    Create(Written<TokenEvidence>),
    /// Patch it.
    Update(Update),
    /// Delete it.
    Delete(Deletion),
    /// Bind the webhook that is already there, and patch it where it differs.
    Adopt(Adoption),
    /// Make it again: its id is gone from the remote.
    Recreate {
        /// The id that is gone.
        gone: RemoteId,
        /// What to make.
        creation: Written<TokenEvidence>,
    },
    /// Drop the record, and send nothing.
    Forget {
        /// The id that was bound.
        id: RemoteId,
        /// Why.
        reason: ForgetReason,
    },
}

impl Action {
    /// The word for it.
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

    /// Why it is done, in a word for machines, where the action alone does not tell.
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

    /// Whether anything is sent for it.
    pub const fn has_request(&self) -> bool {
        match self {
            Self::Create(_) | Self::Update(_) | Self::Delete(_) | Self::Recreate { .. } => true,
            Self::Adopt(adoption) => adoption.patch.is_some(),
            Self::Forget { .. } => false,
        }
    }

    /// The patch that it sends, if it sends one.
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
    /// What it is now.
    pub before: ObservedWebhook,
    /// What to send.
    pub patch: Patch,
    /// What to remember.
    pub record: Written<Fingerprint>,
}

/// A webhook to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// What it is now.
    pub before: ObservedWebhook,
    /// What to send, if it differs.
    pub patch: Option<Patch>,
    /// What to remember.
    pub record: Written<Fingerprint>,
}

/// A webhook to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// What it is now.
    pub before: ObservedWebhook,
    /// Why.
    pub reason: DeletionReason,
}

/// Why a webhook is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionReason {
    /// A file says `state: absent`.
    Absent,
    /// No file declares it any more, and orphans are pruned.
    Orphan,
}

/// Why the record of a webhook is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetReason {
    /// Neither a file nor the API has it any more.
    Gone,
    /// Another key stands for the webhook, or its own key is pinned to another one.
    Moved,
    /// A file says `state: released`: the webhook stays at the API.
    Released,
}

impl ForgetReason {
    /// The reason why a key that shall be absent loses its binding without a delete. Pinned to another webhook that is
    /// gone, it leaves one that still exists.
    pub(super) const fn of_absent(still_exists: bool) -> Self {
        if still_exists {
            Self::Moved
        } else {
            Self::Gone
        }
    }
}

/// A record to write though nothing has to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The key.
    pub key: Key,
    /// The record.
    pub record: AppliedRecord,
}

/// A bound webhook that no file declares and that is left alone.
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
    /// Its name; `None` if that cannot be read.
    pub name: Option<String>,
}

/// What a person should know though nothing is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The webhook has a token that we did not set and that no file mentions: it is left alone.
    ForeignToken {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
    },
    /// The token could not be compared and was left, as asked.
    UnverifiedTokenKept {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// Whether its source could not be resolved.
        unresolved: bool,
    },
    /// An unmanaged webhook has the name and address of a declared one: each event may be delivered twice.
    Duplicate {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The managed webhook.
        id: RemoteId,
        /// The unmanaged webhook.
        duplicate: RemoteId,
    },
    /// An unmanaged webhook has a field outside the contract. It is left alone, and reserves its name.
    Unreadable {
        /// The webhook.
        webhook: UnreadableWebhook,
    },
    /// A change would drop an action that this version does not know.
    UnknownActionDropped {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The actions.
        actions: Vec<String>,
    },
}
