//! What the API confirmed after our last write: last-applied state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;
use crate::webhook::{Key, RemoteId, WebhookSpec};

/// What is remembered of each bound webhook, by key.
pub type LastApplied = BTreeMap<Key, AppliedRecord>;

/// What is remembered of one bound webhook: its binding, and what was last confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRecord {
    /// The binding: the remote webhook that the key stands for.
    pub id: RemoteId,
    /// The fields as we sent them, or as they were found when nothing had to be sent.
    pub sent: WebhookSpec,
    /// The fields as the API stored them. It may store another form than was sent.
    pub stored: WebhookSpec,
    /// The trace of the token that we set; none if we set none, or cleared it.
    pub token: Option<Fingerprint>,
    /// Remembered here so that it also protects when the declaration itself is deleted.
    pub prevent_destroy: bool,
}
