//! One session with an open record: rounds of listing, planning, and applying.

use std::borrow::Cow;
use std::sync::Arc;

use super::{
    MAX_ROUNDS, Pass, PassError, PassReport, Planned, Records, Remembered, Review, Verdict, Waits,
};
use crate::apply::{Listener, Seen, Settled, apply, hold, settle_pending};
use crate::clock::Stamp;
use crate::plan::{Action, Plan, PlannedAction, plan, safety};
use crate::record::{After, Intent, Outcome, Remark, SyncReport};
use crate::remote::{Listing, ObserveError, WebhookApi, observe, observe_absences};
use crate::state::ObservedState;
use crate::webhook::RemoteId;

/// Reads the list, settles by it what is pending, makes the plan, and checks it. Writes nothing.
///
/// # Errors
/// [`PassError`]
pub async fn prepare<A: WebhookApi>(
    pass: &Pass<'_, A>,
    remembered: &Remembered,
) -> Result<Planned, PassError> {
    // What takes effect while a list is read may be missing from it: it tells of the moment that it began.
    let began = pass.options.clock.now();
    let listing = unless_cancelled(pass, observe(pass.api)).await?;
    let pages = listing.pages;
    let planned = planned(pass, remembered, listing.observed, &began)?;
    // What is missing from a list of several pages may have slipped from one to another.
    let relies_on_absences = planned.plan.relies_on_absences() || !remembered.pending.is_empty();
    let planned = if pages > 1 && relies_on_absences {
        let first = Listing {
            observed: planned.observed,
            pages,
        };
        let began = pass.options.clock.now();
        let stable = unless_cancelled(pass, observe_absences(pass.api, first)).await?;
        self::planned(pass, remembered, stable.observed, &began)?
    } else {
        planned
    };
    match safety::check(&planned.plan, pass.desired, &pass.limits, pass.overrides) {
        Ok(()) => Ok(planned),
        Err(refusal) => Err(PassError::Refused {
            plan: Box::new(planned.plan),
            refusal,
        }),
    }
}

/// Reads a list, and gives it up at a cancellation.
async fn unless_cancelled<A>(
    pass: &Pass<'_, A>,
    list: impl Future<Output = Result<Listing, ObserveError>>,
) -> Result<Listing, PassError> {
    tokio::select! {
        biased;
        () = pass.options.cancellation.cancelled() => Err(PassError::Interrupted),
        listing = list => listing.map_err(PassError::Observe),
    }
}

fn planned<A>(
    pass: &Pass<'_, A>,
    remembered: &Remembered,
    observed: ObservedState,
    began: &Stamp,
) -> Result<Planned, PassError> {
    let Remembered {
        last_applied,
        pending,
    } = remembered;
    let settled = settle_pending(
        pending,
        pass.desired,
        last_applied,
        &observed,
        began,
        pass.options.horizon,
    )
    .map_err(PassError::Undecided)?;
    let mut last_applied = Cow::Borrowed(last_applied);
    if !settled.changes_nothing() {
        settled.apply_to(last_applied.to_mut());
    }
    let plan =
        plan(pass.desired, &observed, &last_applied, pass.policy).map_err(PassError::Plan)?;
    let held = hold(&plan, &settled.unsettled, pass.settle);
    Ok(Planned {
        observed,
        settled,
        held,
        plan,
    })
}

/// What rounds hand on to the next, also to those of a later session.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What was done so far.
    pub(super) done: Option<PassReport>,
    /// The actions that a review let pass.
    approved: Vec<Arc<PlannedAction>>,
}

impl Progress {
    /// Whether a plan holds nothing but what a review let pass before.
    fn has_approved(&self, plan: &Plan) -> bool {
        let is_known = |planned: &Arc<PlannedAction>| {
            self.approved
                .iter()
                .any(|known| known.key == planned.key && known.action == planned.action)
        };
        plan.actions.iter().all(is_known)
    }
}

/// Runs one pass in one session: what may still take effect in the end is reported, not waited for. `review` is
/// shown each round's plan and says whether to apply it.
///
/// # Errors
/// [`PassError`] if nothing, or nothing certain, was written. Failures of single actions are in the
/// report.
pub async fn reconcile<A: WebhookApi, R: Records>(
    pass: &Pass<'_, A>,
    records: &R,
    listener: &dyn Listener,
    review: &mut impl Review,
) -> Result<PassReport, PassError> {
    let mut progress = Progress::default();
    rounds(pass, records, listener, review, &mut progress).await?;
    finished(progress)
}

/// What was done.
pub(super) fn finished(progress: Progress) -> Result<PassReport, PassError> {
    let done = progress.done;
    done.ok_or_else(|| PassError::Records("no round was run".into()))
}

/// Runs rounds until none is needed, or none may help. Returns whether the plan was left.
pub(super) async fn rounds<A: WebhookApi, R: Records>(
    pass: &Pass<'_, A>,
    records: &R,
    listener: &dyn Listener,
    review: &mut impl Review,
    progress: &mut Progress,
) -> Result<Verdict, PassError> {
    for _ in 0..MAX_ROUNDS {
        let remembered = records.remembered().map_err(PassError::Records)?;
        let mut planned = match prepare(pass, &remembered).await {
            Ok(planned) => planned,
            Err(error) => {
                // What was done before is done, and has to be told.
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
        let report = round(pass, records, listener, &planned).await?;
        let again = report.asks_for_another_round() && !pass.options.cancellation.is_cancelled();
        merge(&mut progress.done, pass, planned, report, again);
        if !again {
            break;
        }
    }
    Ok(Verdict::Apply)
}

/// Records what the list settled, and applies the plan.
async fn round<A: WebhookApi, R: Records>(
    pass: &Pass<'_, A>,
    records: &R,
    listener: &dyn Listener,
    planned: &Planned,
) -> Result<SyncReport, PassError> {
    let settlements = planned.settled.settlements.iter().cloned();
    let settled = settlements.map(|settlement| records.settle(settlement));
    futures_util::future::try_join_all(settled)
        .await
        .map_err(PassError::Journal)?;
    let now = pass.options.clock.now();
    let first_sights = planned.settled.unsettled.iter();
    let first_sights = first_sights.filter(|one| one.remaining.first_sight);
    let written = first_sights.map(|one| {
        records.intend(Intent {
            first_seen: Some(now.clone()),
            ..one.intent.clone()
        })
    });
    futures_util::future::try_join_all(written)
        .await
        .map_err(PassError::Journal)?;
    records
        .keep_observed(&now.at.to_string(), &planned.observed)
        .map_err(PassError::Records)?;
    apply(
        &planned.plan,
        Seen {
            observed: &planned.observed,
            held: &planned.held,
            unsettled: &planned.settled.unsettled,
        },
        pass.secrets,
        pass.api,
        records,
        &pass.options,
        listener,
    )
    .await
    .map_err(PassError::Journal)
}

/// Adds a round to the rounds before it: an action that was planned again counts as it ended last, and one that
/// was pending and needs nothing any more took effect.
fn merge<A>(
    done: &mut Option<PassReport>,
    pass: &Pass<'_, A>,
    planned: Planned,
    report: SyncReport,
    contested: bool,
) {
    let waits = waits(pass, &planned, &report);
    let Some(merged) = done else {
        *done = Some(PassReport {
            report: Some(report),
            contested,
            waits,
            ..PassReport::left(planned.plan)
        });
        return;
    };
    let results = merged.report.get_or_insert_default();
    for earlier in &mut results.results {
        let is_pending = matches!(earlier.outcome, Outcome::Pending { .. });
        let is_open = |key| {
            waits
                .as_ref()
                .is_some_and(|waits: &Waits| waits.keys.contains(key))
        };
        if is_pending
            && !is_open(&earlier.planned.key)
            && let Some(id) = found(&earlier.planned, &planned.settled)
        {
            earlier.outcome = Outcome::Applied {
                id,
                remarks: vec![Remark::FoundAfterNoAnswer],
            };
        }
    }
    for result in report.results {
        let superseded = results.results.iter_mut().find(|earlier| {
            earlier.planned.key == result.planned.key
                && !matches!(earlier.outcome, Outcome::Applied { .. })
        });
        match superseded {
            Some(earlier) => *earlier = result,
            None => results.results.push(result),
        }
    }
    results.twins.extend(report.twins);
    merged.rounds += 1;
    merged.contested = contested;
    merged.waits = waits;
}

/// The webhook of an action that was pending and is settled now.
fn found(planned: &PlannedAction, settled: &Settled) -> Option<RemoteId> {
    let settlement = settled
        .settlements
        .iter()
        .find(|settlement| settlement.key == planned.key);
    match settlement.map(|settlement| &settlement.after) {
        Some(After::Record(record)) => Some(record.id.clone()),
        _ => planned.id().cloned(),
    }
}

/// What is waited for after a round: what held actions back, and creates whose outcome is not known.
fn waits<A>(pass: &Pass<'_, A>, planned: &Planned, report: &SyncReport) -> Option<Waits> {
    let mut waits = Waits {
        keys: planned.held.waits_for.clone(),
        remaining: planned.held.remaining,
    };
    for result in &report.results {
        let is_create = matches!(
            result.planned.action,
            Action::Create(_) | Action::Recreate { .. }
        );
        if is_create
            && matches!(result.outcome, Outcome::Pending { .. })
            && !planned.held.keys.contains(&result.planned.key)
        {
            waits.keys.insert(result.planned.key.clone());
            waits.remaining = waits.remaining.max(pass.options.horizon.whole());
        }
    }
    (!waits.keys.is_empty()).then_some(waits)
}
