//! The verification of what a watch changes, beside its passes.
//!
//! One task reads deliveries at a time. A pass that changes something replaces it by one that continues with the webhooks
//! without a verdict, so that no pass ever waits for a delivery. A verdict counts as soon as it is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookctl::plan::Action;
use hookctl::reconcile::PassReport;
use hookctl::record::HistoryLimits;
use hookctl::render::ChangeVerdict;
use hookctl::report::Outcome;
use hookctl::verify::{Change, Verdict, Verified, VerifyEvent, VerifyOptions, verify};
use hookctl::webhook::Key;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::metrics::Metrics;
use crate::mask;
use crate::session::Session;
use crate::signals::cancellation;
use crate::verification::{changed_by, changes_of};

/// The verdicts on what a watch changed.
pub(super) struct Deliveries {
    /// How long to wait for the deliveries after a change; `None` verifies nothing.
    timeout: Option<Duration>,
    verdicts: Arc<Verdicts>,
}

/// The verdicts, and where they are reported.
struct Verdicts {
    metrics: Arc<Metrics>,
    board: Option<Arc<Board>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    target: String,
    /// The verdict on the last change of each webhook.
    of: BTreeMap<Key, ChangeVerdict>,
    /// The webhooks without a verdict.
    open: BTreeSet<Key>,
    /// Whether another watch has made passes since the last one of this watch.
    stood_by: bool,
    /// Ends the task that reads deliveries.
    task: CancellationToken,
}

impl Deliveries {
    pub(super) fn new(
        timeout: Option<Duration>,
        metrics: Arc<Metrics>,
        board: Option<Arc<Board>>,
    ) -> Self {
        let verdicts = Arc::new(Verdicts {
            metrics,
            board: board.filter(|_| timeout.is_some()),
            state: Mutex::default(),
        });
        verdicts.report(&verdicts.locked());
        Self { timeout, verdicts }
    }

    /// Reports no verdicts while another watch makes the passes, since it may change the webhooks again.
    pub(super) fn stand_by(&self) {
        let mut state = self.verdicts.locked();
        state.task.cancel();
        state.stood_by = true;
        self.verdicts.report(&state);
    }

    /// Starts to verify what a pass changed. Returns at once.
    pub(super) fn passed(&self, report: &PassReport, session: &Session, target: &str) {
        let Some(timeout) = self.timeout else { return };
        let changed = changed_by(report);
        let verdicts = Arc::clone(&self.verdicts);
        let (open, task) = {
            let mut state = verdicts.locked();
            if state.target != target {
                target.clone_into(&mut state.target);
                state.of.clear();
                state.open.clear();
            }
            for key in removed_by(report) {
                state.of.remove(key);
                state.open.remove(key);
            }
            // Another watch may have changed each webhook meanwhile.
            let again = std::mem::take(&mut state.stood_by);
            let again: Vec<Key> = state.of.keys().filter(|_| again).cloned().collect();
            let is_new = !changed.is_empty() || !again.is_empty();
            for key in changed.into_iter().chain(again) {
                state.of.insert(key.clone(), ChangeVerdict::waiting());
                state.open.insert(key);
            }
            verdicts.report(&state);
            if !is_new {
                return;
            }
            state.task.cancel();
            state.task = cancellation().child_token();
            (state.open.clone(), state.task.clone())
        };
        let (api, clock) = (session.shared_api(), Arc::clone(session.clock()));
        let record = session.record().clone();
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
            let task = Task {
                changes: last
                    .iter()
                    .map(|one| (one.key.clone(), one.clone()))
                    .collect(),
                target,
                cancellation: task,
            };
            verdicts.forget(&open, &task);
            // Nothing is asked about these.
            for change in task.changes.values().filter(|change| !change.enabled) {
                verdicts.decided(&decided(change, &Verdict::Disabled, None), &task);
            }
            let options = VerifyOptions {
                timeout,
                require_traffic: false,
                retry_failed: false,
                cancellation: task.cancellation.clone(),
            };
            let on_event = |event: VerifyEvent<'_>| {
                if let VerifyEvent::Decided { key, verdict } = event
                    && *verdict != Verdict::Pending
                    && let Some(change) = task.changes.get(key)
                {
                    let ahead = api.clock_difference();
                    verdicts.decided(&decided(change, verdict, ahead), &task);
                }
            };
            let verification = verify(&*api, last, &options, &clock, &on_event).await;
            // What could not be decided, and why.
            for verified in &verification.webhooks {
                if verdicts.is_open(&verified.key) {
                    verdicts.decided(verified, &task);
                }
            }
        });
    }
}

/// A task that reads deliveries.
struct Task {
    changes: BTreeMap<Key, Change>,
    target: String,
    cancellation: CancellationToken,
}

impl Verdicts {
    /// Records a verdict, unless another task has taken over.
    fn decided(&self, verified: &Verified, task: &Task) {
        let mut state = self.locked();
        if task.cancellation.is_cancelled() {
            return;
        }
        let verdict = ChangeVerdict::of(verified, mask::masked);
        // A webhook without a verdict is asked about again after the next change.
        if verified.verdict != Verdict::Pending {
            state.open.remove(&verified.key);
        }
        state.of.insert(verified.key.clone(), verdict);
        self.report(&state);
        log(verified, &task.target);
    }

    fn is_open(&self, key: &Key) -> bool {
        self.locked().open.contains(key)
    }

    /// Forgets webhooks that the record no longer has.
    fn forget(&self, open: &BTreeSet<Key>, task: &Task) {
        let mut state = self.locked();
        let gone = open.iter().filter(|key| !task.changes.contains_key(*key));
        let gone: Vec<&Key> = gone.collect();
        if task.cancellation.is_cancelled() || gone.is_empty() {
            return;
        }
        for key in gone {
            state.of.remove(key);
            state.open.remove(key);
        }
        self.report(&state);
    }

    fn report(&self, state: &State) {
        let shown = (!state.stood_by).then_some(&state.of);
        let names = shown.into_iter().flat_map(BTreeMap::values);
        self.metrics.verdicts(names.map(|one| one.verdict));
        if let Some(board) = &self.board {
            board.verdicts(shown.cloned().unwrap_or_default());
        }
    }

    /// No code that holds this lock can panic half-way through a change.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a verdict with its webhook.
fn decided(change: &Change, verdict: &Verdict, ahead: Option<SignedDuration>) -> Verified {
    Verified {
        key: change.key.clone(),
        id: change.id.clone(),
        since: change.since.by_api(ahead).unwrap_or(change.since.at()),
        verdict: verdict.clone(),
        redelivered: None,
        not_redelivered: None,
        unread: None,
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
