//! What the files say: desired state.

use std::collections::{BTreeMap, BTreeSet};

use crate::location::Location;
use crate::secret::Fingerprint;
use crate::webhook::{Field, Key, RemoteId, WebhookSpec, normal_name};

/// All declarations for one target, defaults filled in, variables interpolated, secrets reduced to
/// fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredState {
    /// The webhooks that shall be there.
    pub webhooks: BTreeMap<Key, DesiredWebhook>,
    /// The webhooks that shall not be there (`state: absent`).
    pub absent: BTreeMap<Key, AbsentWebhook>,
    /// The webhooks that are handed over (`state: released`): no longer bound, and kept at the API.
    pub released: BTreeMap<Key, AbsentWebhook>,
}

impl DesiredState {
    /// Whether a key is declared in any way.
    pub fn declares(&self, key: &Key) -> bool {
        self.webhooks.contains_key(key)
            || self.absent.contains_key(key)
            || self.released.contains_key(key)
    }

    /// Returns every declared key, whatever its `state`.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + Clone {
        let gone = self.absent.keys().chain(self.released.keys());
        self.webhooks.keys().chain(gone)
    }

    /// The key that releases a webhook: by its id, or by its name where it has no id.
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

    /// The remote webhook that a declared key is pinned to.
    pub fn pin(&self, key: &Key) -> Option<&RemoteId> {
        let present = self.webhooks.get(key).map(|webhook| &webhook.id);
        let absent = || self.absent.get(key).map(|webhook| &webhook.id);
        present.or_else(absent)?.as_ref()
    }

    /// Leaves the tokens of these keys as they are at the API, whatever the files say. A webhook that is
    /// made gets its token all the same.
    pub fn leave_tokens<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        for key in keys {
            if let Some(webhook) = self.webhooks.get_mut(key) {
                webhook.ignore_changes.bearer_token = true;
            }
        }
    }

    /// Whether nothing is declared at all.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }
}

/// One webhook that shall be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredWebhook {
    /// All its fields.
    pub spec: WebhookSpec,
    /// What is said of its token.
    pub token: DeclaredToken,
    /// The remote webhook that it is pinned to.
    pub id: Option<RemoteId>,
    /// Earlier names, so that a rename finds it without a record.
    pub previously: Vec<String>,
    /// What is never patched after creation.
    pub ignore_changes: IgnoreChanges,
    /// Whether a plan that deletes it is an error.
    pub prevent_destroy: bool,
    /// Where it is declared.
    pub origin: Origin,
}

/// One webhook that shall not be there, or not be ours: what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentWebhook {
    /// The name that it is found by.
    pub name: String,
    /// The remote webhook that it is pinned to.
    pub id: Option<RemoteId>,
    /// Earlier names.
    pub previously: Vec<String>,
    /// Where it is declared.
    pub origin: Origin,
}

/// What a declaration says of the token. Nobody can read a token back, so "left out" and "none" are
/// two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredToken {
    /// A source: we manage it.
    Managed(TokenEvidence),
    /// `null`: there shall be none.
    None,
    /// Left out: clear it if we set it, leave it alone if not.
    LeftOut,
}

/// What is known of a managed token's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEvidence {
    /// Its fingerprint.
    Known(Fingerprint),
    /// Its source could not be resolved, which only a dry run allows.
    Unresolved,
}

impl TokenEvidence {
    /// The fingerprint, if it is known.
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

/// Where a webhook is declared, down to its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The key.
    pub key: Location,
    /// Each field that is written out, under its own name in the file (`url`, `bearer_token`, …), for
    /// errors that the API returns for a field.
    pub fields: Vec<(&'static str, Location)>,
}

impl Origin {
    /// The place of a field by its name, or of the key if the field is not written out.
    pub fn of_field(&self, field: &str) -> &Location {
        let mut fields = self.fields.iter();
        fields
            .find(|(name, _)| *name == field)
            .map_or(&self.key, |(_, location)| location)
    }
}
