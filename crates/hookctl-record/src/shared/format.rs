//! How objects look: JSON in an envelope with a checksum, with types of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hookctl_core::record::{After, Commit, Entry, Intent, Pending, Remembered, Settlement};
use hookctl_core::secret::Followed;
use hookctl_core::webhook::Key;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::digest::Digest;
use super::error::SharedError;
use super::holder::Holder;
use crate::sled::schema::{StoredEntry, StoredRecord};

/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// An end of the log: the sequence of its last entry, and the digest of that entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) sequence: u64,
    pub(super) digest: Digest,
}

impl Tail {
    /// The end of an empty log.
    pub(super) const fn empty() -> Self {
        Self {
            sequence: 0,
            digest: Digest::none(),
        }
    }
}

/// The content of the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadBody {
    /// The id of the record, made by `record init`.
    pub(super) record: String,
    /// The account that the record belongs to.
    pub(super) account: String,
    /// Counts the holders.
    pub(super) epoch: u64,
    /// The holder of the lease; `None` after a release.
    pub(super) holder: Option<Holder>,
    /// How long the lease lasts after its last heartbeat, in milliseconds.
    pub(super) lease_ms: u64,
    /// How long after a heartbeat the holder may send requests, in milliseconds.
    pub(super) permit_ms: u64,
    /// Counts the heartbeats of the epoch.
    pub(super) beat: u64,
    /// The end of the log. While the lease is held, the log may continue behind it.
    pub(super) tail: Tail,
    /// The latest checkpoint.
    pub(super) base: Option<Base>,
    /// The last entry of those that were emptied, from the first one on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) trimmed: u64,
    /// Whether this epoch took over from a holder that did not release the lease.
    pub(super) unclean: bool,
    /// Where the record was migrated to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moved_to: Option<String>,
    /// Makes each head unique, because an entity tag may be a digest of the content.
    pub(super) nonce: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A checkpoint: the object, and the end of the log that it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    /// The digest of the checkpoint's content.
    pub(super) digest: Digest,
    /// The end of the log that it covers.
    pub(super) tail: Tail,
}

/// The content of a log entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LogBody {
    pub(super) sequence: u64,
    pub(super) epoch: u64,
    /// The id of the session that wrote it.
    pub(super) writer: String,
    pub(super) nonce: String,
    /// When it was written, by the writer's clock.
    pub(super) at: Timestamp,
    /// The digest of the entry before it.
    pub(super) before: Digest,
    pub(super) operations: Vec<Operation>,
}

/// One operation of a log entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub(super) enum Operation {
    /// The first entry after a takeover.
    Begin,
    /// A write is about to be sent.
    Intended {
        /// The write.
        intent: Box<Intent>,
    },
    /// A write is settled.
    Settled(Box<StoredSettlement>),
}

/// A settlement as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredSettlement {
    key: Key,
    after: StoredAfter,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<StoredEntry<'static>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lingering: Option<Box<Intent>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredAfter {
    Record(Box<StoredRecord>),
    Dropped,
    Unchanged,
}

/// The content of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BaseBody<'a> {
    /// The id of the record.
    pub(super) record: Cow<'a, str>,
    records: BTreeMap<Key, StoredRecord>,
    intents: Vec<Cow<'a, Intent>>,
}

impl Operation {
    /// Returns the operations of a commit. Observations stay local.
    pub(super) fn of(commit: &Commit, followed: &Followed) -> Vec<Self> {
        let operation = |entry: &Entry| match entry {
            Entry::Intended(intent) => Some(Self::Intended {
                intent: intent.clone(),
            }),
            Entry::Settled(settlement) => Some(Self::Settled(Box::new(StoredSettlement::of(
                settlement, followed,
            )))),
            Entry::Observed(_) => None,
        };
        commit.entries.iter().filter_map(operation).collect()
    }

    /// Applies the operation to a state.
    pub(super) fn apply(self, remembered: &mut Remembered) {
        match self {
            Self::Begin => {}
            Self::Intended { intent } => remembered.apply_entry(&Entry::Intended(intent)),
            Self::Settled(settlement) => {
                remembered.apply_entry(&Entry::Settled((*settlement).into()));
            }
        }
    }
}

impl StoredSettlement {
    fn of(settlement: &Settlement, followed: &Followed) -> Self {
        Self {
            key: settlement.key.clone(),
            after: match &settlement.after {
                After::Record(record) => {
                    StoredAfter::Record(Box::new((&record.hiding(followed)).into()))
                }
                After::Dropped => StoredAfter::Dropped,
                After::Unchanged => StoredAfter::Unchanged,
            },
            history: settlement
                .history
                .as_ref()
                .map(|entry| StoredEntry::hiding(entry, followed).into_owned()),
            lingering: settlement.lingering.clone(),
        }
    }
}

impl From<StoredSettlement> for Settlement {
    fn from(stored: StoredSettlement) -> Self {
        Self {
            key: stored.key,
            after: match stored.after {
                StoredAfter::Record(record) => After::Record(Box::new((*record).into())),
                StoredAfter::Dropped => After::Dropped,
                StoredAfter::Unchanged => After::Unchanged,
            },
            history: stored.history.map(Into::into),
            lingering: stored.lingering,
        }
    }
}

impl<'a> BaseBody<'a> {
    pub(super) fn of(record: &'a str, remembered: &'a Remembered) -> Self {
        let records = remembered.last_applied.iter();
        Self {
            record: Cow::Borrowed(record),
            records: records
                .map(|(key, record)| (key.clone(), record.into()))
                .collect(),
            intents: remembered
                .pending
                .intents
                .values()
                .map(Cow::Borrowed)
                .collect(),
        }
    }

    pub(super) fn into_remembered(self) -> Remembered {
        let intents = self.intents.into_iter().map(Cow::into_owned);
        Remembered {
            last_applied: self
                .records
                .into_iter()
                .map(|(key, record)| (key, record.into()))
                .collect(),
            pending: Pending {
                intents: intents.map(|intent| (intent.key.clone(), intent)).collect(),
                ..Pending::default()
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    /// The format of the body.
    format: u32,
    /// The oldest format whose readers may read the body.
    min_reader: u32,
    /// The digest of the body's text.
    checksum: Digest,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// Returns an object's content.
///
/// # Errors
/// [`SharedError::Format`] if the body has no JSON form.
pub(super) fn encode(body: &impl Serialize) -> Result<Vec<u8>, SharedError> {
    let invalid = |source| SharedError::Format { source };
    let body = serde_json::value::to_raw_value(body).map_err(invalid)?;
    serde_json::to_vec(&Envelope {
        format: FORMAT,
        min_reader: FORMAT,
        checksum: Digest::of(body.get().as_bytes()),
        body: &body,
    })
    .map_err(invalid)
}

/// Reads an object's content.
///
/// # Errors
/// [`SharedError::Damaged`] or [`SharedError::Newer`]
pub(super) fn decode<T: DeserializeOwned>(name: &str, content: &[u8]) -> Result<T, SharedError> {
    let damaged = |reason: &'static str| SharedError::Damaged {
        object: name.to_owned(),
        reason,
    };
    let envelope: Envelope<'_> =
        serde_json::from_slice(content).map_err(|_| damaged("it is no object of a record"))?;
    if envelope.min_reader > FORMAT {
        return Err(SharedError::Newer {
            found: envelope.min_reader,
        });
    }
    if envelope.checksum != Digest::of(envelope.body.get().as_bytes()) {
        return Err(damaged("its checksum does not match"));
    }
    serde_json::from_str(envelope.body.get()).map_err(|_| damaged("it has an unknown form"))
}
