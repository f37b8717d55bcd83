//! The status of each webhook after a pass of a watch: the plan, with what came of it, and the verdicts on what it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change_verdict::ChangeVerdict;
use super::status::{Held, StatusDocument, StatusRow, of_action, settled, sort};
use crate::plan::{Action, DeletionReason, ForgetReason, Plan, PlannedAction};
use crate::report::{ActionResult, Outcome};
use crate::state::LastApplied;
use crate::verify::Verdict;
use crate::webhook::Key;

/// A pass that ended.
#[derive(Clone, Copy, Debug)]
pub struct EndedPass<'a> {
    /// The plan of its first round.
    pub plan: &'a Plan,
    /// The results of all rounds, in their order.
    pub results: &'a [ActionResult],
    /// The drift that it did not correct. Not part of the plan.
    pub left: &'a [Arc<PlannedAction>],
    /// The webhooks that it left alone, since another writer keeps changing them. Not part of the plan.
    pub held: &'a BTreeSet<Key>,
}

impl StatusDocument {
    /// Creates the document of a pass and the record after it, without deliveries.
    pub fn after_pass(target: &str, pass: EndedPass<'_>, remembered: &LastApplied) -> Self {
        let mut document = Self::new(target, pass.plan, remembered);
        let mut rows: BTreeMap<String, Option<StatusRow>> = BTreeMap::new();
        for planned in pass.left {
            rows.insert(planned.key.to_string(), Some(of_action(planned)));
        }
        // A later round may have another result.
        for result in pass.results {
            let key = &result.planned.key;
            rows.insert(key.to_string(), of_result(result, remembered));
        }
        for key in pass.held {
            let row = StatusRow {
                status: "held",
                held: Some(Held::Contested),
                ..settled(key, remembered)
            };
            rows.insert(key.to_string(), Some(row));
        }
        let webhooks = &mut document.webhooks;
        webhooks.retain(|row| row.key.as_ref().is_none_or(|key| !rows.contains_key(key)));
        webhooks.extend(rows.into_values().flatten());
        sort(webhooks);
        document
    }

    /// Adds the verdicts on the last changes, as a watch that verifies them knows them.
    pub fn add_verdicts(&mut self, verdicts: &BTreeMap<Key, ChangeVerdict>) {
        let mut counts: BTreeMap<&'static str, usize> = Verdict::NAMES.map(|name| (name, 0)).into();
        for row in &mut self.webhooks {
            let Some(verdict) = verdict_on(row, verdicts) else {
                continue;
            };
            *counts.entry(verdict.verdict).or_default() += 1;
            row.verification = Some(verdict.clone());
        }
        self.verdicts = Some(counts);
    }

    /// Returns the keys of the webhooks.
    pub fn keys(&self) -> BTreeSet<&str> {
        let rows = self.webhooks.iter();
        rows.filter_map(|row| row.key.as_deref()).collect()
    }

    /// Returns the number of webhooks with a difference that a pass would correct.
    pub fn pending(&self) -> usize {
        let rows = self.webhooks.iter();
        rows.filter(|row| is_pending(row.status)).count()
    }
}

fn verdict_on<'a>(
    row: &StatusRow,
    verdicts: &'a BTreeMap<Key, ChangeVerdict>,
) -> Option<&'a ChangeVerdict> {
    verdicts.get(&Key::parse(row.key.as_deref()?).ok()?)
}

/// Returns whether a status stands for a difference that a pass would correct.
pub(super) fn is_pending(status: &str) -> bool {
    matches!(status, "edited" | "drifted" | "missing" | "held")
}

/// Returns the row of an action with a result; `None` if nothing is left of the webhook.
fn of_result(result: &ActionResult, remembered: &LastApplied) -> Option<StatusRow> {
    let planned = &result.planned;
    if !matches!(result.outcome, Outcome::Applied { .. }) {
        return Some(of_action(planned));
    }
    match &planned.action {
        Action::Create(_) | Action::Update(_) | Action::Adopt(_) | Action::Recreate { .. } => {
            Some(settled(&planned.key, remembered))
        }
        Action::Delete(deletion) => match deletion.reason {
            DeletionReason::Absent => Some(settled(&planned.key, remembered)),
            DeletionReason::Orphan => None,
        },
        Action::Forget { reason, .. } => match reason {
            ForgetReason::Released => Some(of_action(planned)),
            ForgetReason::Gone | ForgetReason::Moved => None,
        },
    }
}
