//! The phases of an apply: what runs side by side, and what stops what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::brake::Brake;
use super::looks::Looks;
use super::progress::{ApplyEvent, Listener};
use super::step::Steps;
use crate::plan::{Action, Phase, Plan, PlannedAction};
use crate::record::{
    ActionResult, After, Journal, JournalError, Outcome, Provenance, Settlement, SyncReport, Twin,
};
use crate::remote::{WebhookApi, observe};
use crate::secret::Secrets;
use crate::state::{ObservedState, ObservedWebhook};
use crate::webhook::normal_name;

/// How many actions are under way for each that may send. The others wait for the record: what waits
/// together is made durable together, so that many small waits for the disk become few.
const UNDER_WAY: usize = 32;

/// How a plan is applied.
pub struct ApplyOptions<'a> {
    /// How many actions send at once, at most; at least 1. The API client may hold back more.
    pub concurrency: usize,
    /// The time, in RFC 3339, for the history.
    pub now: &'a (dyn Fn() -> String + Send + Sync),
    /// Tells the Git commit of the files, for the history. Asked once, and only if there is an action.
    pub provenance: Option<&'a (dyn Fn() -> Option<Provenance> + Send + Sync)>,
    /// Once cancelled, nothing new starts; what is in flight is settled and recorded.
    pub cancellation: CancellationToken,
}

/// Applies a plan that was made from `observed`.
///
/// # Errors
/// [`JournalError`] if the records that are merely out of date could not be written; nothing was sent
/// then. Every other failure is in the report.
pub async fn apply<A: WebhookApi, J: Journal>(
    plan: &Plan,
    observed: &ObservedState,
    secrets: &Secrets,
    api: &A,
    journal: &J,
    options: &ApplyOptions<'_>,
    listener: &dyn Listener,
) -> Result<SyncReport, JournalError> {
    let refreshed = plan.refresh.iter().map(|refresh| {
        journal.settle(Settlement {
            key: refresh.key.clone(),
            after: After::Record(Box::new(refresh.record.clone())),
            history: None,
        })
    });
    futures_util::future::try_join_all(refreshed).await?;
    let steps = Steps {
        api,
        journal,
        secrets,
        options,
        provenance: options
            .provenance
            .filter(|_| !plan.actions.is_empty())
            .and_then(|tell| tell()),
        known: Mutex::new(observed.webhooks.keys().cloned().collect()),
        looks: Looks::default(),
        brake: Brake::new(options.cancellation.clone()),
        sending: Semaphore::new(options.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
    };
    let run = Run { steps, listener };
    listener.on(ApplyEvent::Started {
        actions: plan.actions.len(),
    });
    let mut report = SyncReport::default();
    for phase in plan
        .actions
        .chunk_by(|one, other| one.action.phase() == other.action.phase())
    {
        let results = run.phase(phase).await;
        if phase
            .first()
            .is_some_and(|first| first.action.phase() == Phase::Create)
        {
            report.twins = run.twins(&results).await;
        }
        report.results.extend(results);
    }
    Ok(report)
}

struct Run<'a, A, J> {
    steps: Steps<'a, A, J>,
    listener: &'a dyn Listener,
}

impl<A: WebhookApi, J: Journal> Run<'_, A, J> {
    /// Runs the actions of one phase side by side and returns their results in the plan's order.
    async fn phase(&self, actions: &[Arc<PlannedAction>]) -> Vec<ActionResult> {
        let mut results: Vec<(usize, ActionResult)> = futures_util::stream::iter(lanes(actions))
            .map(|lane| async move {
                let mut results = Vec::with_capacity(lane.len());
                for (index, planned) in lane {
                    results.push((index, self.one(planned).await));
                }
                results
            })
            .buffer_unordered(
                self.steps
                    .options
                    .concurrency
                    .max(1)
                    .saturating_mul(UNDER_WAY),
            )
            .flat_map(futures_util::stream::iter)
            .collect()
            .await;
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Looks in a fresh list for what somebody else made while we made the same.
    async fn twins(&self, results: &[ActionResult]) -> Vec<Twin> {
        let made: Vec<_> = results
            .iter()
            .filter_map(|result| match (&result.outcome, &result.planned.action) {
                (
                    Outcome::Applied { id, .. },
                    Action::Create(creation) | Action::Recreate { creation, .. },
                ) => Some((&result.planned.key, id, &creation.spec)),
                _ => None,
            })
            .collect();
        if made.is_empty() || self.steps.brake.is_stopped() {
            return Vec::new();
        }
        let fresh = match observe(self.steps.api).await {
            Ok(listing) => listing.observed,
            Err(error) => {
                tracing::warn!(%error, "could not look whether somebody else made the same");
                return Vec::new();
            }
        };
        let known = self.steps.known_ids();
        let mut new_by_name: HashMap<String, Vec<&ObservedWebhook>> = HashMap::new();
        for webhook in fresh.webhooks.values() {
            if !known.contains(&webhook.id) {
                let same_name = new_by_name.entry(normal_name(&webhook.spec.name));
                same_name.or_default().push(webhook);
            }
        }
        let mut twins = Vec::new();
        for (key, id, spec) in made {
            let same_name = new_by_name.get(&normal_name(&spec.name));
            for webhook in same_name.into_iter().flatten() {
                if spec.looks_like(&webhook.spec) {
                    twins.push(Twin {
                        key: key.clone(),
                        id: id.clone(),
                        twin: webhook.id.clone(),
                    });
                }
            }
        }
        twins
    }

    async fn one(&self, planned: &Arc<PlannedAction>) -> ActionResult {
        let outcome = if self.steps.brake.lets_pass(planned.action.phase()) {
            match self.steps.take(planned).await {
                Ok(outcome) => outcome,
                Err(error) => error.into_outcome(),
            }
        } else {
            Outcome::NotAttempted
        };
        self.listener.on(ApplyEvent::Ended {
            planned,
            outcome: &outcome,
        });
        ActionResult {
            planned: Arc::clone(planned),
            outcome,
        }
    }
}

/// The actions of a phase, each with its place in it, in lanes that may run side by side. Creates of one
/// name share a lane: were two of them under way at once without an answer, the list could not tell
/// which of them had made what.
fn lanes(actions: &[Arc<PlannedAction>]) -> Vec<Vec<(usize, &Arc<PlannedAction>)>> {
    let mut lanes: Vec<Vec<(usize, &Arc<PlannedAction>)>> = Vec::new();
    let mut lane_of = HashMap::new();
    for (index, planned) in actions.iter().enumerate() {
        let lane = match planned.action.phase() {
            Phase::Create => *lane_of
                .entry(normal_name(&planned.name))
                .or_insert(lanes.len()),
            _ => lanes.len(),
        };
        match lanes.get_mut(lane) {
            Some(lane) => lane.push((index, planned)),
            None => lanes.push(vec![(index, planned)]),
        }
    }
    lanes
}
