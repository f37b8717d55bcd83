//! What every command that plans or applies shares: the policy, the approval, the pass, and its end.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::diagnostic::nearest;
use hookctl::plan::{KeyFilter, Plan, Policy, Prune, UnverifiedSecrets};
use hookctl::reconcile::{self, PassError, PassReport, PlanInputs, Review, Verdict};
use hookctl::record::{OpenRecord, Record};
use hookctl::remote::http::HttpApi;
use hookctl::remote::{DeliveryApi as _, EventQuery};
use hookctl::render::{Message, RunStats};
use hookctl::saved::Terms;
use hookctl::webhook::{Key, RemoteId};
use tokio_util::sync::CancellationToken;

use crate::args::KeyGlob;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::mask;
use crate::older_files::Files;
use crate::presenter::Presenter;
use crate::progress::{self, Progress};
use crate::signals::{begin_writing, interrupted};
use crate::ui::Ui;

/// Returns the filter for `--only`. Without patterns it selects every key.
pub(crate) fn selected(globs: &[KeyGlob]) -> Result<KeyFilter, CommandError> {
    filter(globs.iter().map(KeyGlob::as_str))
}

fn filter<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<KeyFilter, CommandError> {
    KeyFilter::matching(patterns).map_err(|error| {
        CommandError::new("usage", format!("--only: {error}")).status(ExitStatus::Usage)
    })
}

/// Converts the terms of a plan to its policy.
pub(crate) fn policy(terms: &Terms) -> Result<Policy, CommandError> {
    let only = filter(terms.only.iter().map(String::as_str))?;
    Ok(Policy {
        only,
        prune: if terms.prune { Prune::Yes } else { Prune::No },
        unverified_secrets: if terms.keep_unverified_secrets {
            UnverifiedSecrets::Keep
        } else {
            UnverifiedSecrets::Assert
        },
        retry_held: false,
    })
}

/// Returns the current time in RFC 3339, for the history.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Presents the result of a pass, and returns the exit status.
pub(crate) fn conclude(
    result: Result<Option<PassReport>, PassError>,
    cancellation: &CancellationToken,
    presenter: &mut Presenter<'_>,
    stats: impl FnOnce() -> RunStats,
) -> Result<ExitStatus, CommandError> {
    Ok(match ended(result, cancellation, presenter)? {
        Ended::Refused(exit) => exit,
        Ended::Reported(report) => present(&report, cancellation, presenter, stats()),
    })
}

/// The end of a pass without an error.
pub(crate) enum Ended {
    /// A safety rule refused the plan, which has been shown.
    Refused(ExitStatus),
    /// There is a report, without secrets. Never dropped, like every large value: see `sync`.
    Reported(ManuallyDrop<Box<PassReport>>),
}

/// Returns the report of a pass for presentation.
pub(crate) fn ended(
    result: Result<Option<PassReport>, PassError>,
    cancellation: &CancellationToken,
    presenter: &mut Presenter<'_>,
) -> Result<Ended, CommandError> {
    Ok(match result {
        Ok(Some(mut report)) => {
            let results = report
                .report
                .iter_mut()
                .flat_map(|report| &mut report.results);
            results.for_each(mask::result);
            let shown = match mask::shown(&report.plan) {
                Cow::Owned(plan) => Some(plan),
                Cow::Borrowed(_) => None,
            };
            if let Some(plan) = shown {
                report.plan = plan;
            }
            Ended::Reported(ManuallyDrop::new(Box::new(report)))
        }
        Ok(None) | Err(PassError::Interrupted) => return Err(interrupted()),
        Err(PassError::Refused { plan, refusal }) => {
            Ended::Refused(presenter.refused(&plan, &refusal))
        }
        Err(error) if cancellation.is_cancelled() => {
            return Err(presenter.failed(&error).status(ExitStatus::Interrupted));
        }
        Err(error) => return Err(presenter.failed(&error)),
    })
}

/// Presents a report, and returns the exit status.
pub(crate) fn present(
    report: &PassReport,
    cancellation: &CancellationToken,
    presenter: &mut Presenter<'_>,
    stats: RunStats,
) -> ExitStatus {
    presenter.applied(report, stats);
    if cancellation.is_cancelled() {
        presenter.interrupted(report);
        ExitStatus::Interrupted
    } else {
        exit_status(report)
    }
}

/// Returns the exit status of a finished pass.
pub(crate) fn exit_status(report: &PassReport) -> ExitStatus {
    if report.is_complete() {
        ExitStatus::Success
    } else {
        ExitStatus::PartlyFailed
    }
}

/// The record that a pass writes.
pub(crate) struct Writing<'a> {
    pub(crate) record: &'a Record,
    /// The record, open for this pass.
    pub(crate) open: OpenRecord,
    /// The files, if the record tells whether newer ones were applied.
    pub(crate) files: Option<Files<'a>>,
}

/// Runs the pass. Returns `None` if it was interrupted before any change was made.
pub(crate) async fn apply(
    ui: &Ui,
    inputs: &PlanInputs<'_, HttpApi>,
    options: &ApplyOptions<'_>,
    writing: Writing<'_>,
    presenter: &mut Presenter<'_>,
    approve: &mut (dyn FnMut(&Plan) -> Approval + Send),
) -> Result<Option<PassReport>, PassError> {
    let watched = Watched {
        begun: AtomicBool::new(false),
    };
    let mut review = Shown {
        ui,
        api: inputs.api,
        files: writing.files,
        presenter,
        approve,
    };
    let cancelled = async {
        inputs.context.cancellation.cancelled().await;
        if watched.begun.load(Ordering::SeqCst) {
            // Requests in flight are settled and recorded first.
            std::future::pending::<()>().await;
        }
    };
    let report = tokio::select! {
        report = reconcile::reconcile_settling(inputs, options, writing.record, writing.open, &watched, &mut review) => {
            report.map(Some)
        }
        () = cancelled => Ok(None),
    };
    progress::end();
    report
}

/// Whether a plan may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// Apply it.
    Given,
    /// Do not apply it.
    Denied,
    /// Ask the user.
    Asked,
}

impl Approval {
    /// Returns an approval that needs no question.
    pub(crate) const fn given_if(holds: bool) -> Self {
        if holds { Self::Given } else { Self::Denied }
    }
}

/// A review that shows the plan and asks for approval.
struct Shown<'a, 'p> {
    ui: &'a Ui,
    api: &'a HttpApi,
    files: Option<Files<'a>>,
    presenter: &'a mut Presenter<'p>,
    approve: &'a mut (dyn FnMut(&Plan) -> Approval + Send),
}

impl Review for Shown<'_, '_> {
    async fn review(&mut self, plan: &mut Plan) -> Verdict {
        mask::plan(plan);
        // The user decides by how many events the plan would silence.
        if self.ui.can_ask() {
            count_events(self.api, plan).await;
        }
        if let Some(notice) = older(self.files.take(), plan).await {
            self.presenter.report(notice);
        }
        progress::end();
        let approval = (self.approve)(plan);
        if approval == Approval::Asked {
            self.presenter.show_for_approval(plan);
        } else {
            self.presenter.announce(plan);
        }
        let approved = match approval {
            Approval::Given => true,
            Approval::Denied => false,
            Approval::Asked => self.ui.ask("Apply this plan?").await,
        };
        if approved {
            Verdict::Apply
        } else {
            Verdict::Leave
        }
    }
}

/// Returns the notice of a plan from files that are older than those that were applied last.
pub(crate) async fn older(files: Option<Files<'_>>, plan: &Plan) -> Option<Message> {
    let files = files.filter(|_| plan.has_requests())?;
    files.notice().await
}

/// Counts the recent events of the webhooks that the plan would silence.
pub(crate) async fn count_events(api: &HttpApi, plan: &mut Plan) {
    let ids: Vec<RemoteId> = plan.silenced().cloned().collect();
    plan.recent_events = recent(api, ids).await;
}

/// Progress, and whether an action has started.
struct Watched {
    begun: AtomicBool,
}

impl Listener for Watched {
    fn on(&self, event: ApplyEvent<'_>) {
        begin_writing();
        self.begun.store(true, Ordering::SeqCst);
        Progress.on(event);
    }
}

/// Returns how many events each webhook received in the last 24 hours, with one small request per webhook. Leaves
/// out webhooks whose count the API does not return.
async fn recent(
    api: &hookctl::remote::http::HttpApi,
    ids: Vec<RemoteId>,
) -> BTreeMap<RemoteId, u64> {
    const AT_ONCE: usize = 16;
    let start = ago(Duration::from_hours(24));
    futures_util::stream::iter(ids)
        .map(|id| {
            let query = EventQuery {
                webhook: Some(id.clone()),
                start: Some(start.clone()),
                ..EventQuery::default()
            };
            async move {
                let read = api.events(&query, 1, 1).await.ok()?;
                Some((id, read.total?))
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Returns the time `time` ago, in RFC 3339.
pub(crate) fn ago(time: Duration) -> String {
    jiff::Timestamp::now()
        .checked_sub(time)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

/// Checks that each pattern of `--only` matches a declared or recorded key.
pub(crate) fn selects_something<'a>(
    only: &KeyFilter,
    keys: impl Iterator<Item = &'a Key> + Clone,
) -> Result<(), CommandError> {
    matches_some("--only", only, keys)
}

/// Checks that each pattern of an argument matches a key.
pub(crate) fn matches_some<'a>(
    argument: &str,
    only: &KeyFilter,
    keys: impl Iterator<Item = &'a Key> + Clone,
) -> Result<(), CommandError> {
    let unmatched = only.unmatched(keys.clone());
    let Some(first) = unmatched.first() else {
        return Ok(());
    };
    let bare = first.trim_matches(|character: char| !character.is_ascii_alphanumeric());
    let near: BTreeSet<_> = keys
        .filter(|key| {
            let begins = key.as_str().get(..bare.len()).unwrap_or(key.as_str());
            nearest(bare, [begins, key.as_str()]).is_some()
        })
        .collect();
    let near: Vec<_> = near.iter().take(3).map(|key| format!("'{key}'")).collect();
    let help = if near.is_empty() {
        "`hookctl status` lists the keys".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    let patterns: Vec<_> = unmatched
        .iter()
        .map(|pattern| format!("'{pattern}'"))
        .collect();
    let message = format!("{argument}: no key matches {}", patterns.join(", "));
    Err(CommandError::new("usage", message)
        .hint(help)
        .status(ExitStatus::Usage))
}
