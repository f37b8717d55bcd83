//! Values for the tests of the other crates: webhooks, and what a record keeps of them. With features, also an object
//! store over HTTP, TLS in front of a server, and machines in virtual time. Unpublished.
//!
//! Each function panics on an argument that makes no valid value.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(feature = "tls")]
pub mod tls;

use hookctl_core::record::{After, HistoryAction, HistoryEntry, Settlement};
use hookctl_core::secret::{FingerprintKey, Salt, Secret};
use hookctl_core::state::AppliedRecord;
use hookctl_core::webhook::{EndpointUrl, Key, RemoteId, WebhookSpec, WorkflowActions};
use jiff::Timestamp;

/// The API key that fingerprints derive from. No record may contain it.
pub const API_KEY: &str = "canary-api-key";

/// The token of [`record`]. No record may contain it.
pub const TOKEN: &str = "canary-token";

/// Returns a secret.
pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

/// Returns `key-<number>`.
pub fn key(number: u64) -> Key {
    Key::parse(&format!("key-{number}")).unwrap()
}

/// Returns `id-<number>`.
pub fn id(number: u64) -> RemoteId {
    RemoteId::parse(&format!("id-{number}")).unwrap()
}

/// Returns a webhook's fields, with this time limit.
pub fn spec(timeout_seconds: i64) -> WebhookSpec {
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

/// Returns the record of a bound webhook with a token. For odd numbers, the API stored another form than was sent.
pub fn record(number: u64) -> AppliedRecord {
    let fingerprints = FingerprintKey::derive(&secret(API_KEY));
    AppliedRecord {
        id: id(number),
        sent: spec(10),
        stored: spec(if number.is_multiple_of(2) { 10 } else { 11 }),
        token: Some(
            fingerprints
                .fingerprint(Salt::new([3; 16]), &secret(TOKEN))
                .into(),
        ),
        prevent_destroy: number == 1,
        held: (number == 2).then(|| Box::new(spec(30))),
    }
}

/// Returns a change of the history. Its time grows with the number.
pub fn change(number: u64) -> HistoryEntry {
    let at = Timestamp::from_second(1_800_000_000 + i64::try_from(number).unwrap()).unwrap();
    HistoryEntry {
        at,
        api_at: number.is_multiple_of(2).then_some(at),
        key: key(number),
        id: id(number),
        action: HistoryAction::Create,
        changes: Vec::new(),
        provenance: None,
        run: None,
    }
}

/// Returns a settlement that binds a webhook.
pub fn bound(number: u64) -> Settlement {
    Settlement {
        after: After::Record(Box::new(record(number))),
        history: Some(change(number)),
        ..Settlement::nothing(key(number))
    }
}
