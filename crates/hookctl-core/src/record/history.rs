//! The history of applied changes.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::webhook::{Key, RemoteId};

/// One applied change. No value in it is a secret: a token is only ever `(none)`, `(secret)`, or
/// `(unknown)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When the API confirmed it.
    pub at: Timestamp,
    /// The key.
    pub key: Key,
    /// The webhook.
    pub id: RemoteId,
    /// `create`, `update`, `delete`, `adopt`, `recreate`, or `forget`.
    pub action: Cow<'static, str>,
    /// What changed.
    pub changes: Vec<HistoryChange>,
    /// The Git commit and author of the files, if they are in a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// One changed field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChange {
    /// Its name.
    pub field: Cow<'static, str>,
    /// What it was, on one line; none if the webhook was not there.
    pub from: Option<String>,
    /// What it became, on one line.
    pub to: String,
    /// Why.
    pub cause: Cow<'static, str>,
}

/// The Git commit that the files were at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The commit's hash.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// Whether the files differed from it.
    pub modified: bool,
}
