//! Random worlds, small enough that names, URLs, ids, and keys collide all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hookctl::diagnostic::Location;
use hookctl::plan::{KeyFilter, Policy, Prune, UnverifiedSecrets};
use hookctl::secret::{Fingerprint, FingerprintKey, Fingerprints, Salt, Secret, Secrets};
use hookctl::state::{
    AbsentWebhook, AppliedRecord, DeclaredToken, DesiredState, DesiredWebhook, FieldFlaw,
    IgnoreChanges, LastApplied, ObservedState, ObservedWebhook, Origin, TokenEvidence,
    UnreadableWebhook,
};
use hookctl::webhook::{EndpointUrl, Field, Key, RemoteId, WebhookSpec, WorkflowAction};
use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;

/// All that a pass is made from.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) desired: DesiredState,
    pub(crate) observed: ObservedState,
    pub(crate) records: LastApplied,
    pub(crate) secrets: Secrets,
    pub(crate) policy: Policy,
}

fn key() -> impl Strategy<Value = Key> {
    (0..6u8).prop_map(|number| Key::parse(&format!("key-{number}")).unwrap())
}

fn id() -> impl Strategy<Value = RemoteId> {
    (0..8u8).prop_map(|number| RemoteId::parse(&format!("id-{number}")).unwrap())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => (0..5u8).prop_map(|number| format!("Name {number}")), 1 => Just(" Name 0".to_owned())]
}

pub(crate) fn spec() -> impl Strategy<Value = WebhookSpec> {
    let actions = btree_set(0..6usize, 1..4).prop_map(|numbers| {
        numbers
            .into_iter()
            .map(|number| {
                WorkflowAction::KNOWN
                    .get(number)
                    .cloned()
                    .unwrap_or(WorkflowAction::Unknown("zebra".into()))
            })
            .collect()
    });
    let url = prop_oneof![
        Just("https://a.example/x"),
        Just("https://a.example/x/"),
        Just("https://b.example/y")
    ];
    (
        name(),
        url,
        actions,
        any::<bool>(),
        1..3i64,
        1..3i64,
        1..3i64,
    )
        .prop_map(
            |(name, url, actions, enabled, timeout_seconds, max_retries, retry_backoff_seconds)| {
                WebhookSpec {
                    name,
                    url: EndpointUrl::parse(url).unwrap(),
                    actions,
                    enabled,
                    timeout_seconds,
                    max_retries,
                    retry_backoff_seconds,
                }
            },
        )
}

fn fingerprint(api_key: u8, token: u8) -> Fingerprint {
    let secret = |text: String| Secret::new(text).unwrap();
    FingerprintKey::derive(&secret(format!("api-key-{api_key}")))
        .fingerprint(Salt::new([1; 16]), &secret(format!("token-{token}")))
}

/// Returns what is recorded after these writes, each of an API key and a token.
fn fingerprints(writes: &[(u8, u8)]) -> Option<Fingerprints> {
    let mut writes = writes
        .iter()
        .map(|(api_key, token)| fingerprint(*api_key, *token));
    let first = Fingerprints::from(writes.next()?);
    Some(writes.fold(first, |all, one| all.with(one)))
}

fn token() -> impl Strategy<Value = DeclaredToken> {
    prop_oneof![
        (0..2u8)
            .prop_map(|token| DeclaredToken::Managed(TokenEvidence::Known(fingerprint(0, token)))),
        Just(DeclaredToken::None),
        Just(DeclaredToken::LeftOut),
    ]
}

pub(crate) fn origin() -> Origin {
    Origin {
        key: Location {
            path: PathBuf::from("webhooks.d/a.yaml").into(),
            line: 1,
            column: 1,
        },
        fields: Vec::new(),
        in_target: Vec::new(),
    }
}

fn desired_webhook() -> impl Strategy<Value = DesiredWebhook> {
    let ignored = prop_oneof![
        3 => Just(BTreeSet::new()),
        1 => btree_set((0..7usize).prop_map(|number| Field::ALL[number]), 1..3)
    ];
    (
        spec(),
        token(),
        option::weighted(0.15, id()),
        prop::collection::vec(name(), 0..2),
        ignored,
        any::<bool>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(spec, token, id, previously, fields, ignore_token, prevent_destroy)| DesiredWebhook {
                spec,
                token,
                id,
                previously,
                ignore_changes: IgnoreChanges {
                    bearer_token: ignore_token && !fields.is_empty(),
                    fields,
                },
                prevent_destroy,
                origin: origin(),
            },
        )
}

fn absent_webhook() -> impl Strategy<Value = AbsentWebhook> {
    (name(), option::weighted(0.2, id())).prop_map(|(name, id)| AbsentWebhook {
        name,
        id,
        previously: Vec::new(),
        origin: origin(),
    })
}

fn observed() -> impl Strategy<Value = ObservedState> {
    btree_map(id(), (spec(), any::<bool>()), 0..7).prop_map(|webhooks| {
        webhooks
            .into_iter()
            .map(|(id, (spec, has_bearer_token))| ObservedWebhook {
                id,
                spec: crate::model::stored(spec),
                has_bearer_token,
            })
            .collect()
    })
}

/// How much of a record agrees with the rest of the world.
#[derive(Clone, Debug)]
struct RecordSeed {
    id: RemoteId,
    sent: WebhookSpec,
    stored: WebhookSpec,
    sent_as_desired: bool,
    stored_as_observed: bool,
    tokens: Vec<(u8, u8)>,
    prevent_destroy: bool,
}

fn record_seed() -> impl Strategy<Value = RecordSeed> {
    (
        id(),
        spec(),
        spec(),
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec((0..3u8, 0..2u8), 0..4),
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(id, sent, stored, sent_as_desired, stored_as_observed, tokens, prevent_destroy)| {
                RecordSeed {
                    id,
                    sent,
                    stored,
                    sent_as_desired,
                    stored_as_observed,
                    tokens,
                    prevent_destroy,
                }
            },
        )
}

fn records(
    seeds: BTreeMap<Key, RecordSeed>,
    desired: &DesiredState,
    observed: &ObservedState,
) -> LastApplied {
    let mut bound = BTreeSet::new();
    seeds
        .into_iter()
        .filter(|(_, seed)| bound.insert(seed.id.clone()))
        .map(|(key, seed)| {
            let sent = desired
                .webhooks
                .get(&key)
                .filter(|_| seed.sent_as_desired)
                .map_or(seed.sent, |webhook| webhook.spec.clone());
            let stored = observed
                .get(&seed.id)
                .filter(|_| seed.stored_as_observed)
                .map_or(seed.stored, |webhook| webhook.spec.clone());
            let record = AppliedRecord {
                id: seed.id,
                sent,
                stored,
                token: fingerprints(&seed.tokens),
                prevent_destroy: seed.prevent_destroy,
                held: None,
            };
            (key, record)
        })
        .collect()
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let policy = (
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(prune, keep, filtered)| Policy {
            prune: if prune { Prune::Yes } else { Prune::No },
            only: if filtered {
                KeyFilter::matching(["key-[0-3]"]).unwrap()
            } else {
                KeyFilter::default()
            },
            unverified_secrets: if keep {
                UnverifiedSecrets::Keep
            } else {
                UnverifiedSecrets::Assert
            },
            retry_held: false,
        });
    (
        btree_map(key(), desired_webhook(), 0..5),
        btree_map(key(), absent_webhook(), 0..2),
        btree_map(key(), absent_webhook(), 0..2),
        observed(),
        btree_map(key(), record_seed(), 0..5),
        policy,
    )
        .prop_map(
            |(webhooks, mut absent, mut released, observed, seeds, policy)| {
                absent.retain(|key, _| !webhooks.contains_key(key));
                released.retain(|key, _| !webhooks.contains_key(key) && !absent.contains_key(key));
                let secrets = webhooks
                    .keys()
                    .map(|key| (key.clone(), Secret::new("a-token".into()).unwrap()))
                    .collect();
                let desired = DesiredState {
                    webhooks,
                    absent,
                    released,
                };
                let records = records(seeds, &desired, &observed);
                World {
                    desired,
                    observed,
                    records,
                    secrets,
                    policy,
                }
            },
        )
}

/// Which observed webhooks have an unreadable field, and whether that is the name.
pub(crate) fn odd() -> impl Strategy<Value = BTreeMap<RemoteId, bool>> {
    btree_map(id(), prop::bool::weighted(0.3), 1..4)
}

/// The same world, in which some observed webhooks cannot be read.
pub(crate) fn with_unreadable(mut world: World, odd: &BTreeMap<RemoteId, bool>) -> World {
    for (id, hides_name) in odd {
        if let Some(webhook) = world.observed.webhooks.remove(id) {
            let unreadable = UnreadableWebhook {
                id: id.clone(),
                name: (!hides_name).then_some(webhook.spec.name),
                field: if *hides_name { "name" } else { "url" },
                flaw: FieldFlaw::WrongType,
            };
            world.observed.unreadable.insert(id.clone(), unreadable);
        }
    }
    world
}
