//! Why no plan can be made.

use crate::diagnostic::Location;
use crate::state::UnreadableWebhook;
use crate::webhook::{Key, RemoteId};

/// Why no plan can be made: every problem found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no plan can be made: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct PlanError {
    /// All of them, by key.
    pub problems: Vec<PlanProblem>,
}

impl PlanError {
    /// Whether each of them is a refusal for safety's sake rather than an open question.
    pub fn is_refusal(&self) -> bool {
        self.problems
            .iter()
            .all(|problem| matches!(problem, PlanProblem::PreventDestroy { .. }))
    }
}

/// One reason why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanProblem {
    /// Several observed webhooks could be the one meant.
    #[error("'{key}' could be any of {} webhooks named alike ({}): pin the right one with `id:`", ids.len(), list(ids))]
    Ambiguous {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The candidates.
        ids: Vec<RemoteId>,
    },
    /// Several keys could mean the same webhook.
    #[error(
        "{} could all mean the webhook {id}: pin each with `id:`, or give them different names",
        list(keys)
    )]
    Contested {
        /// The keys.
        keys: Vec<Key>,
        /// Where the first is declared.
        location: Location,
        /// The webhook.
        id: RemoteId,
    },
    /// Two keys are bound to one webhook.
    #[error(
        "{} both stand for the webhook {id}: change the `id:` of one of them",
        list(keys)
    )]
    DoublyBound {
        /// The keys.
        keys: Vec<Key>,
        /// Where the last is declared.
        location: Location,
        /// The webhook.
        id: RemoteId,
    },
    /// The id in the file is not on the remote.
    #[error(
        "'{key}' is pinned to {id}, which the API does not have: correct the `id:`, or remove it to make a new webhook"
    )]
    PinnedGone {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The id.
        id: RemoteId,
    },
    /// A new key has the name of a webhook that is bound to a key which stands for it no more.
    #[error(
        "'{key}' has the name of the webhook {id}, which is recorded for '{old}': creating it would double the webhook. If the key was renamed, run `hookctl record rename {old} {key}`, or add `id: {id}` to '{key}'; if a second webhook is meant, give it another name"
    )]
    RenamedKey {
        /// The new key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The key that it is recorded for.
        old: Key,
        /// The webhook.
        id: RemoteId,
    },
    /// The webhook that a key stands for has a field outside the contract.
    #[error("'{key}' stands for a webhook that the API lists with an unreadable field: {webhook}")]
    Unreadable {
        /// The key.
        key: Key,
        /// Where it is declared; `None` if it is declared no more.
        location: Option<Location>,
        /// The webhook.
        webhook: Box<UnreadableWebhook>,
    },
    /// An unmanaged webhook that cannot be read has, or may have, the name that a key needs.
    #[error(
        "'{key}' may already exist, since the API lists a webhook of {} with an unreadable field: {webhook}",
        if webhook.name.is_some() { "that name" } else { "an unknown name" }
    )]
    UnreadableName {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The webhook.
        webhook: Box<UnreadableWebhook>,
    },
    /// The plan would delete a protected webhook.
    #[error(
        "'{key}' ({id}) is protected by `prevent_destroy`, and the plan would delete it: first apply it once with `prevent_destroy: false`"
    )]
    PreventDestroy {
        /// The key.
        key: Key,
        /// Where it is declared absent; none if it is declared no more.
        location: Option<Location>,
        /// The webhook.
        id: RemoteId,
    },
}

impl PlanProblem {
    /// The stable code, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ambiguous { .. } => "ambiguous-identity",
            Self::Contested { .. } => "contested-identity",
            Self::DoublyBound { .. } => "doubly-bound",
            Self::PinnedGone { .. } => "pinned-id-gone",
            Self::RenamedKey { .. } => "renamed-key",
            Self::Unreadable { .. } | Self::UnreadableName { .. } => "unreadable-webhook",
            Self::PreventDestroy { .. } => "prevent-destroy",
        }
    }

    /// Where the declaration stands that it is about.
    pub const fn location(&self) -> Option<&Location> {
        match self {
            Self::Ambiguous { location, .. }
            | Self::Contested { location, .. }
            | Self::DoublyBound { location, .. }
            | Self::PinnedGone { location, .. }
            | Self::RenamedKey { location, .. }
            | Self::UnreadableName { location, .. } => Some(location),
            Self::Unreadable { location, .. } | Self::PreventDestroy { location, .. } => {
                location.as_ref()
            }
        }
    }
}

fn list(items: &[impl ToString]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
