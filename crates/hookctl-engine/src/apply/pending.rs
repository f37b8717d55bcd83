//! What became of writes whose answers were never seen. Pure: judged by a fresh list and a moment.
//!
//! | pending | the list | until its horizon | after it |
//! | --- | --- | --- | --- |
//! | create | one new webhook with its name and URL | bound to it, as if it had been answered | the same |
//! | create | none | unsettled | it did not happen, and the plan makes it |
//! | create | several | an error, unless the file pins one | the same |
//! | patch | its fields, and it left the token alone | over | over |
//! | patch | otherwise | unsettled | over: the plan compares fields. A token that it set on a webhook whose token was ours can no longer be verified |
//! | delete | gone | over | over |
//! | delete | still there | unsettled | over: the plan deletes it again |
//! | superseded | its webhook is gone | over | over |
//! | superseded | otherwise | unsettled | over |
//!
//! A write that was not confirmed, and that replaced one that set a token, leaves a token that can no longer be verified.

use std::collections::{BTreeMap, BTreeSet};

use super::confirm::is_other_form;
use super::create_outcome::{CreateOutcome, create_outcome};
use hookctl_core::clock::Stamp;
use hookctl_core::record::{
    After, HistoryEntry, Horizon, IntendedWrite, Intent, Pending, Remaining, Settlement, bind,
};
use hookctl_core::secret::Fingerprint;
use hookctl_core::state::{
    AppliedRecord, DesiredState, LastApplied, ObservedState, ObservedWebhook, Written,
};
use hookctl_core::webhook::{
    Field, FieldValue, Key, RemoteId, TokenChange, WebhookSpec, normal_name,
};

/// A create that may have happened, and no way to tell as what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an interrupted run may have created '{key}', and several webhooks match it: {}", .ids.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", "))]
pub struct UndecidedCreate {
    /// The key.
    pub key: Key,
    /// The webhooks that could be it.
    pub ids: Vec<RemoteId>,
}

/// What a fresh list and the time say of what is pending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// What is over.
    pub settlements: Vec<Settlement>,
    /// What may still take effect.
    pub unsettled: Vec<Unsettled>,
    /// What the records are worth until then: tokens that can no longer be verified.
    provisional: Vec<(Key, AppliedRecord)>,
}

/// A write that may still take effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsettled {
    /// The write.
    pub intent: Intent,
    /// How long it may.
    pub remaining: Remaining,
}

impl Settled {
    /// Lays what was settled, and what is provisional, over records in memory.
    pub fn apply_to(&self, records: &mut LastApplied) {
        for settlement in &self.settlements {
            bind(settlement, records);
        }
        records.extend(self.provisional.iter().cloned());
    }

    /// Whether it changes nothing about the records.
    pub const fn changes_nothing(&self) -> bool {
        self.settlements.is_empty() && self.provisional.is_empty()
    }
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
    now: &Stamp,
    horizon: Horizon,
) -> Result<Settled, UndecidedCreate> {
    let mut settled = Settled::default();
    if pending.intents.is_empty() {
        return Ok(settled);
    }
    let mut known = pending.seen.clone();
    known.extend(records.values().map(|record| record.id.clone()));
    let alike = alike(&pending.intents);
    for intent in pending.intents.values() {
        let remaining = intent.remaining(now, horizon);
        let is_open = !remaining.time.is_zero();
        let mut superseded = intent.superseded;
        let over = match &intent.write {
            write if intent.superseded => {
                let finds_nothing = write.id().is_some_and(|id| observed.get(id).is_none());
                (!is_open || finds_nothing).then(|| Settlement::nothing(intent.key.clone()))
            }
            IntendedWrite::Create {
                webhook:
                    Written {
                        spec,
                        token,
                        prevent_destroy,
                    },
                seen,
            } => {
                let companions = alike.get(&normal_name(&spec.name)).copied().unwrap_or(1);
                let pinned = desired.webhooks.get(&intent.key);
                let found = if pinned.is_some_and(|webhook| webhook.id.is_some()) {
                    None
                } else {
                    known.extend(seen.iter().cloned());
                    find(&intent.key, spec, companions, &known, observed)?
                };
                match found {
                    None => (!is_open).then(|| Settlement::nothing(intent.key.clone())),
                    Some(found) => {
                        known.insert(found.id.clone());
                        let token = token.filter(|_| found.has_bearer_token);
                        // Of several that are alike, this one may have been made with another's token.
                        let token = if companions > 1 {
                            token.map(Fingerprint::unverifiable)
                        } else {
                            token
                        };
                        Some(bound(intent, spec, token, *prevent_destroy, &found))
                    }
                }
            }
            IntendedWrite::Patch { id, fields, token } => {
                let there = observed.get(id);
                let is_gone = !observed.exists(id);
                let is_visible = is_gone || there.is_some_and(|there| shows(there, fields, *token));
                superseded |= is_visible;
                if is_gone || (is_visible && *token == TokenChange::Keep) {
                    Some(Settlement::nothing(intent.key.clone()))
                } else if is_open {
                    let doubtful = patched(intent, id, *token, records, observed);
                    if let After::Record(record) = doubtful.after {
                        settled.provisional.push((intent.key.clone(), *record));
                    }
                    None
                } else {
                    Some(patched(intent, id, *token, records, observed))
                }
            }
            IntendedWrite::Delete { id } => {
                let is_over = !is_open || !observed.exists(id);
                is_over.then(|| Settlement::nothing(intent.key.clone()))
            }
        };
        let over = doubted(intent, over, records, observed, &mut settled.provisional);
        let earlier = intent
            .earlier
            .iter()
            .filter(|one| one.is_open(now, horizon));
        let earlier: Vec<Intent> = earlier.cloned().collect();
        let left = match over {
            Some(settlement) => {
                let lingering = Intent::superseded(earlier);
                settled.settlements.push(Settlement {
                    lingering: lingering.clone().map(Box::new),
                    ..settlement
                });
                lingering
            }
            None => Some(Intent {
                superseded,
                earlier,
                ..intent.clone()
            }),
        };
        if let Some(intent) = left {
            let remaining = intent.remaining(now, horizon);
            settled.unsettled.push(Unsettled { intent, remaining });
        }
    }
    Ok(settled)
}

/// What a write leaves that replaced others and was not confirmed itself: one of them may have set a token, so the one
/// in the record can no longer be verified.
fn doubted(
    intent: &Intent,
    over: Option<Settlement>,
    records: &LastApplied,
    observed: &ObservedState,
    provisional: &mut Vec<(Key, AppliedRecord)>,
) -> Option<Settlement> {
    let leaves_record = over
        .as_ref()
        .is_none_or(|over| over.after == After::Unchanged);
    if intent.superseded || !leaves_record {
        return over;
    }
    let doubt = intent.earlier.iter().find_map(|one| match &one.write {
        IntendedWrite::Patch { id, token, .. } => {
            let recorded = records.get(&intent.key).and_then(|record| record.token);
            let is_recorded = *token == TokenChange::Set(recorded);
            let after = patched(one, id, *token, records, observed).after;
            (!is_recorded && after != After::Unchanged).then_some(after)
        }
        IntendedWrite::Create { .. } | IntendedWrite::Delete { .. } => None,
    });
    match (doubt, over) {
        (Some(after), Some(over)) => Some(Settlement { after, ..over }),
        (Some(After::Record(record)), None) => {
            provisional.push((intent.key.clone(), *record));
            None
        }
        (_, over) => over,
    }
}

/// Whether a webhook is as a patch would make it, as far as a list can tell.
fn shows(
    there: &ObservedWebhook,
    fields: &BTreeMap<Field, serde_json::Value>,
    token: TokenChange<Option<Fingerprint>>,
) -> bool {
    let is_there =
        |(field, value): (&Field, &serde_json::Value)| spells(&there.spec.get(*field), value);
    let token = match token {
        TokenChange::Keep => true,
        TokenChange::Set(_) => false,
        TokenChange::Clear => !there.has_bearer_token,
    };
    token && fields.iter().all(is_there)
}

/// Whether the API spells a value like this.
pub(super) fn spells(value: &FieldValue, spelled: &serde_json::Value) -> bool {
    serde_json::to_value(value).is_ok_and(|value| value == *spelled)
}

/// How many pending creates share each name.
fn alike(intents: &BTreeMap<Key, Intent>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for intent in intents.values() {
        if let IntendedWrite::Create { webhook, .. } = &intent.write {
            *counts.entry(normal_name(&webhook.spec.name)).or_default() += 1;
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
    match create_outcome(spec, known, observed) {
        CreateOutcome::NotMade => Ok(None),
        CreateOutcome::Made(found) => Ok(Some(found)),
        // As many at most as were made: any of them will do, and the one that fits best is taken.
        CreateOutcome::Several(ids) if ids.len() <= companions => {
            let candidates = || ids.iter().filter_map(|id| observed.get(id));
            let best = candidates()
                .find(|candidate| candidate.spec == *spec)
                .or_else(|| candidates().next());
            Ok(best.cloned())
        }
        CreateOutcome::Several(ids) | CreateOutcome::Unreadable(ids) => Err(UndecidedCreate {
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
        lingering: None,
        history: Some(HistoryEntry {
            at: intent.sent.at,
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
    token: TokenChange<Option<Fingerprint>>,
    records: &LastApplied,
    observed: &ObservedState,
) -> Settlement {
    let mut settlement = Settlement::nothing(intent.key.clone());
    let record = records.get(&intent.key).filter(|record| record.id == *id);
    // A webhook that cannot be read may have one.
    let has_one = observed
        .get(id)
        .map_or_else(|| observed.exists(id), |found| found.has_bearer_token);
    // A token that was not ours before may be anybody's now: it may not be cleared as ours.
    let ours = record.and_then(|record| Some((record, record.token?)));
    if let (TokenChange::Set(_), true, Some((record, ours))) = (token, has_one, ours) {
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
    use hookctl_core::secret::{FingerprintKey, Salt, Secret};
    use hookctl_core::webhook::{EndpointUrl, WorkflowActions};

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
            sent: at(0),
            first_seen: None,
            superseded: false,
            earlier: Vec::new(),
            write: IntendedWrite::Create {
                webhook: Written {
                    spec: spec(timeout_seconds),
                    token: Some(trace_of(name)),
                    prevent_destroy: true,
                },
                seen: Vec::new(),
            },
        }
    }

    fn at(seconds: u64) -> Stamp {
        Stamp {
            at: jiff::Timestamp::UNIX_EPOCH,
            uptime_ms: seconds * 1_000,
            writer: hookctl_core::clock::Writer {
                host: "host".to_owned(),
                boot: Some("boot".to_owned()),
                run: "run".to_owned(),
            },
        }
    }

    /// What is settled once the horizon has passed.
    fn settle(
        intents: Vec<Intent>,
        records: &LastApplied,
        observed: Vec<ObservedWebhook>,
    ) -> Result<Vec<After>, UndecidedCreate> {
        let settled = settle_at(60, intents, records, observed)?;
        assert_eq!(settled.unsettled, []);
        let settlements = settled.settlements.into_iter();
        Ok(settlements.map(|one| one.after).collect())
    }

    fn settle_at(
        seconds: u64,
        intents: Vec<Intent>,
        records: &LastApplied,
        observed: Vec<ObservedWebhook>,
    ) -> Result<Settled, UndecidedCreate> {
        let pending = Pending {
            intents: intents
                .into_iter()
                .map(|intent| (intent.key.clone(), intent))
                .collect(),
            seen: BTreeSet::from([id("old")]),
        };
        let desired = DesiredState::default();
        let observed = observed.into_iter().collect();
        let (now, horizon) = (at(seconds), Horizon::default());
        settle_pending(&pending, &desired, records, &observed, &now, horizon)
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
        assert_eq!(told, hookctl_core::secret::Comparison::Incomparable);

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
        let token = TokenChange::Set(Some(trace_of("u")));
        let write = IntendedWrite::patch(id("new"), &[], token);
        let patch = Intent::new(key("a"), at(0), write);
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
        assert_eq!(told, hookctl_core::secret::Comparison::Incomparable);
        assert_eq!(after(None), [After::Unchanged]);
    }

    #[test]
    fn until_its_horizon_a_write_that_does_not_show_is_unsettled() {
        let none = LastApplied::new();
        let webhook = || webhook("new", 10);
        let patch = |number, token| {
            let fields = [(Field::TimeoutSeconds, FieldValue::Number(number))];
            let write = IntendedWrite::patch(id("new"), &fields, token);
            Intent::new(key("a"), at(0), write)
        };
        let delete = Intent::new(key("a"), at(0), IntendedWrite::Delete { id: id("new") });
        let cases = [
            (create("a", 10), vec![], false),
            (create("a", 10), vec![webhook()], true),
            (patch(10, TokenChange::Keep), vec![webhook()], true),
            (patch(11, TokenChange::Keep), vec![webhook()], false),
            (patch(10, TokenChange::Clear), vec![webhook()], false),
            (patch(10, TokenChange::Set(None)), vec![webhook()], false),
            (patch(11, TokenChange::Set(None)), vec![], true),
            (delete.clone(), vec![webhook()], false),
            (delete, vec![], true),
        ];
        for (intent, observed, is_over) in cases {
            for (seconds, is_over) in [(0, is_over), (59, is_over), (60, true)] {
                let settled =
                    settle_at(seconds, vec![intent.clone()], &none, observed.clone()).unwrap();
                let over = settled.unsettled.is_empty();
                assert_eq!(over, is_over, "{intent:?} after {seconds} s");
                assert_eq!(settled.settlements.len(), usize::from(is_over));
            }
        }
    }

    #[test]
    fn what_is_superseded_is_over_with_its_horizon_and_says_nothing() {
        let superseded = Intent {
            superseded: true,
            ..create("a", 10)
        };
        let none = LastApplied::new();
        let settle = |seconds| {
            let observed = vec![webhook("new", 10)];
            settle_at(seconds, vec![superseded.clone()], &none, observed).unwrap()
        };
        assert_eq!(settle(59).unsettled.len(), 1);
        assert_eq!(
            settle(60).settlements,
            [Settlement::nothing(key("a"))],
            "the webhook is not bound to it"
        );
    }
}
