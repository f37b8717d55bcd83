//! What `sync --verify` and `verify` share: the changes to verify, the wait, and what the verdicts mean for the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hookctl::plan::{Action, PlannedAction};
use hookctl::reconcile::{PassError, PassReport};
use hookctl::record::{Record, RecordError};
use hookctl::render::{Message, VerdictRow, VerificationReport};
use hookctl::report::Outcome;
use hookctl::verify::{Change, Verification, VerifyEvent, VerifyOptions, last_changes};
use hookctl::webhook::Key;
use tokio_util::sync::CancellationToken;

use crate::args::duration;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::mask;
use crate::presenter::Presenter;
use crate::progress::{self, Phase};
use crate::rollback::rollback;
use crate::run::{Ended, ended, exit_status, present};
use crate::session::{Session, record_error};

/// How many webhooks a message names.
const NAMED: usize = 10;

/// How evidence is looked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// Wait for an event of each webhook for the whole time, and fail without one
    #[arg(long)]
    pub(crate) require_traffic: bool,
    /// Request one redelivery of the newest failed event of each webhook
    #[arg(long)]
    pub(crate) retry_failed: bool,
}

/// How the changes of a sync are verified.
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line flag")]
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct VerifyingArgs {
    /// After the apply, wait up to this long for deliveries that prove the changes, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "dry_run")]
    verify: Option<Duration>,
    /// Wait for an event of each changed webhook for the whole time, and fail without one
    #[arg(long, requires = "verify")]
    require_traffic: bool,
    /// Request one redelivery of the newest failed event of each changed webhook
    #[arg(long, requires = "verify")]
    retry_failed: bool,
    /// Set url, actions, enabled, and timing of webhooks whose deliveries fail back to what they were
    #[arg(long, requires = "verify")]
    rollback: bool,
    /// Apply the changes of webhooks that are held since a rollback
    #[arg(long, conflicts_with = "out")]
    pub(crate) retry_held: bool,
}

impl VerifyingArgs {
    /// Presents the result of a sync, verifies its changes if that is wanted, and returns the exit status of both.
    pub(crate) async fn conclude(
        self,
        result: Result<Option<PassReport>, PassError>,
        session: &Session,
        started: Instant,
        cancellation: &CancellationToken,
        presenter: &mut Presenter<'_>,
    ) -> Result<ExitStatus, CommandError> {
        let made = self.made(&result);
        let report = match ended(result, cancellation, presenter)? {
            Ended::Refused(exit) => return Ok(exit),
            Ended::Reported(report) => report,
        };
        let run = session.stats(started);
        let applied = report.report.is_some() && !cancellation.is_cancelled();
        let Some(timeout) = self.verify.filter(|_| applied) else {
            return Ok(present(&report, cancellation, presenter, run));
        };
        // A document comes last, and contains the verdicts.
        if presenter.shows_at_once() {
            presenter.applied(&report, run);
        }
        let applied = Applied {
            report: &report,
            made,
            session,
            cancellation,
        };
        let verified = self.run(timeout, applied, presenter).await;
        if !presenter.shows_at_once() {
            presenter.applied(&report, run);
        }
        Ok(exit_status(&report).or(verified))
    }

    /// Returns the actions that a rollback may have to set back, before secrets are hidden in them.
    fn made(
        self,
        result: &Result<Option<PassReport>, PassError>,
    ) -> BTreeMap<Key, Arc<PlannedAction>> {
        let Ok(Some(report)) = result else {
            return BTreeMap::new();
        };
        let results = report.results().iter().filter(|_| self.rollback);
        let applied = results.filter(|one| matches!(one.outcome, Outcome::Applied { .. }));
        applied
            .map(|one| (one.planned.key.clone(), Arc::clone(&one.planned)))
            .collect()
    }

    /// Verifies what a sync changed, shows the verdicts, and returns the exit status of them alone.
    async fn run(
        self,
        timeout: Duration,
        applied: Applied<'_>,
        presenter: &mut Presenter<'_>,
    ) -> ExitStatus {
        let Applied {
            report,
            made,
            session,
            cancellation,
        } = applied;
        let evidence = EvidenceArgs {
            require_traffic: self.require_traffic,
            retry_failed: self.retry_failed,
        };
        // A pass has a few rounds, and settles what earlier runs left.
        let newest = report.results().len().saturating_mul(4) + 100;
        let keys = changed_by(report);
        let changes = changes_of(&keys, newest, session.record());
        let changes = match changes.await {
            Ok(changes) => changes,
            Err(error) => {
                presenter.report(record_error(&error).into_message());
                return ExitStatus::PartlyFailed;
            }
        };
        let verified = verify(session, changes, timeout, evidence, cancellation).await;
        let mut verdicts = self::report(&verified, evidence);
        let mut problems = problems(&verified, &verdicts);
        if self.rollback && !verified.interrupted {
            problems.extend(rollback(&mut verdicts, &made, session, cancellation).await);
        }
        presenter.verified(verdicts);
        for problem in problems {
            presenter.report(problem);
        }
        if verified.interrupted {
            let message = "interrupted after the apply; `hookctl verify` continues";
            presenter.report(Message::notice("interrupted", message));
        }
        status(&verified, evidence, ExitStatus::PartlyFailed)
    }
}

/// What a sync applied.
struct Applied<'a> {
    report: &'a PassReport,
    /// The actions, with what secrets the API put into fields.
    made: BTreeMap<Key, Arc<PlannedAction>>,
    session: &'a Session,
    cancellation: &'a CancellationToken,
}

/// Verifies changes, and shows progress meanwhile.
pub(crate) async fn verify(
    session: &Session,
    changes: Vec<Change>,
    timeout: Duration,
    evidence: EvidenceArgs,
    cancellation: &CancellationToken,
) -> Verification {
    let options = VerifyOptions {
        timeout,
        require_traffic: evidence.require_traffic,
        retry_failed: evidence.retry_failed,
        cancellation: cancellation.clone(),
    };
    let until = Instant::now() + timeout;
    let open = changes.len();
    progress::begin(Phase::Deliveries { until, open });
    let on_event = |event: VerifyEvent<'_>| match event {
        VerifyEvent::Waiting { open, .. } => progress::begin(Phase::Deliveries { until, open }),
        VerifyEvent::Decided { key, verdict } => {
            tracing::info!(%key, verdict = verdict.as_str(), "verdict");
        }
        _ => {}
    };
    let verifying =
        hookctl::verify::verify(session.api(), changes, &options, session.clock(), &on_event);
    let verification = verifying.await;
    progress::end();
    verification
}

/// Returns the report of a verification, without secrets.
pub(crate) fn report(verification: &Verification, evidence: EvidenceArgs) -> VerificationReport {
    let mut report = VerificationReport::new(verification, evidence.require_traffic);
    report.redact(mask::masked);
    report
}

/// Returns the keys of the webhooks that a pass made or changed.
pub(crate) fn changed_by(report: &PassReport) -> BTreeSet<Key> {
    let results = report.results().iter();
    let changed = results.filter(|result| {
        let action = &result.planned.action;
        let is_applied = matches!(result.outcome, Outcome::Applied { .. });
        is_applied && action.has_request() && !matches!(action, Action::Delete(_))
    });
    changed.map(|result| result.planned.key.clone()).collect()
}

/// Returns the last changes of these webhooks, by the record. `newest` is the number of entries of the history to read.
pub(crate) async fn changes_of(
    keys: &BTreeSet<Key>,
    newest: usize,
    record: &Record,
) -> Result<Vec<Change>, RecordError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let history = record.history(newest).await?;
    let remembered = record.remembered().await?;
    let known = last_changes(&history);
    let change = |key| {
        let record = remembered.last_applied.get(key)?;
        Some(Change::of(key, record, *known.get(&record.id)?))
    };
    Ok(keys.iter().filter_map(change).collect())
}

/// Returns what is wrong: one message for each kind of failure.
pub(crate) fn problems(verification: &Verification, report: &VerificationReport) -> Vec<Message> {
    let mut problems = Vec::new();
    if let Some(error) = &verification.ended_by {
        problems.push(CommandError::caused("api", error));
    }
    let with = |verdict: &[&str]| -> Vec<&VerdictRow> {
        let rows = report.webhooks.iter();
        rows.filter(|row| verdict.contains(&row.verdict)).collect()
    };
    let rejected = with(&["rejected"]);
    if !rejected.is_empty() {
        let message = format!(
            "the receiver does not accept the token of {}",
            names(&rejected)
        );
        let error = CommandError::new("delivery-rejected", message);
        problems.push(error.hint("correct the token where it comes from, or at the receiver"));
    }
    let failing = with(&["failing"]);
    if let Some(first) = failing.first() {
        let message = format!("deliveries fail: {}", names(&failing));
        let event = first.event_id.as_deref().unwrap_or("EVENT");
        let error = CommandError::new("delivery-failing", message);
        problems.push(error.hint(format!("`hookctl attempts {event}` shows its attempts")));
    }
    let without = with(&["no_traffic", "pending"]);
    if report.require_traffic && verification.is_read() && !without.is_empty() {
        let message = format!("no delivery proves {}", names(&without));
        let error = CommandError::new("no-traffic", message);
        problems
            .push(error.hint("cause an event, or add --retry-failed to send a failed one again"));
    }
    let unread: Vec<&VerdictRow> = with(&["pending"])
        .into_iter()
        .filter(|row| row.unread.is_some())
        .collect();
    if let Some(first) = unread.first() {
        let reason = first.unread.as_deref().unwrap_or_default();
        let message = format!("could not read deliveries of {}: {reason}", names(&unread));
        let error = CommandError::new("deliveries-unread", message);
        problems.push(error.hint("`hookctl verify` looks again"));
    }
    problems
        .into_iter()
        .map(CommandError::into_message)
        .collect()
}

/// Returns the exit status of a verification. `unread` is the status if deliveries could not be read.
pub(crate) fn status(
    verification: &Verification,
    evidence: EvidenceArgs,
    unread: ExitStatus,
) -> ExitStatus {
    let is_unread = verification.webhooks.iter();
    let is_unread = is_unread
        .clone()
        .any(|one| one.unread.is_some() && one.verdict.lacks_traffic());
    if verification.interrupted {
        ExitStatus::Interrupted
    } else if is_unread || verification.ended_by.is_some() {
        unread
    } else if verification.fails(evidence.require_traffic) {
        ExitStatus::DeliveriesFail
    } else {
        ExitStatus::Success
    }
}

fn names(rows: &[&VerdictRow]) -> String {
    let named: Vec<String> = rows
        .iter()
        .take(NAMED)
        .map(|row| match row.status {
            Some(status) => format!("'{}' (status {status})", row.key),
            None => format!("'{}'", row.key),
        })
        .collect();
    let named = named.join(", ");
    match rows.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
