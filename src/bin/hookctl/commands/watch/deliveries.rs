//! The verification of what a watch changes, beside its passes.
//!
//! One task reads deliveries at a time. A pass that changes something replaces it by one that continues with the webhooks
//! without a verdict, so that no pass ever waits for a delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookctl::plan::Action;
use hookctl::reconcile::PassReport;
use hookctl::record::HistoryLimits;
use hookctl::report::Outcome;
use hookctl::verify::{Verdict, Verified, VerifyOptions, verify};
use hookctl::webhook::Key;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::mask;
use crate::session::Session;
use crate::signals::cancellation;
use crate::verification::{changed_by, changes_of};

/// The verdicts on what a watch changed.
pub(super) struct Deliveries {
    /// How long to wait for the deliveries after a change; `None` verifies nothing.
    timeout: Option<Duration>,
    metrics: Arc<Metrics>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    target: String,
    /// The verdict on the last change of each webhook.
    verdicts: BTreeMap<Key, &'static str>,
    /// Ends the task that reads deliveries.
    task: CancellationToken,
}

impl Deliveries {
    pub(super) fn new(timeout: Option<Duration>, metrics: Arc<Metrics>) -> Self {
        Self {
            timeout,
            metrics,
            state: Arc::default(),
        }
    }

    /// Starts to verify what a pass changed. Returns at once.
    pub(super) fn passed(&self, report: &PassReport, session: &Session, target: &str) {
        let Some(timeout) = self.timeout else { return };
        let changed = changed_by(report);
        let (open, task) = {
            let mut state = locked(&self.state);
            if state.target != target {
                target.clone_into(&mut state.target);
                state.verdicts.clear();
            }
            for key in removed_by(report) {
                state.verdicts.remove(key);
            }
            for key in &changed {
                state
                    .verdicts
                    .insert(key.clone(), Verdict::Pending.as_str());
            }
            self.metrics.verdicts(state.verdicts.values().copied());
            if changed.is_empty() {
                return;
            }
            state.task.cancel();
            state.task = cancellation().child_token();
            let pending = state.verdicts.iter();
            let pending = pending.filter(|(_, verdict)| **verdict == Verdict::Pending.as_str());
            let open: BTreeSet<Key> = pending.map(|(key, _)| key.clone()).collect();
            (open, state.task.clone())
        };
        let (api, clock) = (session.shared_api(), Arc::clone(session.clock()));
        let record = session.record().clone();
        let (state, metrics) = (Arc::clone(&self.state), Arc::clone(&self.metrics));
        let target = target.to_owned();
        tokio::spawn(async move {
            let newest = HistoryLimits::default().max_entries;
            let newest = usize::try_from(newest).unwrap_or(usize::MAX);
            let last = match changes_of(&open, newest, &record).await {
                Ok(last) => last,
                Err(error) => {
                    let error = mask::masked(&error.to_string());
                    tracing::warn!(target, error, "could not verify the changes");
                    return;
                }
            };
            let options = VerifyOptions {
                timeout,
                require_traffic: false,
                retry_failed: false,
                cancellation: task.clone(),
            };
            let verification = verify(&*api, last, &options, &clock, &|_| {}).await;
            let mut state = locked(&state);
            // Another task has taken over.
            if task.is_cancelled() {
                return;
            }
            for verified in &verification.webhooks {
                let verdict = verified.verdict.as_str();
                state.verdicts.insert(verified.key.clone(), verdict);
                log(verified, &target);
            }
            metrics.verdicts(state.verdicts.values().copied());
        });
    }
}

/// Returns the keys whose webhooks a pass deleted or unbound.
fn removed_by(report: &PassReport) -> impl Iterator<Item = &Key> {
    let removed = report.results().iter().filter(|result| {
        let is_applied = matches!(result.outcome, Outcome::Applied { .. });
        let action = &result.planned.action;
        is_applied && matches!(action, Action::Delete(_) | Action::Forget { .. })
    });
    removed.map(|result| &result.planned.key)
}

/// Logs a verdict. The error of an attempt is left out, since the tokens that it may contain are no longer known.
fn log(verified: &Verified, target: &str) {
    let (key, verdict) = (verified.key.as_str(), verified.verdict.as_str());
    match &verified.verdict {
        Verdict::Rejected { event_id, status } => tracing::error!(
            target,
            key,
            verdict,
            event = mask::masked(event_id),
            status,
            "the receiver does not accept the token"
        ),
        Verdict::Failing { event_id, reason } => tracing::error!(
            target,
            key,
            verdict,
            event = mask::masked(event_id),
            status = reason.status,
            "deliveries fail after the change"
        ),
        Verdict::Proven { event_id } => tracing::info!(
            target,
            key,
            verdict,
            event = mask::masked(event_id),
            "verified"
        ),
        _ => tracing::info!(target, key, verdict, "verified"),
    }
}

/// No code that holds this lock can panic half-way through a change.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
