//! Writes that are about to be sent: written down before they leave, so that a crash forgets none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;
use crate::webhook::{Key, RemoteId, WebhookSpec};

/// A write that is about to be sent. It is pending until it is settled; a key has one at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The key.
    pub key: Key,
    /// When, in RFC 3339.
    pub at: String,
    /// What is to be sent, as far as it matters if its answer is never seen.
    pub write: IntendedWrite,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum IntendedWrite {
    /// A POST: whether it happened, only a list can tell.
    Create {
        /// What is sent.
        spec: WebhookSpec,
        /// The trace of the token that is sent.
        token: Option<Fingerprint>,
        /// What is to be remembered of the declaration.
        prevent_destroy: bool,
    },
    /// A PATCH: its fields can be compared; its token cannot.
    Patch {
        /// The webhook.
        id: RemoteId,
        /// What it does with the token.
        token: IntendedToken,
    },
    /// A DELETE: the list tells.
    Delete {
        /// The webhook.
        id: RemoteId,
    },
}

/// What a PATCH does with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntendedToken {
    /// Nothing.
    Keep,
    /// It sets one.
    Set,
    /// It clears it.
    Clear,
}

/// What a crash left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The writes whose outcome is not known, by key.
    pub intents: Vec<Intent>,
    /// The ids that were observed before those writes: none of them is a webhook that one of them made.
    pub seen: BTreeSet<RemoteId>,
}

impl Pending {
    /// Whether there is nothing to settle.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// The trace of a token that a pending create sent for a key.
    pub fn token_of(&self, key: &Key) -> Option<&Fingerprint> {
        self.intents
            .iter()
            .find(|intent| intent.key == *key)
            .and_then(|intent| match &intent.write {
                IntendedWrite::Create { token, .. } => token.as_ref(),
                IntendedWrite::Patch { .. } | IntendedWrite::Delete { .. } => None,
            })
    }
}
