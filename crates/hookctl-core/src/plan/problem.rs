//! Problems that prevent planning.

use crate::location::Location;
use crate::state::UnreadableWebhook;
use crate::webhook::{Key, RemoteId};

/// The problems that prevent planning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not plan: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct PlanError {
    /// The problems, sorted by key.
    pub problems: Vec<PlanProblem>,
}

impl PlanError {
    /// Returns whether all problems are refusals for safety, rather than ambiguities.
    pub fn is_refusal(&self) -> bool {
        self.problems
            .iter()
            .all(|problem| matches!(problem, PlanProblem::PreventDestroy { .. }))
    }
}

/// A problem that prevents planning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanProblem {
    /// Several observed webhooks match a key.
    #[error("'{key}' matches {} webhooks of the same name ({})", ids.len(), list(ids))]
    Ambiguous {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The candidates.
        ids: Vec<RemoteId>,
    },
    /// Several keys match one webhook.
    #[error("{} all match the webhook {id}", list(keys))]
    Contested {
        /// The keys.
        keys: Vec<Key>,
        /// Where the first is declared.
        location: Location,
        /// The webhook.
        id: RemoteId,
    },
    /// Two keys are bound to one webhook.
    #[error("{} are both bound to the webhook {id}", list(keys))]
    DoublyBound {
        /// The keys.
        keys: Vec<Key>,
        /// Where the last is declared.
        location: Location,
        /// The webhook.
        id: RemoteId,
    },
    /// The pinned id does not exist at the API.
    #[error("'{key}' is pinned to {id}, which does not exist at the API")]
    PinnedGone {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The id.
        id: RemoteId,
    },
    /// A new key has the name of a webhook that is bound to a key without a declaration.
    #[error(
        "'{key}' has the name of the webhook {id}, which is bound to '{old}': creating it would duplicate the webhook"
    )]
    RenamedKey {
        /// The new key.
        key: Key,
        /// Where it is declared.
        location: Location,
        /// The key of the binding.
        old: Key,
        /// The webhook.
        id: RemoteId,
    },
    /// The webhook of a key has a field outside the contract.
    #[error("'{key}' is bound to a webhook that the API lists with an unreadable field: {webhook}")]
    Unreadable {
        /// The key.
        key: Key,
        /// Where it is declared. `None` if it is no longer declared.
        location: Option<Location>,
        /// The webhook.
        webhook: Box<UnreadableWebhook>,
    },
    /// An unreadable unmanaged webhook has, or may have, the name of a key.
    #[error(
        "'{key}' may already exist: the API lists a webhook of {} with an unreadable field: {webhook}",
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
    #[error("'{key}' ({id}) is protected by `prevent_destroy`, and the plan would delete it")]
    PreventDestroy {
        /// The key.
        key: Key,
        /// Where it is declared absent. `None` if it is no longer declared.
        location: Option<Location>,
        /// The webhook.
        id: RemoteId,
    },
}

impl PlanProblem {
    /// Returns the stable code, in kebab case.
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

    /// Returns the keys whose webhooks a plan could lose or duplicate because of the problem.
    pub fn keys(&self) -> Vec<&Key> {
        match self {
            Self::Ambiguous { key, .. }
            | Self::PinnedGone { key, .. }
            | Self::Unreadable { key, .. }
            | Self::UnreadableName { key, .. }
            | Self::PreventDestroy { key, .. } => vec![key],
            // A prune of the old key would delete the webhook of the new one.
            Self::RenamedKey { key, old, .. } => vec![key, old],
            Self::Contested { keys, .. } | Self::DoublyBound { keys, .. } => keys.iter().collect(),
        }
    }

    /// Returns the location of the declaration.
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
