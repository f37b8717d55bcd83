//! The phases of an apply: what runs side by side, and what stops what.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::progress::{ApplyEvent, Listener};
use super::step::{StepError, Steps};
use crate::plan::{Phase, Plan, PlannedAction};
use crate::record::{
    ActionResult, Journal, JournalError, Outcome, Provenance, Settlement, SyncReport,
};
use crate::remote::WebhookApi;
use crate::secret::Secrets;
use crate::state::ObservedState;

/// How a plan is applied.
pub struct ApplyOptions<'a> {
    /// How many actions are under way at once, at most; at least 1. The API client may hold back more.
    pub concurrency: usize,
    /// The time, in RFC 3339, for the history.
    pub now: &'a (dyn Fn() -> String + Send + Sync),
    /// The Git commit of the files, for the history.
    pub provenance: Option<Provenance>,
    /// Once cancelled, nothing new starts; what is in flight is settled and recorded.
    pub cancellation: CancellationToken,
}

/// Applies a plan that was made from `observed`.
///
/// # Errors
/// [`JournalError`] if the records that are merely out of date could not be written; nothing was sent
/// then. Every other failure is in the report.
pub async fn apply<A: WebhookApi, J: Journal + ?Sized>(
    plan: &Plan,
    observed: &ObservedState,
    secrets: &Secrets,
    api: &A,
    journal: &J,
    options: &ApplyOptions<'_>,
    listener: &dyn Listener,
) -> Result<SyncReport, JournalError> {
    let refreshed: Vec<Settlement> = plan
        .refresh
        .iter()
        .map(|refresh| Settlement {
            key: refresh.key.clone(),
            record: Some(refresh.record.clone()),
            history: None,
        })
        .collect();
    if !refreshed.is_empty() {
        journal.settle_all(&refreshed)?;
    }
    let steps = Steps {
        api,
        journal,
        secrets,
        options,
        known: Mutex::new(observed.webhooks.keys().cloned().collect()),
    };
    let run = Run {
        steps,
        stopped: AtomicBool::new(false),
        subscribers_missing: AtomicBool::new(false),
        listener,
    };
    listener.on(ApplyEvent::Started {
        actions: plan.actions.len(),
    });
    let mut report = SyncReport::default();
    for phase in plan
        .actions
        .chunk_by(|one, other| one.action.phase() == other.action.phase())
    {
        report.results.extend(run.phase(phase).await);
    }
    Ok(report)
}

struct Run<'a, A, J: ?Sized> {
    steps: Steps<'a, A, J>,
    /// Whether nothing new may start.
    stopped: AtomicBool,
    /// Whether a create or an update failed, so that nothing may be deleted.
    subscribers_missing: AtomicBool,
    listener: &'a dyn Listener,
}

impl<A: WebhookApi, J: Journal + ?Sized> Run<'_, A, J> {
    /// Runs the actions of one phase side by side and returns their results in the plan's order.
    async fn phase(&self, actions: &[PlannedAction]) -> Vec<ActionResult> {
        let mut results: Vec<(usize, ActionResult)> = futures_util::stream::iter(actions)
            .enumerate()
            .map(|(index, planned)| async move { (index, self.one(planned).await) })
            .buffer_unordered(self.steps.options.concurrency.max(1))
            .collect()
            .await;
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    async fn one(&self, planned: &PlannedAction) -> ActionResult {
        let outcome = if self.may_start(planned) {
            match self.steps.take(planned).await {
                Ok(outcome) => outcome,
                Err(error) => self.failed(planned, error),
            }
        } else {
            Outcome::NotAttempted
        };
        self.listener.on(ApplyEvent::Ended {
            planned,
            outcome: &outcome,
        });
        ActionResult {
            planned: planned.clone(),
            outcome,
        }
    }

    fn may_start(&self, planned: &PlannedAction) -> bool {
        let stopped =
            self.stopped.load(Ordering::SeqCst) || self.steps.options.cancellation.is_cancelled();
        let deletes = planned.action.phase() == Phase::Delete;
        let held_back = deletes && self.subscribers_missing.load(Ordering::SeqCst);
        !stopped && !held_back
    }

    fn failed(&self, planned: &PlannedAction, error: StepError) -> Outcome {
        if error.stops_everything() {
            self.stopped.store(true, Ordering::SeqCst);
        }
        if matches!(planned.action.phase(), Phase::Create | Phase::Update) {
            self.subscribers_missing.store(true, Ordering::SeqCst);
        }
        error.into_outcome()
    }
}
