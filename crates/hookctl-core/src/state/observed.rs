//! What the API's list returned: observed state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::webhook::{RemoteId, WebhookSpec, normal_name};

/// All webhooks of the account, from one complete reading of the list. Whoever builds one vouches that
/// every page arrived: a page that failed is an error, never an absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedState {
    /// By id.
    pub webhooks: BTreeMap<RemoteId, ObservedWebhook>,
    /// Those that exist but have a field outside the contract, by id. No id is in both maps.
    pub unreadable: BTreeMap<RemoteId, UnreadableWebhook>,
}

impl ObservedState {
    /// The webhook of that id, if it can be read.
    pub fn get(&self, id: &RemoteId) -> Option<&ObservedWebhook> {
        self.webhooks.get(id)
    }

    /// Whether the API lists that id, readable or not.
    pub fn exists(&self, id: &RemoteId) -> bool {
        self.webhooks.contains_key(id) || self.unreadable.contains_key(id)
    }

    /// Returns every listed id, those that can be read first.
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

/// One webhook as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedWebhook {
    /// Its id.
    pub id: RemoteId,
    /// All its fields, whatever they hold.
    pub spec: WebhookSpec,
    /// Whether it has a token; which one, the API never says.
    pub has_bearer_token: bool,
}

/// A webhook that the API lists with a field outside the contract.
///
/// It exists, so its id and its name are reserved; nothing else about it can be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableWebhook {
    /// Its id.
    pub id: RemoteId,
    /// Its name, if that can be read.
    pub name: Option<String>,
    /// The first field that cannot be read, as the contract spells it.
    pub field: &'static str,
    /// What is wrong with the field.
    pub flaw: FieldFlaw,
}

impl UnreadableWebhook {
    /// Whether it has, or may have, one of these names in normal form.
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
            // Debug escapes what a terminal would obey.
            write!(formatter, " ({name:?})")?;
        }
        write!(formatter, ": `{}` {}", self.field, self.flaw)
    }
}

/// Why a field of the API cannot be read. Holds no value, which may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFlaw {
    /// It is missing.
    Missing,
    /// It has a type that the contract does not allow.
    WrongType,
    /// It is far longer than the contract allows.
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
