//! The format of stored values: separate types, a version, and a checksum.
//!
//! A value is `[form: 1 byte][checksum: 16 bytes][payload: JSON]`. The checksum covers the tree's name, the key, and
//! the payload, so it also detects a value that was moved.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use hookctl_core::record::{HistoryChange, HistoryEntry, Provenance};
use hookctl_core::secret::{Fingerprints, Followed};
use hookctl_core::state::AppliedRecord;
use hookctl_core::webhook::{Key, RemoteId, WebhookSpec};

/// The version of the schema. A newer one is refused, never rewritten.
pub(super) const VERSION: u32 = 1;

/// Bindings and last-applied state, by account and key.
pub(super) const RECORDS: &str = "records-v1";
/// Lists of applied changes, by account, commit number, and position in the commit; the oldest first.
pub(super) const HISTORY: &str = "history-v2";
/// Pending writes, by account and key.
pub(super) const INTENTS: &str = "intents-v2";
/// Lists of the last observed webhooks, by account and position, in the order of their ids.
pub(super) const OBSERVED: &str = "observed-v2";
/// The schema version, the generation, and the time of each account's last observation.
pub(super) const META: &str = "meta-v1";

const FORM: u8 = 1;
const CHECKSUM_LENGTH: usize = 16;

/// The initial capacity of a value in bytes, enough for most.
const USUAL_LENGTH: usize = 1024;

/// Why a stored value is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidValue {
    #[error("a value has an invalid checksum")]
    Checksum,
    #[error("a value has an unknown format")]
    Form,
    #[error("a value cannot be read")]
    Payload,
}

/// Encodes a payload as a value.
pub(super) fn encode(
    tree: &str,
    key: &[u8],
    payload: &impl Serialize,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = Vec::with_capacity(USUAL_LENGTH);
    value.push(FORM);
    value.extend_from_slice(&[0; CHECKSUM_LENGTH]);
    serde_json::to_writer(&mut value, payload)?;
    if let Some((place, payload)) = value
        .get_mut(1..)
        .and_then(|rest| rest.split_first_chunk_mut())
    {
        *place = checksum(tree, key, payload);
    }
    Ok(value)
}

/// Checks a value and decodes its payload.
pub(super) fn decode<T: DeserializeOwned>(
    tree: &str,
    key: &[u8],
    value: &[u8],
) -> Result<T, InvalidValue> {
    let (form, rest) = value.split_first().ok_or(InvalidValue::Checksum)?;
    if *form != FORM {
        return Err(InvalidValue::Form);
    }
    let (found, payload) = rest
        .split_at_checked(CHECKSUM_LENGTH)
        .ok_or(InvalidValue::Checksum)?;
    if found != checksum(tree, key, payload) {
        return Err(InvalidValue::Checksum);
    }
    // Validates UTF-8 once for the whole payload instead of for each string.
    let payload = std::str::from_utf8(payload).map_err(|_| InvalidValue::Payload)?;
    serde_json::from_str(payload).map_err(|_| InvalidValue::Payload)
}

fn checksum(tree: &str, key: &[u8], payload: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut hasher = blake3::Hasher::new();
    for part in [tree.as_bytes(), key, payload] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut short = [0; CHECKSUM_LENGTH];
    hasher.finalize_xof().fill(&mut short);
    short
}

/// The stored form of a binding. Omits what the API stored where it equals what was sent, which keeps values small.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredRecord {
    id: RemoteId,
    sent: WebhookSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<WebhookSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Fingerprints>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    prevent_destroy: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<Box<WebhookSpec>>,
}

/// Returns the stored form of a webhook, without a password in its address.
fn kept(spec: &WebhookSpec) -> WebhookSpec {
    let mut spec = spec.clone();
    if let Some(url) = spec.url.without_user_info() {
        spec.url = url;
    }
    spec
}

impl From<&AppliedRecord> for StoredRecord {
    fn from(record: &AppliedRecord) -> Self {
        Self {
            id: record.id.clone(),
            sent: kept(&record.sent),
            stored: (record.stored != record.sent).then(|| kept(&record.stored)),
            token: record.token.clone(),
            prevent_destroy: record.prevent_destroy,
            held: record.held.as_deref().map(|held| Box::new(kept(held))),
        }
    }
}

impl From<StoredRecord> for AppliedRecord {
    fn from(record: StoredRecord) -> Self {
        Self {
            id: record.id,
            stored: record.stored.unwrap_or_else(|| record.sent.clone()),
            sent: record.sent,
            token: record.token,
            prevent_destroy: record.prevent_destroy,
            held: record.held,
        }
    }
}

/// The stored form of an applied change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredEntry<'a> {
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_at: Option<Timestamp>,
    key: Cow<'a, Key>,
    id: Cow<'a, RemoteId>,
    action: Cow<'a, str>,
    changes: Vec<StoredChange<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provenance: Option<Cow<'a, Provenance>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Cow<'a, str>>,
}

/// The stored form of a changed field. Omits the usual values, since a create has one of these per field, and sled
/// writes a row several times.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredChange<'a> {
    field: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    to: Cow<'a, str>,
    #[serde(default = "usual_cause", skip_serializing_if = "is_usual")]
    cause: Cow<'a, str>,
}

/// The cause that is omitted.
const USUAL_CAUSE: &str = "edited";

fn usual_cause<'a>() -> Cow<'a, str> {
    USUAL_CAUSE.into()
}

fn is_usual(cause: &str) -> bool {
    cause == USUAL_CAUSE
}

impl<'a> StoredEntry<'a> {
    /// Hides secrets that the API put into the values of a change.
    pub(crate) fn hiding(entry: &'a HistoryEntry, followed: &Followed) -> Self {
        let mut stored = Self::from(entry);
        for change in &mut stored.changes {
            if let Some(from) = &mut change.from {
                *from = Cow::Owned(followed.masked(from));
            }
        }
        stored
    }
}

#[cfg(feature = "shared")]
impl StoredEntry<'_> {
    /// Returns the change with texts of its own.
    pub(crate) fn into_owned(self) -> StoredEntry<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        StoredEntry {
            at: self.at,
            api_at: self.api_at,
            key: Cow::Owned(self.key.into_owned()),
            id: Cow::Owned(self.id.into_owned()),
            action: owned(self.action),
            changes: self
                .changes
                .into_iter()
                .map(|change| StoredChange {
                    field: owned(change.field),
                    from: change.from.map(owned),
                    to: owned(change.to),
                    cause: owned(change.cause),
                })
                .collect(),
            provenance: self.provenance.map(|one| Cow::Owned(one.into_owned())),
            run: self.run.map(owned),
        }
    }
}

impl<'a> From<&'a HistoryEntry> for StoredEntry<'a> {
    fn from(entry: &'a HistoryEntry) -> Self {
        Self {
            at: entry.at,
            api_at: entry.api_at,
            key: Cow::Borrowed(&entry.key),
            id: Cow::Borrowed(&entry.id),
            action: Cow::Borrowed(entry.action.as_str()),
            changes: entry
                .changes
                .iter()
                .map(|change| StoredChange {
                    field: Cow::Borrowed(&change.field),
                    from: change.from.as_deref().map(Cow::Borrowed),
                    to: Cow::Borrowed(&change.to),
                    cause: Cow::Borrowed(change.cause.as_str()),
                })
                .collect(),
            provenance: entry.provenance.as_deref().map(Cow::Borrowed),
            run: entry.run.as_deref().map(Cow::Borrowed),
        }
    }
}

impl From<StoredEntry<'static>> for HistoryEntry {
    fn from(entry: StoredEntry<'static>) -> Self {
        Self {
            at: entry.at,
            api_at: entry.api_at,
            key: entry.key.into_owned(),
            id: entry.id.into_owned(),
            action: entry.action.into(),
            changes: entry
                .changes
                .into_iter()
                .map(|change| HistoryChange {
                    field: change.field,
                    from: change.from.map(Cow::into_owned),
                    to: change.to.into_owned(),
                    cause: change.cause.into(),
                })
                .collect(),
            provenance: entry.provenance.map(|one| Box::new(one.into_owned())),
            run: entry.run.map(Cow::into_owned),
        }
    }
}

/// The generation of the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    /// The number of transactions.
    pub(super) number: u64,
    /// The number of bindings.
    pub(super) records: u64,
}

/// Reads a row, and a valid row with these bytes as its payload. A readable payload must be written as it was read.
/// For the fuzz target.
pub(super) fn fuzz(bytes: &[u8]) {
    fn round<T: Serialize + DeserializeOwned>(tree: &str, value: &[u8]) {
        let Ok(payload) = decode::<T>(tree, b"key", value) else {
            return;
        };
        let written = encode(tree, b"key", &payload).ok();
        let read = written.and_then(|written| {
            let read: T = decode(tree, b"key", &written).ok()?;
            Some(encode(tree, b"key", &read).ok()? == written)
        });
        assert_eq!(read, Some(true), "{tree}");
    }
    let mut framed = vec![FORM];
    for (tree, check) in [
        (RECORDS, round::<StoredRecord> as fn(&str, &[u8])),
        (HISTORY, round::<Vec<StoredEntry<'static>>>),
        (INTENTS, round::<hookctl_core::record::Intent>),
        (META, round::<Generation>),
    ] {
        check(tree, bytes);
        framed.truncate(1);
        framed.extend_from_slice(&checksum(tree, b"key", bytes));
        framed.extend_from_slice(bytes);
        check(tree, &framed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookctl_core::record::{HistoryAction, HistoryCause};

    #[test]
    fn a_change_comes_back_as_it_was_and_takes_little() {
        let change = |from: Option<&str>, cause: HistoryCause| HistoryChange {
            field: "url".into(),
            from: from.map(str::to_owned),
            to: "b".to_owned(),
            cause,
        };
        let entry = HistoryEntry {
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            api_at: None,
            key: Key::parse("a-key").unwrap(),
            id: RemoteId::parse("an-id").unwrap(),
            action: HistoryAction::Update,
            changes: vec![
                change(None, HistoryCause::Edited),
                change(Some("a"), HistoryCause::Unknown("drifted".to_owned())),
            ],
            provenance: None,
            run: None,
        };
        let text = serde_json::to_string(&StoredEntry::from(&entry)).unwrap();
        assert_eq!(
            text,
            r#"{"at":"2026-01-01T00:00:00Z","key":"a-key","id":"an-id","action":"update","changes":[{"field":"url","to":"b"},{"field":"url","from":"a","to":"b","cause":"drifted"}]}"#
        );
        let read: StoredEntry<'static> = serde_json::from_str(&text).unwrap();
        assert_eq!(HistoryEntry::from(read), entry);
        let whole = serde_json::to_string(&entry).unwrap();
        let read: StoredEntry<'static> = serde_json::from_str(&whole).unwrap();
        assert_eq!(
            HistoryEntry::from(read),
            entry,
            "from rows of an older version"
        );
    }

    #[test]
    fn names_of_actions_and_causes_are_stored_as_ever() {
        let stored = |action: &str, cause: &str| {
            let rows = format!(
                r#"{{"at":"2026-01-01T00:00:00Z","key":"a-key","id":"an-id","action":"{action}","changes":[{{"field":"url","to":"b"{cause}}}]}}"#
            );
            let read: StoredEntry<'static> = serde_json::from_str(&rows).unwrap();
            let entry = HistoryEntry::from(read);
            let written = serde_json::to_string(&StoredEntry::from(&entry)).unwrap();
            assert_eq!(written, rows);
            entry
        };
        let known = [
            ("create", HistoryAction::Create),
            ("update", HistoryAction::Update),
            ("delete", HistoryAction::Delete),
            ("adopt", HistoryAction::Adopt),
            ("recreate", HistoryAction::Recreate),
            ("forget", HistoryAction::Forget),
            ("rename", HistoryAction::Rename),
            ("later", HistoryAction::Unknown("later".to_owned())),
        ];
        for (name, action) in known {
            assert_eq!(stored(name, "").action, action);
        }
        let known = [
            ("", HistoryCause::Edited),
            ("drift", HistoryCause::Drift),
            ("conflict", HistoryCause::Conflict),
            ("unrecorded", HistoryCause::Unrecorded),
            ("unverified", HistoryCause::Unverified),
            ("later", HistoryCause::Unknown("later".to_owned())),
        ];
        for (name, cause) in known {
            let field = match name {
                "" => String::new(),
                name => format!(r#","cause":"{name}""#),
            };
            assert_eq!(stored("update", &field).changes[0].cause, cause);
        }
    }

    #[test]
    fn a_value_is_taken_only_where_and_as_it_was_written() {
        let value = encode(RECORDS, b"a", &5).unwrap();
        assert_eq!(decode::<i32>(RECORDS, b"a", &value), Ok(5));
        assert_eq!(
            decode::<i32>(RECORDS, b"b", &value),
            Err(InvalidValue::Checksum)
        );
        assert_eq!(
            decode::<i32>(HISTORY, b"a", &value),
            Err(InvalidValue::Checksum)
        );
        for index in 0..value.len() {
            let mut flipped = value.clone();
            flipped[index] ^= 1;
            assert!(
                decode::<i32>(RECORDS, b"a", &flipped).is_err(),
                "byte {index}"
            );
        }
        assert_eq!(
            decode::<i32>(RECORDS, b"a", &[]),
            Err(InvalidValue::Checksum)
        );
        assert_eq!(
            decode::<i32>(RECORDS, b"a", &[1, 2]),
            Err(InvalidValue::Checksum)
        );
    }
}
