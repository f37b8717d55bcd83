//! The phases of an apply: concurrency, and the effect of failures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::earlier::Earlier;
use super::hold::Held;
use super::list_refresher::ListRefresher;
use super::options::{ApplyOptions, RunContext};
use super::pending::Unsettled;
use super::progress::{ApplyEvent, Listener};
use super::step::Steps;
use super::stop_gate::StopGate;
use crate::report::{ActionResult, Duplicate, Outcome, SyncReport};
use hookctl_api::{WebhookApi, observe_expected};
use hookctl_core::plan::{Action, Phase, Plan, PlannedAction};
use hookctl_core::record::{After, Journal, JournalError, Settlement};
use hookctl_core::state::{ObservedState, ObservedWebhook};
use hookctl_core::webhook::{RemoteId, normal_name};

/// The number of actions in progress for each one that may send. The others wait for the record, so that many intents and
/// settlements share one write to the disk.
const UNDER_WAY: usize = 32;

/// The state that the plan is based on.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The observed webhooks.
    pub observed: &'a ObservedState,
    /// The actions to hold back.
    pub held: &'a Held,
    /// The earlier writes that may still take effect.
    pub unsettled: &'a [Unsettled],
}

/// Applies a plan.
///
/// # Cancel safety
/// If the future is dropped, requests that were sent stay pending in the journal, and may still take effect. A later list
/// settles them.
///
/// # Errors
/// Returns [`JournalError`] if records to refresh could not be written, before anything is sent. Every other failure is in
/// the report.
pub async fn apply<A: WebhookApi, J: Journal>(
    plan: &Plan,
    seen: Seen<'_>,
    api: &A,
    journal: &J,
    context: &RunContext<'_>,
    options: &ApplyOptions<'_>,
    listener: &dyn Listener,
) -> Result<SyncReport, JournalError> {
    let Seen {
        observed,
        held,
        unsettled,
    } = seen;
    let earlier = Earlier::new(unsettled);
    let refreshed = plan.refresh.iter().filter_map(|refresh| {
        let mut record = refresh.record.clone();
        if let Some(token) = held.tokens.get(&refresh.key) {
            // Without a fingerprint, the record stays as it is.
            record.token = Some(token.clone()?);
        }
        Some(journal.settle(Settlement {
            key: refresh.key.clone(),
            after: After::Record(Box::new(record)),
            history: None,
            lingering: earlier.of_key(&refresh.key).map(Box::new),
        }))
    });
    futures_util::future::try_join_all(refreshed).await?;
    let steps = Steps {
        api,
        journal,
        context,
        options,
        provenance: options
            .provenance
            .filter(|_| !plan.actions.is_empty())
            .and_then(|tell| tell()),
        known: Mutex::new(observed.ids().cloned().collect()),
        named: by_name(observed),
        earlier,
        contested: &held.contested,
        refresher: ListRefresher::default(),
        stop_gate: StopGate::new(context.cancellation.clone(), options.grace),
        sending: Semaphore::new(options.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
    };
    let run = Run {
        steps,
        held,
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
        let results = run.phase(phase).await;
        if phase
            .first()
            .is_some_and(|first| first.action.phase() == Phase::Create)
        {
            report.duplicates = run.duplicates(&results).await;
        }
        report.results.extend(results);
    }
    report.stopped = run.steps.stop_gate.is_stopped();
    Ok(report)
}

struct Run<'a, A, J> {
    steps: Steps<'a, A, J>,
    held: &'a Held,
    listener: &'a dyn Listener,
}

impl<A: WebhookApi, J: Journal> Run<'_, A, J> {
    /// Runs the actions of a phase concurrently, and returns their results in the order of the plan.
    async fn phase(&self, actions: &[Arc<PlannedAction>]) -> Vec<ActionResult> {
        let concurrency = self.steps.options.concurrency.max(1);
        let mut waiting = lanes(actions).into_iter();
        let first = waiting.by_ref().take(concurrency.saturating_mul(UNDER_WAY));
        let mut running: FuturesUnordered<_> = first.map(|lane| self.lane(lane)).collect();
        let mut results = Vec::with_capacity(actions.len());
        while let Some(ended) = running.next().await {
            results.extend(ended);
            running.extend(waiting.next().map(|lane| self.lane(lane)));
        }
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Runs actions one after another.
    async fn lane(&self, lane: Vec<(usize, &Arc<PlannedAction>)>) -> Vec<(usize, ActionResult)> {
        let mut results = Vec::with_capacity(lane.len());
        for (index, planned) in lane {
            results.push((index, self.one(planned).await));
        }
        results
    }

    /// Finds duplicates in a fresh list that another writer created at the same time.
    async fn duplicates(&self, results: &[ActionResult]) -> Vec<Duplicate> {
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
        if made.is_empty() || self.steps.stop_gate.is_stopped() {
            return Vec::new();
        }
        let known = self.steps.known_ids();
        let listed = tokio::select! {
            biased;
            () = self.steps.stop_gate.stopped() => return Vec::new(),
            listed = observe_expected(self.steps.api, known.len()) => listed,
        };
        let fresh = match listed {
            Ok(listing) => listing.observed,
            Err(error) => {
                tracing::warn!(%error, "could not check for duplicates");
                return Vec::new();
            }
        };
        let mut new_by_name: HashMap<String, Vec<&ObservedWebhook>> = HashMap::new();
        for webhook in fresh.webhooks.values() {
            if !known.contains(&webhook.id) {
                let same_name = new_by_name.entry(normal_name(&webhook.spec.name));
                same_name.or_default().push(webhook);
            }
        }
        let mut duplicates = Vec::new();
        for (key, id, spec) in made {
            let same_name = new_by_name.get(&normal_name(&spec.name));
            for webhook in same_name.into_iter().flatten() {
                if spec.looks_like(&webhook.spec) {
                    duplicates.push(Duplicate {
                        key: key.clone(),
                        id: id.clone(),
                        duplicate: webhook.id.clone(),
                    });
                }
            }
        }
        duplicates
    }

    async fn one(&self, planned: &Arc<PlannedAction>) -> ActionResult {
        let phase = planned.action.phase();
        let outcome = if self.held.keys.contains(&planned.key) {
            // The action may replace a webhook that a later phase deletes.
            self.steps.stop_gate.failed(phase, false);
            Outcome::Held
        } else if self.steps.stop_gate.lets_pass(phase) {
            match self.steps.take(planned).await {
                Ok(outcome) => outcome,
                Err(error) => error.into(),
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

/// Returns the observed ids by normal name.
fn by_name(observed: &ObservedState) -> HashMap<String, Vec<RemoteId>> {
    let mut named: HashMap<String, Vec<RemoteId>> = HashMap::new();
    for webhook in observed.webhooks.values() {
        let same_name = named.entry(normal_name(&webhook.spec.name)).or_default();
        same_name.push(webhook.id.clone());
    }
    named
}

/// Splits the actions of a phase, each with its index, into lanes that may run concurrently.
///
/// Creates of the same name share a lane. If two of them got no response at the same time, the list could not show which
/// of them created which webhook.
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
