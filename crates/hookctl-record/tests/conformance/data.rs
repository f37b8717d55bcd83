//! Entries to append.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookctl_core::clock::{Stamp, Writer};
use hookctl_core::record::{After, Commit, Entry, IntendedWrite, Intent, Observation, Settlement};
use hookctl_core::state::ObservedWebhook;
use hookctl_core::webhook::{Field, TokenChange};
use hookctl_testing::{bound, id, key, spec};
use jiff::Timestamp;

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
