//! What a plan leaves alone and mentions.

use std::fmt;

use crate::location::Location;
use crate::state::UnreadableWebhook;
use crate::webhook::{Key, RemoteId};

/// A notice about something that the plan leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The webhook has a token that hookctl did not set and no file mentions. It is left alone.
    ForeignToken {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
    },
    /// The token could not be compared and was left alone, as requested.
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
    /// The webhook is held: its declaration was rolled back, and has not changed since.
    Held {
        /// The key.
        key: Key,
        /// Where it is declared.
        location: Location,
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

impl Notice {
    /// Returns the stable code, in kebab case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ForeignToken { .. } => "foreign-token",
            Self::UnverifiedTokenKept {
                unresolved: false, ..
            } => "unverified-token",
            Self::UnverifiedTokenKept {
                unresolved: true, ..
            } => "unresolved-token",
            Self::Duplicate { .. } => "duplicate-webhook",
            Self::Unreadable { .. } => "unreadable-webhook",
            Self::Held { .. } => "held",
            Self::UnknownActionDropped { .. } => "unknown-action-dropped",
        }
    }

    /// Returns the location of the declaration.
    pub const fn location(&self) -> Option<&Location> {
        match self {
            Self::ForeignToken { location, .. }
            | Self::UnverifiedTokenKept { location, .. }
            | Self::Duplicate { location, .. }
            | Self::Held { location, .. }
            | Self::UnknownActionDropped { location, .. } => Some(location),
            Self::Unreadable { .. } => None,
        }
    }

    /// Removes secrets from the texts of the API: `mask` receives each and returns it without secrets.
    pub fn redact(&mut self, mask: impl Fn(&str) -> String) {
        let hide = |text: &mut String| *text = mask(text);
        match self {
            Self::Unreadable { webhook } => webhook.name.iter_mut().for_each(hide),
            Self::UnknownActionDropped { actions, .. } => actions.iter_mut().for_each(hide),
            Self::ForeignToken { .. }
            | Self::UnverifiedTokenKept { .. }
            | Self::Duplicate { .. }
            | Self::Held { .. } => {}
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignToken { key, .. } => write!(
                formatter,
                "'{key}' has a bearer token that hookctl did not set; it is left alone"
            ),
            Self::UnverifiedTokenKept {
                key,
                unresolved: false,
                ..
            } => write!(
                formatter,
                "the token of '{key}' could not be compared and is left alone"
            ),
            Self::UnverifiedTokenKept {
                key,
                unresolved: true,
                ..
            } => write!(
                formatter,
                "the token of '{key}' could not be resolved, so it was not compared"
            ),
            Self::Duplicate {
                key, id, duplicate, ..
            } => write!(
                formatter,
                "'{key}' ({id}) has an unmanaged duplicate ({duplicate}) with the same name and address; each event \
                 may be delivered twice"
            ),
            Self::Held { key, .. } => write!(
                formatter,
                "'{key}' is held: its change was rolled back after its deliveries failed"
            ),
            Self::Unreadable { webhook } => write!(
                formatter,
                "the API lists an unmanaged webhook with an unreadable field: {webhook}"
            ),
            Self::UnknownActionDropped { key, actions, .. } => write!(
                formatter,
                "the change would drop {} of '{key}', which this version does not know",
                actions.join(", ")
            ),
        }
    }
}
