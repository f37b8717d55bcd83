//! What the page of a watch shows. The watch puts its results here; a request takes the page.
//!
//! The rows and the history are made only for a request, so that a watch without viewers does no more than before. A read of
//! the record may wait for a pass that writes it. It therefore has a thread of its own, and a page does not wait long for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookctl::diagnostic::{Diagnostics, Severity};
use hookctl::plan::{Plan, PlannedAction};
use hookctl::record::{HistoryEntry, Record, Remembered};
use hookctl::render::{
    ChangeVerdict, EndedPass, FilesState, LastPass, Page, Passes, StatusDocument,
};
use hookctl::report::ActionResult;
use hookctl::watch::{Ended, Passed, Reason};
use hookctl::webhook::Key;
use jiff::Timestamp;
use tokio::sync::watch;

use super::metrics::Metrics;
use super::traffic::{Known, Traffic};
use crate::mask;
use crate::session::Session;

/// The most changes of the history on the page.
const MOST_CHANGES: usize = 30;

/// How long a page waits for the record and for the deliveries. Then it shows the last state of them, and changes once they
/// were read.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the page shows, and its version.
pub(super) struct Board {
    state: Mutex<State>,
    /// Held while the record is read, so that many requests read it once.
    reading: Arc<tokio::sync::Mutex<()>>,
    /// The deliveries.
    traffic: Arc<Traffic>,
    /// Counts the changes.
    version: watch::Sender<u64>,
    /// Distinguishes this process from an earlier one at the same address.
    instance: String,
}

struct State {
    target: String,
    record: Record,
    files: FilesState,
    passes: Passes,
    /// The last pass that made a plan.
    plan: Option<Arc<Planned>>,
    /// What was read of the record.
    remembered: Arc<Remembered>,
    history: Vec<HistoryEntry>,
    /// The verdicts on the last changes. `None` if the watch verifies nothing.
    verdicts: Option<Arc<BTreeMap<Key, ChangeVerdict>>>,
    /// The number of passes that ended, and their number when the record was read.
    ended: u64,
    read: u64,
    /// Whether a page did not wait for the record.
    is_awaited: bool,
}

/// A plan and what came of it, without secrets.
struct Planned {
    plan: Plan,
    results: Vec<ActionResult>,
    left: Vec<Arc<PlannedAction>>,
    held: BTreeSet<Key>,
}

impl Board {
    pub(super) fn new(
        target: &str,
        session: &Session,
        metrics: Arc<Metrics>,
        instance: String,
    ) -> Self {
        let version = watch::Sender::new(0);
        let traffic = Traffic::new(target, session.shared_api(), metrics, version.clone());
        Self {
            state: Mutex::new(State {
                target: target.to_owned(),
                record: session.record().clone(),
                files: FilesState::default(),
                passes: Passes::default(),
                plan: None,
                remembered: Arc::default(),
                history: Vec::new(),
                verdicts: None,
                ended: 1,
                read: 0,
                is_awaited: false,
            }),
            reading: Arc::default(),
            traffic: Arc::new(traffic),
            version,
            instance,
        }
    }

    /// Returns a receiver of the changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Returns a version as the page and its events name it.
    pub(super) fn version(&self, number: u64) -> String {
        format!("{}.{number}", self.instance)
    }

    /// Records the state of the declarations.
    pub(super) fn files(&self, is_valid: bool, diagnostics: &Diagnostics) {
        let warnings = diagnostics.count(Severity::Warning);
        self.state().files = if is_valid {
            FilesState::Valid { warnings }
        } else {
            let errors = diagnostics.count(Severity::Error);
            FilesState::Invalid { errors, warnings }
        };
        self.version.send_modify(|version| *version += 1);
    }

    /// Records why this watch makes no passes; `None` if it does.
    pub(super) fn standby(&self, why: Option<&str>) {
        self.state().passes.standby = why.map(str::to_owned);
        self.traffic.leads(why.is_none());
        self.version.send_modify(|version| *version += 1);
    }

    /// Records the verdicts on the last changes.
    pub(super) fn verdicts(&self, verdicts: BTreeMap<Key, ChangeVerdict>) {
        let mut state = self.state();
        if state.verdicts.as_deref() == Some(&verdicts) {
            return;
        }
        state.verdicts = Some(Arc::new(verdicts));
        drop(state);
        self.version.send_modify(|version| *version += 1);
    }

    /// Records that a pass begins.
    pub(super) fn pass_begins(&self) {
        self.traffic.passing(true);
    }

    /// Records a pass with a report. Its secrets must still be followed.
    pub(super) fn passed(&self, passed: &Passed) {
        let report = &passed.report;
        let mut results = report.results().to_vec();
        results.iter_mut().for_each(mask::result);
        let planned = Planned {
            plan: mask::shown(&report.plan).into_owned(),
            results,
            left: without_secrets(&passed.left),
            held: passed.held.clone(),
        };
        let mut state = self.state();
        state.plan = Some(Arc::new(planned));
        state.ended += 1;
        state.passes.last = Some(LastPass {
            at: Timestamp::now(),
            reason: passed.reason.as_str(),
            took: passed.took,
            is_complete: passed.ended == Ended::Complete,
            error: None,
        });
    }

    /// Records a pass without a report. A refused plan shows what is pending.
    pub(super) fn failed(
        &self,
        reason: Reason,
        error: String,
        took: Duration,
        plan: Option<&Plan>,
    ) {
        let mut state = self.state();
        if let Some(plan) = plan {
            state.plan = Some(Arc::new(Planned {
                plan: mask::shown(plan).into_owned(),
                results: Vec::new(),
                left: Vec::new(),
                held: BTreeSet::new(),
            }));
        }
        state.passes.last = Some(LastPass {
            at: Timestamp::now(),
            reason: reason.as_str(),
            took,
            is_complete: false,
            error: Some(error),
        });
    }

    /// Records when the next pass is due, and announces the end of the last one.
    pub(super) fn scheduled(&self, after: Duration) {
        self.state().passes.next = Timestamp::now().checked_add(after).ok();
        self.traffic.passing(false);
        self.version.send_modify(|version| *version += 1);
    }

    /// Takes the session of a configuration that was read again. Another target begins with nothing.
    pub(super) fn reloaded(&self, target: &str, session: &Session) {
        let mut state = self.state();
        let is_same_account = state.record.account() == session.account();
        let api = session.shared_api();
        self.traffic.client_replaced(target, api, is_same_account);
        state.record = session.record().clone();
        state.ended += 1;
        if state.target != target {
            target.clone_into(&mut state.target);
            state.plan = None;
            state.remembered = Arc::default();
            state.history = Vec::new();
            if state.verdicts.is_some() {
                state.verdicts = Some(Arc::default());
            }
        }
    }

    /// Returns the page and its version.
    pub(super) async fn page(self: &Arc<Self>) -> (Page, String) {
        // Read before the state: a change in between leads to another event, not to a missed one.
        let version = self.version(*self.version.borrow());
        let has_plan = self.state().plan.is_some();
        let record = async {
            if self.is_stale() && tokio::time::timeout(PATIENCE, self.read()).await.is_err() {
                self.state().is_awaited = true;
            }
        };
        let deliveries = async {
            if has_plan {
                self.traffic.refresh(PATIENCE).await;
            }
        };
        tokio::join!(record, deliveries);
        let state = self.state();
        let known = self.traffic.known();
        let status = state.plan.as_deref().map(|planned| {
            let last_applied = &state.remembered.last_applied;
            let mut status =
                StatusDocument::after_pass(&state.target, planned.ended(), last_applied);
            status.filter_texts(mask::masked);
            if let Some(verdicts) = &state.verdicts {
                status.add_verdicts(verdicts);
            }
            if let Known::Counted(counts) = &known {
                status.add_deliveries(counts);
            }
            status
        });
        let page = Page {
            target: state.target.clone(),
            at: Timestamp::now(),
            status,
            problems: state
                .plan
                .as_deref()
                .map(Planned::problems)
                .unwrap_or_default(),
            unknown_deliveries: match known {
                Known::Unknown(why) => Some(why),
                Known::Nothing | Known::Counted(_) => None,
            },
            files: state.files,
            passes: Some(state.passes.clone()),
            history: state.history.clone(),
        };
        (page, version)
    }

    fn is_stale(&self) -> bool {
        let state = self.state();
        state.read != state.ended
    }

    /// Reads the record on a thread of its own, or waits for the thread that does. It goes on if this is dropped.
    async fn read(self: &Arc<Self>) {
        let Ok(reading) = Arc::clone(&self.reading).try_lock_owned() else {
            drop(self.reading.lock().await);
            return;
        };
        let (board, runtime) = (Arc::clone(self), tokio::runtime::Handle::current());
        let (ends, ended) = tokio::sync::oneshot::channel::<()>();
        let read = move || {
            runtime.block_on(board.read_here());
            drop((reading, ends));
        };
        // Without a thread, the page shows the last state.
        let _ = std::thread::Builder::new().spawn(read);
        // The sender only ends.
        let _ = ended.await;
    }

    async fn read_here(&self) {
        let (record, ended) = {
            let state = self.state();
            (state.record.clone(), state.ended)
        };
        // If the record cannot be read, the page shows the last state of it. The next pass reports why.
        if let Ok(remembered) = record.remembered().await
            && !Arc::ptr_eq(&remembered, &self.state().remembered)
            && let Ok(history) = record.history(MOST_CHANGES).await
        {
            let mut state = self.state();
            state.remembered = remembered;
            state.history = history;
        }
        let mut state = self.state();
        state.read = ended;
        if std::mem::take(&mut state.is_awaited) {
            self.version.send_modify(|version| *version += 1);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Planned {
    fn ended(&self) -> EndedPass<'_> {
        EndedPass {
            plan: &self.plan,
            results: &self.results,
            left: &self.left,
            held: &self.held,
        }
    }

    /// Returns why actions were not applied, by key. The last result of a key counts.
    fn problems(&self) -> BTreeMap<String, String> {
        let results = self.results.iter();
        let last: BTreeMap<&Key, &ActionResult> = results
            .map(|result| (&result.planned.key, result))
            .collect();
        let problems = last.into_iter().filter_map(|(key, result)| {
            let why = result.outcome.why()?;
            Some((key.to_string(), mask::masked(&why)))
        });
        problems.collect()
    }
}

/// Returns actions whose texts of the API are without secrets.
fn without_secrets(actions: &[Arc<PlannedAction>]) -> Vec<Arc<PlannedAction>> {
    let plan = Plan {
        actions: actions.to_vec(),
        ..Plan::default()
    };
    mask::shown(&plan).into_owned().actions
}
