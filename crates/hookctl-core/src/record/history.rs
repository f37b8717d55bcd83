//! The history of applied changes.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::webhook::{Key, RemoteId};

/// One applied change. It contains no secret: a token is only ever `(none)`, `(secret)`, or `(unknown)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The time of the API's confirmation.
    pub at: Timestamp,
    /// The webhook's key.
    pub key: Key,
    /// The webhook's id.
    pub id: RemoteId,
    /// `create`, `update`, `delete`, `adopt`, `recreate`, or `forget`.
    pub action: Cow<'static, str>,
    /// The changed fields.
    pub changes: Vec<HistoryChange>,
    /// The Git commit of the files; `None` outside a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// One changed field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChange {
    /// The field's name.
    pub field: Cow<'static, str>,
    /// The old value on one line; `None` if the webhook did not exist.
    pub from: Option<String>,
    /// The new value on one line.
    pub to: String,
    /// Why the field changed.
    pub cause: Cow<'static, str>,
}

/// The Git commit of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The commit's hash.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// Whether the files differed from the commit.
    pub modified: bool,
}
