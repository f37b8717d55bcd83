//! Entries to append.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookctl_core::clock::{Stamp, Writer};
use hookctl_core::record::{
    After, Commit, Entry, HistoryEntry, IntendedWrite, Intent, Observation, Settlement,
};
use hookctl_core::state::{AppliedRecord, ObservedWebhook};
use hookctl_core::webhook::{
    EndpointUrl, Field, Key, RemoteId, TokenChange, WebhookSpec, WorkflowActions,
};
use jiff::Timestamp;

pub(crate) fn key(number: u64) -> Key {
    Key::parse(&format!("key-{number}")).unwrap()
}

pub(crate) fn id(number: u64) -> RemoteId {
    RemoteId::parse(&format!("id-{number}")).unwrap()
}

fn spec(timeout_seconds: i64) -> WebhookSpec {
    WebhookSpec {
        name: "Billing".into(),
        url: EndpointUrl::from_remote("https://a.example/x".into()),
        actions: WorkflowActions::all(),
        enabled: true,
        timeout_seconds,
        max_retries: 3,
        retry_backoff_seconds: 10,
    }
}

/// Returns a change of the history; its time grows with the number.
pub(crate) fn change(number: u64) -> HistoryEntry {
    HistoryEntry {
        at: Timestamp::from_second(1_800_000_000 + i64::try_from(number).unwrap()).unwrap(),
        key: key(number),
        id: id(number),
        action: "create".into(),
        changes: Vec::new(),
        provenance: None,
    }
}

/// Returns a settlement that binds a webhook.
pub(crate) fn bound(number: u64) -> Settlement {
    Settlement {
        key: key(number),
        after: After::Record(Box::new(AppliedRecord {
            id: id(number),
            sent: spec(10),
            stored: spec(if number.is_multiple_of(2) { 10 } else { 11 }),
            token: None,
            prevent_destroy: number == 1,
        })),
        history: Some(change(number)),
        lingering: None,
    }
}

pub(crate) fn dropped(number: u64) -> Settlement {
    Settlement {
        after: After::Dropped,
        ..bound(number)
    }
}

pub(crate) fn intent(number: u64) -> Intent {
    let sent = Stamp {
        at: Timestamp::UNIX_EPOCH,
        uptime_ms: number,
        writer: Writer {
            host: "host".to_owned(),
            boot: Some("boot".to_owned()),
            run: "run".to_owned(),
        },
    };
    let write = IntendedWrite::Patch {
        id: id(number),
        fields: BTreeMap::from([(Field::TimeoutSeconds, number.into())]),
        token: TokenChange::Clear,
    };
    Intent::new(key(number), sent, write)
}

pub(crate) fn observation(ids: std::ops::Range<u64>) -> Observation {
    let webhooks = ids.clone().map(|number| ObservedWebhook {
        id: id(number),
        spec: spec(20),
        has_bearer_token: true,
    });
    Observation {
        at: Timestamp::from_second(i64::try_from(ids.end).unwrap()).unwrap(),
        observed: Arc::new(webhooks.collect()),
    }
}

pub(crate) fn commit(sequence: u64, entries: impl IntoIterator<Item = Entry>) -> Arc<Commit> {
    Arc::new(Commit {
        sequence,
        entries: entries.into_iter().collect(),
    })
}

pub(crate) fn settled(settlement: Settlement) -> Entry {
    Entry::Settled(settlement)
}

pub(crate) fn intended(number: u64) -> Entry {
    Entry::Intended(Box::new(intent(number)))
}
