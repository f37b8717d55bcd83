//! One session with an open record: rounds of list, plan, and apply.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{MAX_ROUNDS, PassError, PassReport, PlanInputs, Planned, Review, Verdict, Waits};
use crate::apply::{ApplyOptions, Listener, Seen, Settled, Unsettled, apply, hold, settle_pending};
use crate::report::{Outcome, Remark, SyncReport};
use hookctl_api::{Listing, ObserveError, WebhookApi, observe_absences, observe_expected};
use hookctl_core::clock::Stamp;
use hookctl_core::plan::{Action, Plan, PlannedAction, plan, safety};
use hookctl_core::record::{After, Journal as _, Observation, Remembered};
use hookctl_core::state::{LastApplied, ObservedState};
use hookctl_core::webhook::{Key, RemoteId};
use hookctl_record::OpenRecord;

/// Reads the list, settles pending writes by it, plans, and checks the safety limits. Writes nothing, so the future may be
/// dropped at any point.
///
/// # Errors
/// [`PassError`]
pub async fn prepare<A: WebhookApi>(
    inputs: &PlanInputs<'_, A>,
    remembered: &Remembered,
) -> Result<Planned, PassError> {
    let prepared = prepared(inputs, remembered).await;
    prepared.map_err(|unplanned| unplanned.error)
}

/// A failure to plan, with what the list settled nevertheless.
struct Unplanned {
    settled: Option<Box<Settled>>,
    error: PassError,
}

impl From<PassError> for Unplanned {
    fn from(error: PassError) -> Self {
        Self {
            settled: None,
            error,
        }
    }
}

async fn prepared<A: WebhookApi>(
    inputs: &PlanInputs<'_, A>,
    remembered: &Remembered,
) -> Result<Planned, Unplanned> {
    // A write that takes effect while a list is read may be missing from it, so the list counts as of its start.
    let (began, listing) = if let Some((began, list)) = inputs.first_list.take() {
        (began, unless_cancelled(inputs, list).await?)
    } else {
        let began = inputs.context.clock.now();
        let list = observe_expected(inputs.api, remembered.last_applied.len());
        (began, unless_cancelled(inputs, list).await?)
    };
    let pages = listing.pages;
    let planned =
        planned(inputs, remembered, Arc::new(listing.observed), &began).map_err(|unplanned| {
            let settled = unplanned.settled.filter(|_| pages == 1);
            Unplanned {
                settled,
                ..unplanned
            }
        })?;
    // A webhook may slip between the pages of a list and be missing from it.
    let relies_on_absences = planned.plan.relies_on_absences() || !remembered.pending.is_empty();
    let planned = if pages > 1 && relies_on_absences {
        let first = Listing {
            observed: Arc::unwrap_or_clone(planned.observed),
            pages,
        };
        let began = inputs.context.clock.now();
        let stable = unless_cancelled(inputs, observe_absences(inputs.api, first)).await?;
        self::planned(inputs, remembered, Arc::new(stable.observed), &began)?
    } else {
        planned
    };
    match safety::check(
        &planned.plan,
        inputs.desired,
        &inputs.limits,
        inputs.overrides,
    ) {
        Ok(()) => Ok(planned),
        Err(refusal) => Err(Unplanned {
            settled: Some(Box::new(planned.settled)),
            error: PassError::Refused {
                plan: Box::new(planned.plan),
                refusal,
            },
        }),
    }
}

/// Reads a list unless the pass is cancelled.
async fn unless_cancelled<A>(
    inputs: &PlanInputs<'_, A>,
    list: impl Future<Output = Result<Listing, ObserveError>>,
) -> Result<Listing, PassError> {
    tokio::select! {
        biased;
        () = inputs.context.cancellation.cancelled() => Err(PassError::Interrupted),
        listing = list => listing.map_err(PassError::Observe),
    }
}

fn planned<A>(
    inputs: &PlanInputs<'_, A>,
    remembered: &Remembered,
    observed: Arc<ObservedState>,
    began: &Stamp,
) -> Result<Planned, Unplanned> {
    let Remembered {
        last_applied,
        pending,
    } = remembered;
    let settled = settle_pending(
        pending,
        inputs.desired,
        last_applied,
        &observed,
        began,
        inputs.context.horizon,
    )
    .map_err(PassError::Undecided)?;
    let mut last_applied = Cow::Borrowed(last_applied);
    if !settled.changes_nothing() {
        settled.apply_to(last_applied.to_mut());
    }
    let plan = match plan(inputs.desired, &observed, &last_applied, &inputs.policy) {
        Ok(plan) => plan,
        Err(problems) => {
            return Err(Unplanned {
                settled: Some(Box::new(settled)),
                error: PassError::Plan(problems),
            });
        }
    };
    let held = hold(
        &plan,
        &settled.unsettled,
        inputs.desired,
        &inputs.policy.only,
        inputs.settle,
    );
    Ok(Planned {
        observed,
        settled,
        held,
        plan,
    })
}

/// The state that rounds carry over to the next one, also across sessions.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The merged report of the rounds so far.
    pub(super) done: Option<PassReport>,
    /// The actions that a review approved.
    approved: Vec<Arc<PlannedAction>>,
}

impl Progress {
    /// Returns whether a review has already approved every action of a plan.
    fn has_approved(&self, plan: &Plan) -> bool {
        let is_known = |planned: &Arc<PlannedAction>| {
            self.approved
                .iter()
                .any(|known| known.key == planned.key && known.action == planned.action)
        };
        plan.actions.iter().all(is_known)
    }
}

/// Runs one pass in one session. It reports writes that may still take effect, and does not wait for them. `review`
/// decides about each round's plan.
///
/// # Cancel safety
/// The future may be dropped at any point, as in a crash: the next pass settles what was sent, and creates nothing twice.
/// The open record remains usable. Cancelling the token of the inputs instead settles requests in flight and returns a
/// report.
///
/// # Errors
/// [`PassError`] if nothing was written, or nothing that is certain. The report contains the failures of single
/// actions.
pub async fn reconcile<A: WebhookApi>(
    inputs: &PlanInputs<'_, A>,
    options: &ApplyOptions<'_>,
    record: &OpenRecord,
    listener: &dyn Listener,
    review: &mut impl Review,
) -> Result<PassReport, PassError> {
    let mut progress = Progress::default();
    rounds(inputs, options, record, listener, review, &mut progress).await?;
    finished(progress)
}

/// Returns the merged report, or [`PassError::Interrupted`] without one.
pub(super) fn finished(progress: Progress) -> Result<PassReport, PassError> {
    let done = progress.done;
    done.ok_or(PassError::Interrupted)
}

/// Runs rounds until no further one is needed or useful. Returns [`Verdict::Leave`] if the session must not continue.
pub(super) async fn rounds<A: WebhookApi>(
    inputs: &PlanInputs<'_, A>,
    options: &ApplyOptions<'_>,
    record: &OpenRecord,
    listener: &dyn Listener,
    review: &mut impl Review,
    progress: &mut Progress,
) -> Result<Verdict, PassError> {
    for _ in 0..MAX_ROUNDS {
        let remembered = record.remembered().await.map_err(PassError::Record)?;
        let mut planned = match prepared(inputs, &remembered).await {
            Ok(planned) => planned,
            Err(Unplanned { settled, error }) => {
                // Settlements stay true if the plan fails, and the next pass needs them.
                if let Some(settled) = settled
                    && begins(record, &settled).await?
                {
                    settle(record, &settled).await?;
                }
                // Earlier rounds had effects, which the report must contain.
                let Some(done) = &mut progress.done else {
                    return Err(error);
                };
                if !matches!(error, PassError::Interrupted) {
                    done.ended_by = Some(error);
                }
                return Ok(Verdict::Leave);
            }
        };
        let verdict = if progress.has_approved(&planned.plan) {
            Verdict::Apply
        } else {
            review.review(&mut planned.plan).await
        };
        if verdict == Verdict::Leave {
            progress.done.get_or_insert(PassReport::left(planned.plan));
            return Ok(Verdict::Leave);
        }
        progress
            .approved
            .extend(planned.plan.actions.iter().cloned());
        if needs_writer(&planned) && !record.begin().await.map_err(PassError::Record)? {
            // Another writer changed the record since it was read: the plan may not hold.
            continue;
        }
        let report = round(inputs, options, record, listener, &planned).await?;
        let stopped = report.stopped;
        let again = report.asks_for_another_round() && !stopped;
        merge(
            &mut progress.done,
            inputs,
            &remembered,
            planned,
            report,
            again,
        );
        if stopped {
            return Ok(Verdict::Leave);
        }
        if !again {
            break;
        }
    }
    Ok(Verdict::Apply)
}

/// Whether applying a plan writes to the record.
fn needs_writer(planned: &Planned) -> bool {
    let first_sights = planned.settled.unsettled.iter();
    !planned.plan.actions.is_empty()
        || !planned.settled.settlements.is_empty()
        || first_sights
            .into_iter()
            .any(|one| one.remaining.first_sight)
}

/// Becomes the writer if there is something to record. Returns whether it is still to be recorded.
async fn begins(record: &OpenRecord, settled: &Settled) -> Result<bool, PassError> {
    if settled.settlements.is_empty() {
        return Ok(false);
    }
    record.begin().await.map_err(PassError::Record)
}

/// Records the settlements of a list.
async fn settle(record: &OpenRecord, settled: &Settled) -> Result<(), PassError> {
    let settlements = settled.settlements.iter().cloned();
    let written = settlements.map(|settlement| record.settle(settlement));
    let written = futures_util::future::try_join_all(written).await;
    written.map(drop).map_err(PassError::Journal)
}

/// Records the settlements of a list, and applies the plan.
async fn round<A: WebhookApi>(
    inputs: &PlanInputs<'_, A>,
    options: &ApplyOptions<'_>,
    record: &OpenRecord,
    listener: &dyn Listener,
    planned: &Planned,
) -> Result<SyncReport, PassError> {
    settle(record, &planned.settled).await?;
    let now = inputs.context.clock.now();
    // Also for the writes that an action replaces: without it, the next pass would wait for them from the beginning.
    let unsettled = planned.settled.unsettled.iter().map(|one| Unsettled {
        intent: one.intent.clone().seen(&now, inputs.context.horizon),
        remaining: one.remaining,
    });
    let unsettled: Vec<_> = unsettled.collect();
    let first_sights = unsettled.iter().filter(|one| one.remaining.first_sight);
    let written = first_sights.map(|one| record.intend(one.intent.clone()));
    futures_util::future::try_join_all(written)
        .await
        .map_err(PassError::Journal)?;
    record.observe(Observation {
        at: now.at,
        observed: Arc::clone(&planned.observed),
    });
    apply(
        &planned.plan,
        Seen {
            observed: &planned.observed,
            held: &planned.held,
            unsettled: &unsettled,
        },
        inputs.api,
        record,
        &inputs.context,
        options,
        listener,
    )
    .await
    .map_err(PassError::Journal)
}

/// Merges a round into the report. An action that was planned again counts by its last outcome. A pending one that
/// needs no further action took effect.
fn merge<A>(
    done: &mut Option<PassReport>,
    inputs: &PlanInputs<'_, A>,
    remembered: &Remembered,
    planned: Planned,
    report: SyncReport,
    contested: bool,
) {
    let waits = waits(inputs, &planned, &report);
    let unwaited = planned.held.contested;
    let Some(merged) = done else {
        *done = Some(PassReport {
            report: Some(report),
            contested,
            waits,
            unwaited,
            ..PassReport::left(planned.plan)
        });
        return;
    };
    let results = merged.report.get_or_insert_default();
    let planned_again: BTreeSet<&Key> = report
        .results
        .iter()
        .map(|result| &result.planned.key)
        .collect();
    let is_open = |key: &Key| waits.as_ref().is_some_and(|waits| waits.keys.contains(key));
    results.results.retain_mut(|earlier| {
        let key = &earlier.planned.key;
        if planned_again.contains(key) || is_open(key) {
            return true;
        }
        if matches!(earlier.outcome, Outcome::Pending(_))
            && let Some(id) = found(&earlier.planned, &planned.settled, &remembered.last_applied)
        {
            earlier.outcome = Outcome::Applied {
                id,
                remarks: vec![Remark::FoundAfterNoAnswer],
            };
        }
        // The write that the action waited for left nothing to do.
        !matches!(earlier.outcome, Outcome::Held)
    });
    for result in report.results {
        let superseded = results.results.iter_mut().find(|earlier| {
            earlier.planned.key == result.planned.key
                && !matches!(earlier.outcome, Outcome::Applied { .. })
        });
        match superseded {
            // The earlier outcome is more specific: its request may still take effect.
            Some(earlier)
                if matches!(result.outcome, Outcome::Held)
                    && matches!(earlier.outcome, Outcome::Pending(_)) => {}
            Some(earlier) => *earlier = result,
            None => results.results.push(result),
        }
    }
    results.duplicates.extend(report.duplicates);
    results.stopped |= report.stopped;
    merged.rounds += 1;
    merged.contested = contested;
    merged.waits = waits;
    merged.unwaited.extend(unwaited);
}

/// Returns the webhook of an action that was pending and is now settled, by this run or another.
fn found(
    planned: &PlannedAction,
    settled: &Settled,
    last_applied: &LastApplied,
) -> Option<RemoteId> {
    let settlement = settled
        .settlements
        .iter()
        .find(|settlement| settlement.key == planned.key);
    if let Some(After::Record(record)) = settlement.map(|settlement| &settlement.after) {
        return Some(record.id.clone());
    }
    let bound = last_applied.get(&planned.key).map(|record| &record.id);
    planned.id().or(bound).cloned()
}

/// Returns what a round waits for: writes that held actions back, and creates with an unknown outcome.
fn waits<A>(inputs: &PlanInputs<'_, A>, planned: &Planned, report: &SyncReport) -> Option<Waits> {
    let mut waits = Waits {
        keys: planned.held.waits_for.clone(),
        remaining: planned.held.remaining,
    };
    for result in &report.results {
        let is_create = matches!(
            result.planned.action,
            Action::Create(_) | Action::Recreate { .. }
        );
        if is_create && matches!(result.outcome, Outcome::Pending(_)) {
            waits.keys.insert(result.planned.key.clone());
            waits.remaining = waits.remaining.max(inputs.context.horizon.whole());
        }
    }
    (!waits.keys.is_empty()).then_some(waits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only if a pass is `Send`.
    #[expect(dead_code, reason = "it only has to compile")]
    fn a_pass_can_be_spawned<A: WebhookApi, V: Review>(
        inputs: &PlanInputs<'_, A>,
        options: &ApplyOptions<'_>,
        record: &OpenRecord,
        listener: &dyn Listener,
        review: &mut V,
    ) {
        fn is_send(_: impl Send) {}
        is_send(prepare(inputs, &Remembered::default()));
        is_send(reconcile(inputs, options, record, listener, review));
    }
}
