//! What became of writes whose answers were never seen. Pure: a look at a fresh list.
//!
//! | pending | the list | what is recorded |
//! | --- | --- | --- |
//! | create | one new webhook with its name and URL | bound to it, as if it had been answered |
//! | create | none | nothing: it did not happen, and the plan makes it |
//! | create | several | an error, unless the file pins one |
//! | patch | | nothing of its fields: the plan compares them. A token that it set on a webhook whose token was ours can no longer be verified |
//! | delete | | nothing: the plan sees whether it is gone |

use std::collections::{BTreeMap, BTreeSet};

use super::confirm::is_other_form;
use super::unknown::{Trace, trace};
use crate::record::{
    After, HistoryEntry, IntendedToken, IntendedWrite, Intent, Pending, Settlement,
};
use crate::secret::Fingerprint;
use crate::state::{AppliedRecord, DesiredState, LastApplied, ObservedState, ObservedWebhook};
use crate::webhook::{Field, Key, RemoteId, WebhookSpec, normal_name};

/// A create that may have happened, and no way to tell as what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whether an interrupted run made '{key}' is not known: any of {} could be it. Delete the superfluous ones, or pin the right one with `id:`", .ids.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", "))]
pub struct UndecidedCreate {
    /// The key.
    pub key: Key,
    /// The webhooks that could be it.
    pub ids: Vec<RemoteId>,
}

/// Settles what is pending by a fresh list, before anything is planned from it.
///
/// # Errors
/// [`UndecidedCreate`] if more webhooks could be one that a pending create made than were made.
pub fn settle_pending(
    pending: &Pending,
    desired: &DesiredState,
    records: &LastApplied,
    observed: &ObservedState,
) -> Result<Vec<Settlement>, UndecidedCreate> {
    if pending.intents.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = pending.seen.clone();
    known.extend(records.values().map(|record| record.id.clone()));
    let alike = alike(&pending.intents);
    let mut settlements = Vec::new();
    for intent in &pending.intents {
        let settlement = match &intent.write {
            IntendedWrite::Create {
                spec,
                token,
                prevent_destroy,
            } => {
                let pinned = desired
                    .webhooks
                    .get(&intent.key)
                    .and_then(|webhook| webhook.id.as_ref());
                let found = if pinned.is_some() {
                    None
                } else {
                    let companions = alike.get(&normal_name(&spec.name)).copied().unwrap_or(1);
                    find(&intent.key, spec, companions, &known, observed)?
                        .map(|found| (found, companions))
                };
                match found {
                    None => Settlement::nothing(intent.key.clone()),
                    Some((found, companions)) => {
                        known.insert(found.id.clone());
                        let token = token.filter(|_| found.has_bearer_token);
                        // Of several that are alike, this one may have been made with another's token.
                        let token = if companions > 1 {
                            token.map(Fingerprint::unverifiable)
                        } else {
                            token
                        };
                        bound(intent, spec, token, *prevent_destroy, &found)
                    }
                }
            }
            IntendedWrite::Patch { id, token } => patched(intent, id, *token, records, observed),
            IntendedWrite::Delete { .. } => Settlement::nothing(intent.key.clone()),
        };
        settlements.push(settlement);
    }
    Ok(settlements)
}

/// Applies settlements to records in memory.
pub fn remember(settlements: &[Settlement], records: &mut LastApplied) {
    for settlement in settlements {
        match &settlement.after {
            After::Record(record) => {
                records.insert(settlement.key.clone(), (**record).clone());
            }
            After::Dropped => {
                records.remove(&settlement.key);
            }
            After::Unchanged => {}
        }
    }
}

/// How many pending creates share each name.
fn alike(intents: &[Intent]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for intent in intents {
        if let IntendedWrite::Create { spec, .. } = &intent.write {
            *counts.entry(normal_name(&spec.name)).or_default() += 1;
        }
    }
    counts
}

/// The webhook that a pending create made, if it did.
fn find(
    key: &Key,
    spec: &WebhookSpec,
    companions: usize,
    known: &BTreeSet<RemoteId>,
    observed: &ObservedState,
) -> Result<Option<ObservedWebhook>, UndecidedCreate> {
    match trace(spec, known, observed) {
        Trace::None => Ok(None),
        Trace::One(found) => Ok(Some(found)),
        // As many at most as were made: any of them will do, and the one that fits best is taken.
        Trace::Several(ids) if ids.len() <= companions => {
            let candidates = || ids.iter().filter_map(|id| observed.get(id));
            let best = candidates()
                .find(|candidate| candidate.spec == *spec)
                .or_else(|| candidates().next());
            Ok(best.cloned())
        }
        Trace::Several(ids) => Err(UndecidedCreate {
            key: key.clone(),
            ids,
        }),
    }
}

fn bound(
    intent: &Intent,
    spec: &WebhookSpec,
    token: Option<Fingerprint>,
    prevent_destroy: bool,
    found: &ObservedWebhook,
) -> Settlement {
    let mut stored = spec.clone();
    for field in Field::ALL {
        // Another value is somebody's edit since, which the plan shall see.
        if is_other_form(field, spec, &found.spec) {
            stored.copy_field(&found.spec, field);
        }
    }
    Settlement {
        key: intent.key.clone(),
        after: After::Record(Box::new(AppliedRecord {
            id: found.id.clone(),
            sent: spec.clone(),
            stored,
            token,
            prevent_destroy,
        })),
        history: Some(HistoryEntry {
            at: intent.at.clone(),
            key: intent.key.clone(),
            id: found.id.clone(),
            action: "create".into(),
            changes: Vec::new(),
            provenance: None,
        }),
    }
}

fn patched(
    intent: &Intent,
    id: &RemoteId,
    token: IntendedToken,
    records: &LastApplied,
    observed: &ObservedState,
) -> Settlement {
    let mut settlement = Settlement::nothing(intent.key.clone());
    let record = records.get(&intent.key).filter(|record| record.id == *id);
    let has_one = observed.get(id).is_some_and(|found| found.has_bearer_token);
    // A token that was not ours before may be anybody's now: it may not be cleared as ours.
    let ours = record.and_then(|record| Some((record, record.token?)));
    if let (IntendedToken::Set, true, Some((record, ours))) = (token, has_one, ours) {
        settlement.after = After::Record(Box::new(AppliedRecord {
            token: Some(ours.unverifiable()),
            ..record.clone()
        }));
    }
    settlement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{FingerprintKey, Salt, Secret};
    use crate::webhook::{EndpointUrl, WorkflowActions};

    fn key(name: &str) -> Key {
        Key::parse(name).unwrap()
    }

    fn id(name: &str) -> RemoteId {
        RemoteId::parse(name).unwrap()
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

    fn webhook(name: &str, timeout_seconds: i64) -> ObservedWebhook {
        ObservedWebhook {
            id: id(name),
            spec: spec(timeout_seconds),
            has_bearer_token: true,
        }
    }

    fn trace_of(token: &str) -> Fingerprint {
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        FingerprintKey::derive(&secret("key")).fingerprint(Salt::new([1; 16]), &secret(token))
    }

    fn create(name: &str, timeout_seconds: i64) -> Intent {
        Intent {
            key: key(name),
            at: "2026-01-01T00:00:00Z".into(),
            write: IntendedWrite::Create {
                spec: spec(timeout_seconds),
                token: Some(trace_of(name)),
                prevent_destroy: true,
            },
        }
    }

    fn settle(
        intents: Vec<Intent>,
        records: &LastApplied,
        observed: Vec<ObservedWebhook>,
    ) -> Result<Vec<After>, UndecidedCreate> {
        let pending = Pending {
            intents,
            seen: BTreeSet::from([id("old")]),
        };
        let desired = DesiredState::default();
        let observed = observed.into_iter().collect();
        let settled = settle_pending(&pending, &desired, records, &observed)?;
        Ok(settled.into_iter().map(|one| one.after).collect())
    }

    fn record(after: &After) -> &AppliedRecord {
        match after {
            After::Record(record) => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_create_that_happened_is_bound_and_one_that_did_not_is_over() {
        let none = LastApplied::new();
        let old = webhook("old", 10);
        let settled = settle(vec![create("a", 10)], &none, vec![old.clone()]);
        assert_eq!(settled.unwrap(), [After::Unchanged]);
        let settled = settle(vec![create("a", 10)], &none, vec![old, webhook("new", 10)]).unwrap();
        let bound = record(&settled[0]);
        assert_eq!(bound.id, id("new"));
        assert_eq!(bound.token, Some(trace_of("a")));
        assert!(bound.prevent_destroy);
    }

    #[test]
    fn an_edit_since_is_not_taken_for_the_apis_form() {
        let mut found = webhook("new", 55);
        found.spec.name = "Billing ".into();
        let settled = settle(vec![create("a", 10)], &LastApplied::new(), vec![found]).unwrap();
        let bound = record(&settled[0]);
        assert_eq!(bound.stored.timeout_seconds, 10);
        assert_eq!(bound.stored.name, "Billing ");
    }

    #[test]
    fn of_several_that_are_alike_each_gets_one_and_no_token_is_vouched_for() {
        let twins = || vec![create("a", 10), create("b", 20)];
        let none = LastApplied::new();
        let both = vec![webhook("one", 20), webhook("two", 10)];
        let settled = settle(twins(), &none, both).unwrap();
        let ids: Vec<_> = settled.iter().map(|after| &record(after).id).collect();
        assert_eq!(ids, [&id("two"), &id("one")]);
        let ours = record(&settled[0]).token.unwrap();
        let told = ours.compare(&trace_of("a"));
        assert_eq!(told, crate::secret::Comparison::Incomparable);

        let settled = settle(twins(), &none, vec![webhook("one", 20)]).unwrap();
        assert_eq!(settled[1], After::Unchanged);
        let three = ["one", "two", "three"].map(|name| webhook(name, 10));
        assert!(settle(twins(), &none, three.into()).is_err());
    }

    #[test]
    fn more_than_were_made_cannot_be_told_apart() {
        let twins = vec![webhook("one", 10), webhook("two", 10)];
        let error = settle(vec![create("a", 10)], &LastApplied::new(), twins).unwrap_err();
        assert_eq!(error.ids, [id("one"), id("two")]);
    }

    #[test]
    fn a_token_on_its_way_can_no_longer_be_verified() {
        let patch = Intent {
            key: key("a"),
            at: String::new(),
            write: IntendedWrite::Patch {
                id: id("new"),
                token: IntendedToken::Set,
            },
        };
        let applied = |token| AppliedRecord {
            id: id("new"),
            sent: spec(10),
            stored: spec(10),
            token,
            prevent_destroy: false,
        };
        let after = |token| {
            let records = LastApplied::from([(key("a"), applied(token))]);
            settle(vec![patch.clone()], &records, vec![webhook("new", 10)]).unwrap()
        };
        let ours = record(&after(Some(trace_of("t")))[0]).token.unwrap();
        let told = ours.compare(&trace_of("t"));
        assert_eq!(told, crate::secret::Comparison::Incomparable);
        assert_eq!(after(None), [After::Unchanged]);
    }
}
