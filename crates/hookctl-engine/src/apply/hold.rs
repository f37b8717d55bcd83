//! Actions that wait for earlier writes. Pure.
//!
//! A write may still take effect until its horizon has passed.
//!
//! | earlier write | action | result |
//! | --- | --- | --- |
//! | create | a create of its name, or of a webhook that had the name before; any action on its key | waits |
//! | patch | one with the same result as the patch | proceeds: the late effect changes nothing |
//! | patch | a delete | proceeds: the patch finds no webhook |
//! | patch | any other on its webhook or its key | waits |
//! | delete | the same delete | proceeds |
//! | delete | any other on its webhook or its key | waits |
//! | patch that sets a token | only its record changes: the webhook has no token, and is declared without one | the record waits |
//!
//! A write belongs to its webhook, even if another key is bound to the webhook now. The run also waits for an earlier
//! write that no action repeats, if its key is selected: until then, the account may still diverge from the files.
//!
//! The run also waits for a write that may set a token on a webhook that needs no action to be without one. Meanwhile, the
//! record keeps the token: without it, a late one would count as another writer's, which only `null` clears.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pending::{Unsettled, spells};
use hookctl_core::plan::{Action, KeyFilter, Patch, Plan, PlannedAction, Refresh};
use hookctl_core::record::IntendedWrite;
use hookctl_core::secret::{Comparison, Fingerprints};
use hookctl_core::state::{DesiredState, Written};
use hookctl_core::webhook::{Key, TokenChange, names_match};

/// The actions to hold back, and the writes to wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The keys whose actions wait.
    pub keys: BTreeSet<Key>,
    /// The keys whose actions proceed, although an earlier write may undo them.
    pub contested: BTreeSet<Key>,
    /// The tokens that an earlier write may still set on webhooks without one. The records of these keys keep them.
    pub tokens: BTreeMap<Key, Option<Fingerprints>>,
    /// The keys of the writes to wait for.
    pub waits_for: BTreeSet<Key>,
    /// The longest time in which one of them may still take effect.
    pub remaining: Duration,
}

/// Whether to wait for writes that may still take effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settle {
    /// Wait, and send nothing that they could duplicate or undo.
    #[default]
    Wait,
    /// Proceed. Affected actions are recorded as contested.
    Now,
}

/// Determines which actions of a plan wait for which writes. The plan is based on `desired` and the keys of `only`.
pub fn hold(
    plan: &Plan,
    unsettled: &[Unsettled],
    desired: &DesiredState,
    only: &KeyFilter,
    settle: Settle,
) -> Held {
    let mut held = Held::default();
    for one in unsettled {
        let intent = &one.intent;
        let mut is_waited_for = false;
        let mut is_repeated = false;
        let pairs = plan
            .actions
            .iter()
            .flat_map(|planned| intent.chain().map(move |write| (planned, write)));
        for (planned, write) in pairs {
            match relation(&write.key, &write.write, planned, desired) {
                Relation::None => {}
                Relation::Repeats => is_repeated |= std::ptr::eq(write, intent),
                Relation::Contests => {
                    is_waited_for = true;
                    let keys = match settle {
                        Settle::Wait => &mut held.keys,
                        Settle::Now => &mut held.contested,
                    };
                    keys.insert(planned.key.clone());
                }
            }
        }
        for refresh in &plan.refresh {
            if intent.chain().any(|write| may_set(&write.write, refresh)) {
                is_waited_for = true;
                let token = intent.sets_token().copied().map(Fingerprints::from);
                let token = token.map(|token| token.unverifiable());
                held.tokens.insert(refresh.key.clone(), token);
            }
        }
        let is_over_by_an_action = is_repeated || intent.superseded;
        let is_waited_for = is_waited_for || (only.selects(&intent.key) && !is_over_by_an_action);
        if is_waited_for && settle == Settle::Wait {
            held.waits_for.insert(intent.key.clone());
            held.remaining = held.remaining.max(one.remaining.time);
        }
    }
    held
}

/// The relation of an action to an earlier write.
enum Relation {
    /// They are independent.
    None,
    /// A late effect after the action changes nothing.
    Repeats,
    /// A late effect could duplicate or undo the action.
    Contests,
}

fn relation(
    key: &Key,
    write: &IntendedWrite,
    planned: &PlannedAction,
    desired: &DesiredState,
) -> Relation {
    let Some(id) = write.id() else {
        let had_before = |name: &str| {
            let declared = desired.webhooks.get(&planned.key);
            let mut before = declared.into_iter().flat_map(|one| &one.previously);
            before.any(|before| names_match(before, name))
        };
        return match (write, &planned.action) {
            (
                IntendedWrite::Create { webhook, .. },
                Action::Create(creation) | Action::Recreate { creation, .. },
            ) if names_match(&webhook.spec.name, &creation.spec.name)
                || had_before(&webhook.spec.name) =>
            {
                Relation::Contests
            }
            _ if planned.key == *key => Relation::Contests,
            _ => Relation::None,
        };
    };
    if planned.id() != Some(id) {
        // Recording a result of the key would end the intent.
        return if planned.key == *key {
            Relation::Contests
        } else {
            Relation::None
        };
    }
    match (write, &planned.action) {
        (_, Action::Delete(_) | Action::Recreate { .. }) => Relation::Repeats,
        (IntendedWrite::Patch { .. }, Action::Update(update))
            if agrees(write, Some(&update.patch), &update.record) =>
        {
            Relation::Repeats
        }
        (IntendedWrite::Patch { .. }, Action::Adopt(adoption))
            if agrees(write, adoption.patch.as_ref(), &adoption.record) =>
        {
            Relation::Repeats
        }
        _ => Relation::Contests,
    }
}

/// Returns whether a write may still set a token on a webhook whose record is to have none.
fn may_set(write: &IntendedWrite, refresh: &Refresh) -> bool {
    let IntendedWrite::Patch {
        id,
        token: TokenChange::Set(_),
        ..
    } = write
    else {
        return false;
    };
    *id == refresh.record.id && refresh.record.token.is_none()
}

/// Returns whether a late PATCH has the same result as an action.
fn agrees(write: &IntendedWrite, patch: Option<&Patch>, after: &Written<Fingerprints>) -> bool {
    let IntendedWrite::Patch { fields, token, .. } = write else {
        return false;
    };
    let has_fields = fields
        .iter()
        .all(|(field, value)| spells(&after.spec.get(*field), value));
    let to = patch.map_or(TokenChange::Keep, Patch::token);
    let has_token = match (token, to) {
        (TokenChange::Keep, _) | (TokenChange::Clear, TokenChange::Clear) => true,
        (TokenChange::Set(Some(late)), TokenChange::Set(evidence)) => {
            evidence.fingerprint() == Some(*late)
        }
        (TokenChange::Set(Some(late)), TokenChange::Keep) => {
            let kept = after.token.as_ref();
            kept.is_some_and(|kept| kept.compare(late) == Comparison::Same)
        }
        (TokenChange::Clear, TokenChange::Keep) => after.token.is_none(),
        (TokenChange::Set(_) | TokenChange::Clear, _) => false,
    };
    has_fields && has_token
}
