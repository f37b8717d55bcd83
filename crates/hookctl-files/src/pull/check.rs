//! Compares the states before and after a pull.

use std::collections::{BTreeMap, BTreeSet};

use super::reason::Reason;
use hookctl_core::plan::{Change, Plan, PlannedAction};
use hookctl_core::state::{AbsentWebhook, DesiredState, DesiredWebhook};
use hookctl_core::webhook::{Field, Key};

/// Checks that the desired states differ in the pulled fields only, and that the new plan lacks exactly their changes.
/// Locations are not compared, since lines may have moved.
///
/// # Errors
/// Returns [`Reason::Invalid`] with the first difference.
pub(super) fn check(
    (desired, plan): (&DesiredState, &Plan),
    (new_desired, new_plan): (&DesiredState, &Plan),
    pulled: &BTreeSet<(Key, Field)>,
) -> Result<(), Reason> {
    let other = |key: &Key| Reason::Invalid {
        why: format!("the declaration of '{key}' would change"),
    };
    if !desired.keys().eq(new_desired.keys()) {
        return Err(Reason::Invalid {
            why: "the declared keys would change".to_owned(),
        });
    }
    let pairs = desired.webhooks.iter().zip(&new_desired.webhooks);
    for ((key, old), (_, new)) in pairs {
        let fields = Field::ALL.into_iter();
        let fields = fields.filter(|field| pulled.contains(&(key.clone(), *field)));
        if !same_webhook(old, new, fields) {
            return Err(other(key));
        }
    }
    for (old, new) in [
        (&desired.absent, &new_desired.absent),
        (&desired.released, &new_desired.released),
    ] {
        let mut pairs = old.iter().zip(new);
        if let Some(((key, _), _)) = pairs.find(|((_, old), (_, new))| !same_named(old, new)) {
            return Err(other(key));
        }
    }
    same_plan(plan, new_plan, pulled)
}

fn same_webhook(
    old: &DesiredWebhook,
    new: &DesiredWebhook,
    pulled: impl Iterator<Item = Field>,
) -> bool {
    let mut expected = old.clone();
    expected.origin.clone_from(&new.origin);
    for field in pulled {
        expected.spec.copy_field(&new.spec, field);
    }
    expected == *new
}

fn same_named(old: &AbsentWebhook, new: &AbsentWebhook) -> bool {
    let expected = AbsentWebhook {
        origin: new.origin.clone(),
        ..old.clone()
    };
    expected == *new
}

fn same_plan(old: &Plan, new: &Plan, pulled: &BTreeSet<(Key, Field)>) -> Result<(), Reason> {
    let differs = |key: &Key| Reason::Invalid {
        why: format!("the plan for '{key}' would differ"),
    };
    let keys: BTreeSet<&Key> = pulled.iter().map(|(key, _)| key).collect();
    let mut left: BTreeMap<&Key, &PlannedAction> = new
        .actions
        .iter()
        .map(|planned| (&planned.key, &**planned))
        .collect();
    for before in &old.actions {
        let key = &before.key;
        let after = left.remove(key);
        let is_same = if keys.contains(key) {
            let expected: Vec<&Change> = before
                .changes
                .iter()
                .filter(|change| !is_pulled(key, change, pulled))
                .collect();
            let changes: Vec<&Change> = after.iter().flat_map(|after| &after.changes).collect();
            let patch = after.and_then(|after| after.action.patch());
            expected == changes && (patch.is_none() == changes.is_empty())
        } else {
            after.is_some_and(|after| {
                after.action == before.action && after.changes == before.changes
            })
        };
        if !is_same {
            return Err(differs(key));
        }
    }
    if let Some(key) = left.into_keys().next() {
        return Err(differs(key));
    }
    let are_same = old.orphans == new.orphans
        && old.unmanaged == new.unmanaged
        && old.released == new.released
        && old.not_selected == new.not_selected;
    if are_same {
        Ok(())
    } else {
        Err(Reason::Invalid {
            why: "the plan for other webhooks would differ".to_owned(),
        })
    }
}

fn is_pulled(key: &Key, change: &Change, pulled: &BTreeSet<(Key, Field)>) -> bool {
    match change {
        Change::Field { field, .. } => pulled.contains(&(key.clone(), *field)),
        Change::Token { .. } => false,
    }
}
