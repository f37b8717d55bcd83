//! Observed state: the list of the API.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::webhook::{RemoteId, WebhookSpec, normal_name};

/// All webhooks of the account, from one complete reading of the list.
///
/// Callers must build it from all pages: a page that cannot be read is an error, never an absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedState {
    /// The readable webhooks, by id.
    pub webhooks: BTreeMap<RemoteId, ObservedWebhook>,
    /// The webhooks with a field outside the contract, by id. No id is in both maps.
    pub unreadable: BTreeMap<RemoteId, UnreadableWebhook>,
}

impl ObservedState {
    /// Returns the webhook with this id, if it is readable.
    pub fn get(&self, id: &RemoteId) -> Option<&ObservedWebhook> {
        self.webhooks.get(id)
    }

    /// Returns whether the API lists this id, readable or not.
    pub fn exists(&self, id: &RemoteId) -> bool {
        self.webhooks.contains_key(id) || self.unreadable.contains_key(id)
    }

    /// Iterates over all listed ids, readable webhooks first.
    pub fn ids(&self) -> impl Iterator<Item = &RemoteId> {
        self.webhooks.keys().chain(self.unreadable.keys())
    }
}

impl FromIterator<ObservedWebhook> for ObservedState {
    fn from_iter<I: IntoIterator<Item = ObservedWebhook>>(webhooks: I) -> Self {
        Self {
            webhooks: webhooks
                .into_iter()
                .map(|webhook| (webhook.id.clone(), webhook))
                .collect(),
            unreadable: BTreeMap::new(),
        }
    }
}

/// A webhook at the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedWebhook {
    /// Its id.
    pub id: RemoteId,
    /// Its fields, valid or not.
    pub spec: WebhookSpec,
    /// Whether it has a token. The API never returns the token itself.
    pub has_bearer_token: bool,
}

/// A webhook that the API lists with a field outside the contract.
///
/// It exists, so its id and name are reserved. It is not compared or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableWebhook {
    /// Its id.
    pub id: RemoteId,
    /// Its name, if readable.
    pub name: Option<String>,
    /// The first unreadable field, in the spelling of the API.
    pub field: &'static str,
    /// What is wrong with the field.
    pub flaw: FieldFlaw,
}

impl UnreadableWebhook {
    /// Returns whether it has, or may have, one of these names, which are in normal form.
    pub fn may_be_named(&self, names: &BTreeSet<String>) -> bool {
        self.name
            .as_ref()
            .is_none_or(|name| names.contains(&normal_name(name)))
    }
}

impl fmt::Display for UnreadableWebhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "webhook {}", self.id)?;
        if let Some(name) = &self.name {
            // `Debug` escapes control characters.
            write!(formatter, " ({name:?})")?;
        }
        write!(formatter, ": `{}` {}", self.field, self.flaw)
    }
}

/// Why a field of the API cannot be read. Contains no value, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFlaw {
    /// It is missing.
    Missing,
    /// It has the wrong type.
    WrongType,
    /// It is much longer than the contract allows.
    TooLong,
}

impl fmt::Display for FieldFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "is missing",
            Self::WrongType => "has the wrong type",
            Self::TooLong => "is too long",
        })
    }
}
