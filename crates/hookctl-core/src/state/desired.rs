//! Desired state: the content of the files.

use std::collections::{BTreeMap, BTreeSet};

use crate::location::Location;
use crate::secret::Fingerprint;
use crate::webhook::{Field, Key, RemoteId, WebhookSpec, normal_name};

/// All declarations for one target, with defaults, interpolated variables, and fingerprints in place of secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredState {
    /// The webhooks that must exist.
    pub webhooks: BTreeMap<Key, DesiredWebhook>,
    /// The webhooks that must not exist (`state: absent`).
    pub absent: BTreeMap<Key, AbsentWebhook>,
    /// The webhooks that are no longer managed (`state: released`): unbound, and kept at the API.
    pub released: BTreeMap<Key, AbsentWebhook>,
}

impl DesiredState {
    /// Returns whether a key is declared in any state.
    pub fn declares(&self, key: &Key) -> bool {
        self.webhooks.contains_key(key)
            || self.absent.contains_key(key)
            || self.released.contains_key(key)
    }

    /// Iterates over all declared keys, in any `state`.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + Clone {
        let gone = self.absent.keys().chain(self.released.keys());
        self.webhooks.keys().chain(gone)
    }

    /// Returns the key that releases a webhook: by id, or by name if the declaration has no id.
    pub fn releasing(&self, id: &RemoteId, name: &str) -> Option<&Key> {
        if self.released.is_empty() {
            return None;
        }
        let name = normal_name(name);
        let means = |webhook: &AbsentWebhook| match &webhook.id {
            Some(pin) => pin == id,
            None => std::iter::once(&webhook.name)
                .chain(&webhook.previously)
                .any(|one| normal_name(one) == name),
        };
        let mut released = self.released.iter();
        released.find_map(|(key, webhook)| means(webhook).then_some(key))
    }

    /// Returns the id that a declared key is pinned to.
    pub fn pin(&self, key: &Key) -> Option<&RemoteId> {
        let present = self.webhooks.get(key).map(|webhook| &webhook.id);
        let absent = || self.absent.get(key).map(|webhook| &webhook.id);
        present.or_else(absent)?.as_ref()
    }

    /// Ignores changes of the tokens of these keys. A new webhook still gets its token.
    pub fn leave_tokens<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        for key in keys {
            if let Some(webhook) = self.webhooks.get_mut(key) {
                webhook.ignore_changes.bearer_token = true;
            }
        }
    }

    /// Returns whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }
}

/// A webhook that must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredWebhook {
    /// Its fields, with defaults.
    pub spec: WebhookSpec,
    /// The declaration of its token.
    pub token: DeclaredToken,
    /// The remote webhook that it is pinned to.
    pub id: Option<RemoteId>,
    /// Earlier names, which identify it after a rename without a record.
    pub previously: Vec<String>,
    /// The fields that are never patched after creation.
    pub ignore_changes: IgnoreChanges,
    /// Whether planning fails instead of deleting it.
    pub prevent_destroy: bool,
    /// Where it is declared.
    pub origin: Origin,
}

/// A webhook that must not exist, or is no longer managed: how to identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentWebhook {
    /// Its name.
    pub name: String,
    /// The remote webhook that it is pinned to.
    pub id: Option<RemoteId>,
    /// Earlier names.
    pub previously: Vec<String>,
    /// Where it is declared.
    pub origin: Origin,
}

/// The declaration of a token. Tokens cannot be read back, so an omitted token differs from no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredToken {
    /// The token comes from a source, and is managed.
    Managed(TokenEvidence),
    /// `null`: the webhook must have no token.
    None,
    /// Omitted: a token that hookctl set is cleared, any other is left alone.
    LeftOut,
}

/// The available knowledge of a managed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEvidence {
    /// The fingerprint of its value.
    Known(Fingerprint),
    /// Its source was not resolved, which only a dry run allows.
    Unresolved,
}

impl TokenEvidence {
    /// Returns the fingerprint, if it is known.
    pub const fn fingerprint(self) -> Option<Fingerprint> {
        match self {
            Self::Known(fingerprint) => Some(fingerprint),
            Self::Unresolved => None,
        }
    }
}

/// Fields that are never patched after creation (`ignore_changes`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreChanges {
    /// The comparable fields.
    pub fields: BTreeSet<Field>,
    /// The token.
    pub bearer_token: bool,
}

/// The locations of a declaration and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The location of the key.
    pub key: Location,
    /// The locations of the fields in the file, by name (`url`, `bearer_token`, …), for errors that the API returns for a
    /// field.
    pub fields: Vec<(&'static str, Location)>,
    /// The fields whose values differ by target: their locations are in a mapping of `targets`.
    pub in_target: Vec<&'static str>,
}

impl Origin {
    /// Returns the location of a field, or of the key if the file does not contain the field.
    pub fn of_field(&self, field: &str) -> &Location {
        let mut fields = self.fields.iter();
        fields
            .find(|(name, _)| *name == field)
            .map_or(&self.key, |(_, location)| location)
    }

    /// Returns the location of a field whose value differs by target.
    pub fn of_target(&self, field: &str) -> Option<&Location> {
        self.in_target
            .contains(&field)
            .then(|| self.of_field(field))
    }
}
