//! The change to verify, from the record. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use hookctl_core::record::{HistoryAction, HistoryEntry};
use hookctl_core::secret::may_be;
use hookctl_core::state::AppliedRecord;
use hookctl_core::webhook::{EndpointUrl, Key, RemoteId};

/// The resolution of the `Date` of a response. An event within it may be older than the change.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);

/// A changed webhook, and the moment of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// The webhook.
    pub id: RemoteId,
    /// The declared address, as sent and as the API stored it.
    pub urls: Vec<EndpointUrl>,
    /// The moment of the change.
    pub since: Since,
    /// Whether the webhook is enabled.
    pub enabled: bool,
    /// The number of retries of a failed delivery.
    pub max_retries: u64,
}

/// The moment of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// By the clock of the API.
    Api(Timestamp),
    /// By the clock of this machine, until a response tells the difference.
    Machine(Timestamp),
}

impl Since {
    /// Returns the moment by the clock of the API, which is `ahead` of this machine's. Returns `None` if the difference
    /// is necessary and unknown.
    pub fn by_api(self, ahead: Option<SignedDuration>) -> Option<Timestamp> {
        match self {
            Self::Api(at) => Some(at),
            Self::Machine(at) => at.checked_add(ahead?).ok(),
        }
    }

    /// Returns the moment, whichever clock it is from.
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Api(at) | Self::Machine(at) => at,
        }
    }
}

impl Change {
    /// Creates the change of a recorded webhook.
    pub fn of(key: &Key, record: &AppliedRecord, since: Since) -> Self {
        let mut urls = vec![record.sent.url.clone()];
        if record.stored.url != record.sent.url {
            urls.push(record.stored.url.clone());
        }
        Self {
            key: key.clone(),
            id: record.id.clone(),
            urls,
            since,
            enabled: record.stored.enabled,
            max_retries: record.stored.max_retries.try_into().unwrap_or(u64::MAX),
        }
    }

    /// Returns whether a delivery to this address is one to the declared address. The record has no passwords, and no
    /// secrets that the API puts into addresses.
    pub fn declares(&self, url: &str) -> bool {
        let url = EndpointUrl::from_remote(url.to_owned());
        let bare = url.without_user_info();
        self.urls.iter().any(|own| {
            let own_bare = own.without_user_info();
            own.is_equivalent_to(&url)
                || may_be(own.as_str(), url.as_str())
                || match (own_bare, &bare) {
                    (Some(own), Some(bare)) => own.is_equivalent_to(bare),
                    (None, _) | (_, None) => false,
                }
        })
    }
}

/// Returns the moment of the last change of each webhook by the history, the newest first. A webhook without a recorded
/// change is missing. The key of a webhook may change, so its id counts.
pub fn last_changes(history: &[HistoryEntry]) -> BTreeMap<&RemoteId, Since> {
    let mut changes = BTreeMap::new();
    for entry in history.iter().filter(|entry| is_change(entry)) {
        let after = |at: Timestamp| at.checked_add(RESOLUTION).unwrap_or(at);
        changes
            .entry(&entry.id)
            .or_insert_with(|| match entry.api_at {
                Some(at) => Since::Api(after(at)),
                None => Since::Machine(after(entry.at)),
            });
    }
    changes
}

/// Returns whether a request changed the webhook, and left it in place.
fn is_change(entry: &HistoryEntry) -> bool {
    match entry.action {
        HistoryAction::Create | HistoryAction::Recreate => true,
        HistoryAction::Update | HistoryAction::Adopt => !entry.changes.is_empty(),
        _ => false,
    }
}
