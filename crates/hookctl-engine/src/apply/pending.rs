//! Outcomes of pending writes, which got no response, from a fresh list and the time. Pure.
//!
//! | pending | the list | until its horizon | after it |
//! | --- | --- | --- | --- |
//! | create | contains one new webhook with its name and URL | bound to it, as after a response | the same |
//! | create | contains no such webhook | unsettled | it did not take effect, and the plan creates the webhook |
//! | create | contains several | an error, unless the file pins one | the same |
//! | patch | shows its fields, and it did not change the token | over | over |
//! | patch | otherwise | unsettled | over: the plan compares fields. If it set a token on a webhook with a recorded token, the token can no longer be verified |
//! | delete | lacks the webhook | over | over |
//! | delete | contains the webhook | unsettled | over: the plan deletes it again |
//! | superseded | lacks its webhook | over | over |
//! | superseded | otherwise | unsettled | over |
//!
//! After an unconfirmed write that replaced one that set a token, the token can no longer be verified.

use std::collections::{BTreeMap, BTreeSet};

use super::confirm::is_other_form;
use super::create_outcome::{CreateOutcome, create_outcome};
use hookctl_core::clock::Stamp;
use hookctl_core::record::{
    After, HistoryAction, HistoryEntry, Horizon, IntendedWrite, Intent, Pending, Remaining,
    Settlement, bind,
};
use hookctl_core::secret::{Comparison, Fingerprint, Fingerprints};
use hookctl_core::state::{
    AppliedRecord, DesiredState, LastApplied, ObservedState, ObservedWebhook, Written,
};
use hookctl_core::webhook::{
    Field, FieldValue, Key, RemoteId, TokenChange, WebhookSpec, normal_name,
};

/// A create that may have succeeded, with several matching webhooks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an interrupted run may have created '{key}', and several webhooks match it: {}", .ids.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", "))]
pub struct UndecidedCreate {
    /// The key.
    pub key: Key,
    /// The matching webhooks.
    pub ids: Vec<RemoteId>,
}

/// The state of pending writes, as a fresh list and the time show it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// The settlements of writes that are over.
    pub settlements: Vec<Settlement>,
    /// The writes that may still take effect.
    pub unsettled: Vec<Unsettled>,
    /// The records to use until then, whose tokens can no longer be verified.
    provisional: Vec<(Key, AppliedRecord)>,
}

/// A write that may still take effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsettled {
    /// The write.
    pub intent: Intent,
    /// How long it may still take effect.
    pub remaining: Remaining,
}

impl Settled {
    /// Applies settlements and provisional records to records in memory.
    pub fn apply_to(&self, records: &mut LastApplied) {
        for settlement in &self.settlements {
            bind(settlement, records);
        }
        records.extend(self.provisional.iter().cloned());
    }

    /// Returns whether no records change.
    pub const fn changes_nothing(&self) -> bool {
        self.settlements.is_empty() && self.provisional.is_empty()
    }
}

/// Settles pending writes with a fresh list, before planning from it.
///
/// # Errors
/// Returns [`UndecidedCreate`] if more webhooks match pending creates than these could have created.
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
                        held: _,
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
                        let token = token.map(Fingerprints::from);
                        // Among several alike, this webhook may have been created with the token of another.
                        let token = if companions > 1 {
                            token.as_ref().map(Fingerprints::unverifiable)
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

/// Adjusts the settlement of an unconfirmed write that replaced others: one of them may have set a token, so the recorded
/// one can no longer be verified.
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
            let record = records.get(&intent.key);
            let is_recorded = record.is_some_and(|record| sets_recorded(*token, record));
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

/// Returns whether a patch sets the recorded token.
fn sets_recorded(token: TokenChange<Option<Fingerprint>>, record: &AppliedRecord) -> bool {
    let (Some(recorded), TokenChange::Set(Some(token))) = (&record.token, token) else {
        return false;
    };
    recorded.compare(&token) == Comparison::Same
}

/// Returns whether a webhook shows the effect of a patch, as far as a list can show it.
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

/// Returns whether a value has this JSON form.
pub(super) fn spells(value: &FieldValue, spelled: &serde_json::Value) -> bool {
    serde_json::to_value(value).is_ok_and(|value| value == *spelled)
}

/// Counts pending creates by normal name.
fn alike(intents: &BTreeMap<Key, Intent>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for intent in intents.values() {
        if let IntendedWrite::Create { webhook, .. } = &intent.write {
            *counts.entry(normal_name(&webhook.spec.name)).or_default() += 1;
        }
    }
    counts
}

/// Returns the webhook that a pending create created, if any.
fn find(
    key: &Key,
    spec: &WebhookSpec,
    companions: usize,
    known: &BTreeSet<RemoteId>,
    observed: &ObservedState,
) -> Result<Option<ObservedWebhook>, UndecidedCreate> {
    match create_outcome(spec, known, observed) {
        CreateOutcome::NotCreated => Ok(None),
        CreateOutcome::Created(found) => Ok(Some(found)),
        // These pending creates explain all candidates, so any is correct. An equal one is preferred.
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
    token: Option<Fingerprints>,
    prevent_destroy: bool,
    found: &ObservedWebhook,
) -> Settlement {
    let mut stored = spec.clone();
    for field in Field::ALL {
        // Another value is a later edit, which the plan must see.
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
            held: None,
        })),
        lingering: None,
        history: Some(HistoryEntry {
            at: intent.sent.at,
            api_at: None,
            key: intent.key.clone(),
            id: found.id.clone(),
            action: HistoryAction::Create,
            changes: Vec::new(),
            provenance: None,
            run: None,
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
    // An unreadable webhook may have a token.
    let has_one = observed
        .get(id)
        .map_or_else(|| observed.exists(id), |found| found.has_bearer_token);
    // Without a recorded token, the current one may come from another writer, and must not be cleared.
    let ours = record.and_then(|record| Some((record, record.token.as_ref()?)));
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
    use hookctl_core::secret::{FingerprintKey, Salt};
    use hookctl_testing::{secret, spec};

    fn key(name: &str) -> Key {
        Key::parse(name).unwrap()
    }

    fn id(name: &str) -> RemoteId {
        RemoteId::parse(name).unwrap()
    }

    fn webhook(name: &str, timeout_seconds: i64) -> ObservedWebhook {
        ObservedWebhook {
            id: id(name),
            spec: spec(timeout_seconds),
            has_bearer_token: true,
        }
    }

    fn fingerprint_of(token: &str) -> Fingerprint {
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
                    token: Some(fingerprint_of(name)),
                    prevent_destroy: true,
                    held: None,
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

    /// Returns the settled records after the horizon has passed.
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
        assert_eq!(bound.token, Some(fingerprint_of("a").into()));
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
        let alike = || vec![create("a", 10), create("b", 20)];
        let none = LastApplied::new();
        let both = vec![webhook("one", 20), webhook("two", 10)];
        let settled = settle(alike(), &none, both).unwrap();
        let ids: Vec<_> = settled.iter().map(|after| &record(after).id).collect();
        assert_eq!(ids, [&id("two"), &id("one")]);
        let ours = record(&settled[0]).token.as_ref().unwrap();
        let reported = ours.compare(&fingerprint_of("a"));
        assert_eq!(reported, Comparison::Incomparable);

        let settled = settle(alike(), &none, vec![webhook("one", 20)]).unwrap();
        assert_eq!(settled[1], After::Unchanged);
        let three = ["one", "two", "three"].map(|name| webhook(name, 10));
        assert!(settle(alike(), &none, three.into()).is_err());
    }

    #[test]
    fn more_than_were_made_cannot_be_distinguished() {
        let alike = vec![webhook("one", 10), webhook("two", 10)];
        let error = settle(vec![create("a", 10)], &LastApplied::new(), alike).unwrap_err();
        assert_eq!(error.ids, [id("one"), id("two")]);
    }

    #[test]
    fn a_token_on_its_way_can_no_longer_be_verified() {
        let token = TokenChange::Set(Some(fingerprint_of("u")));
        let write = IntendedWrite::patch(id("new"), &[], token);
        let patch = Intent::new(key("a"), at(0), write);
        let applied = |token| AppliedRecord {
            id: id("new"),
            sent: spec(10),
            stored: spec(10),
            token,
            prevent_destroy: false,
            held: None,
        };
        let after = |token| {
            let records = LastApplied::from([(key("a"), applied(token))]);
            settle(vec![patch.clone()], &records, vec![webhook("new", 10)]).unwrap()
        };
        let other = FingerprintKey::derive(&secret("another key"));
        let other = other.fingerprint(Salt::new([1; 16]), &secret("t"));
        let both = Fingerprints::from(other).with(fingerprint_of("t"));
        let settled = after(Some(both));
        let ours = record(&settled[0]).token.as_ref().unwrap();
        for known in [fingerprint_of("t"), fingerprint_of("u"), other] {
            assert_eq!(ours.compare(&known), Comparison::Incomparable);
        }
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
