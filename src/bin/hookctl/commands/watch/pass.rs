//! One pass of a watch, told by its log.

use std::sync::Arc;
use std::time::Instant;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::cache::Cache;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Cause, Plan, PlannedAction, Policy, Prune, UnverifiedSecrets};
use hookctl::reconcile::{Pass, PassError, PassReport, Verdict, prepare, reconcile};
use hookctl::record::Outcome;
use hookctl::watch::Reason;
use hookctl::webhook::Key;

use super::{Drift, Watch};
use crate::commands::secrets::{Missing, resolve_tokens};
use crate::commands::session::{RecordAccess, record_error};
use crate::error::{CommandError, chain};

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All that was to be done is done.
    Well,
    /// Something failed, and is tried again after a while.
    Badly,
}

/// Runs a pass, if there is anything valid to run it with.
pub(super) async fn run(watch: &mut Watch<'_>, reason: Reason) -> Ended {
    let started = Instant::now();
    let requests = watch.session.stats().requests;
    let outcomes = watch.session.api().outcomes();
    let attempted = attempt(watch).await;
    let metrics = Arc::clone(&watch.metrics);
    metrics.requests(&outcomes, &watch.session.api().outcomes());
    let ended = match attempted {
        Ok(None) => Ended::Well,
        Ok(Some(report)) => {
            let ended = told(&report);
            let held = watch.flapping.held(watch.now()).len();
            metrics.report(&report, held);
            let sent = watch.session.stats().requests - requests;
            let applied = report
                .report
                .as_ref()
                .map_or(0, hookctl::record::SyncReport::applied);
            let failed = report
                .report
                .as_ref()
                .map_or(0, hookctl::record::SyncReport::failed);
            let milliseconds = started.elapsed().as_millis();
            let reason = reason.as_str();
            if applied + failed > 0 || reason == "start" {
                let unchanged = report.plan.unchanged.len();
                tracing::info!(
                    reason,
                    applied,
                    failed,
                    unchanged,
                    requests = sent,
                    milliseconds,
                    "pass"
                );
            } else {
                tracing::debug!(reason, requests = sent, milliseconds, "pass");
            }
            learn(watch, &report);
            ended
        }
        Err(error) => {
            let milliseconds = started.elapsed().as_millis();
            let help = error.help.as_deref().unwrap_or_default();
            tracing::error!(
                reason = reason.as_str(),
                code = error.code,
                help,
                milliseconds,
                "pass failed: {}",
                error.message
            );
            Ended::Badly
        }
    };
    metrics.pass(reason, ended, started.elapsed());
    ended
}

async fn attempt(watch: &mut Watch<'_>) -> Result<Option<PassReport>, CommandError> {
    let (settings, environment) = (&watch.settings, watch.environment);
    let Some(declarations) = watch.files.declarations(settings, environment) else {
        return Ok(None);
    };
    let resolved = resolve_tokens(&declarations, settings, environment, Missing::Error).await;
    if let Some(first) = resolved.diagnostics.iter().next()
        && resolved.diagnostics.has_errors()
    {
        return Err(CommandError::new(
            "secrets-unresolved",
            first.message.clone(),
        ));
    }
    let cache = match watch.session.records(false)? {
        RecordAccess::Writing(cache) => cache,
        RecordAccess::Reading(_) => return Ok(None),
    };
    let result = with_record(watch, &cache, declarations, &resolved.secrets).await;
    cache.close().map_err(|error| record_error(&error))?;
    result.map(Some)
}

async fn with_record(
    watch: &mut Watch<'_>,
    cache: &Cache,
    declarations: hookctl::declaration::Declarations,
    secrets: &hookctl::secret::Secrets,
) -> Result<PassReport, CommandError> {
    let remembered = crate::commands::session::remembered_of(cache)?;
    let desired = watch.session.desired(declarations, secrets, &remembered)?;
    let now = watch.now();
    let policy = Policy {
        only: watch.only.clone().except(watch.flapping.held(now)),
        prune: if (watch.args.prune || watch.settings.prune) && watch.schedule.may_prune() {
            Prune::Yes
        } else {
            Prune::No
        },
        unverified_secrets: UnverifiedSecrets::Assert,
    };
    let time = || jiff::Timestamp::now().to_string();
    let pass = |policy| Pass {
        api: watch.session.api(),
        desired: &desired,
        secrets,
        policy,
        limits: watch.settings.limits,
        overrides: Overrides::default(),
        options: ApplyOptions {
            concurrency: watch.settings.concurrency,
            now: &time,
            provenance: crate::provenance::of(&watch.settings.webhooks_dir),
            cancellation: watch.cancellation.clone(),
        },
    };
    let without_drift;
    let mut chosen = &policy;
    if watch.args.drift == Drift::Warn {
        let planned = prepare(&pass(&policy), remembered).await.map_err(failed)?;
        let drifted = drifted(&planned.plan);
        watch.metrics.left(drifted.len());
        for planned in &drifted {
            tracing::warn!(
                key = planned.key.as_str(),
                fields = fields(planned),
                "drift, left as it is"
            );
        }
        let keys: Vec<Key> = drifted.iter().map(|planned| planned.key.clone()).collect();
        without_drift = Policy {
            only: policy.only.clone().except(keys),
            ..policy.clone()
        };
        chosen = &without_drift;
    }
    let mut apply = |_: &Plan| Verdict::Apply;
    reconcile(&pass(chosen), cache, &Told, &mut apply)
        .await
        .map_err(failed)
}

/// The actions that are there only because somebody changed the remote.
fn drifted(plan: &Plan) -> Vec<PlannedAction> {
    let drifted = plan
        .actions
        .iter()
        .filter(|planned| planned.is_drift_only());
    drifted.cloned().collect()
}

fn failed(error: PassError) -> CommandError {
    match error {
        PassError::Plan(problems) => {
            let texts: Vec<String> = problems.problems.iter().map(ToString::to_string).collect();
            CommandError::new("no-plan", texts.join("; "))
        }
        PassError::Refused { refusal, .. } => {
            CommandError::new(refusal.code(), refusal.to_string())
        }
        other => CommandError::new("pass", chain(&other)),
    }
}

/// Whether a report is one of a pass that went well.
fn told(report: &PassReport) -> Ended {
    if let Some(error) = &report.ended_by {
        tracing::error!(error = %chain(error), "a further round was needed, and failed");
    }
    let complete = report.report.as_ref().is_none_or(|results| {
        for twin in &results.twins {
            tracing::error!("{twin}");
        }
        results.is_complete()
    });
    if complete && !report.unsettled && report.ended_by.is_none() {
        Ended::Well
    } else {
        Ended::Badly
    }
}

/// Learns which fields were set back, so that none is fought over for ever.
fn learn(watch: &mut Watch<'_>, report: &PassReport) {
    let now = watch.now();
    for result in report.results() {
        if !matches!(result.outcome, Outcome::Applied { .. }) {
            continue;
        }
        for change in &result.planned.changes {
            let key = &result.planned.key;
            if change.cause() == Cause::Drift
                && watch.flapping.reverted(key, change.field_name(), now)
            {
                tracing::error!(
                    key = key.as_str(),
                    field = change.field_name(),
                    "set back three times in ten minutes: somebody else keeps changing it. The webhook is \
                     left alone until a file changes, or for an hour"
                );
            }
        }
    }
}

fn fields(planned: &PlannedAction) -> String {
    let names: Vec<&str> = planned
        .changes
        .iter()
        .map(hookctl::plan::Change::field_name)
        .collect();
    names.join(", ")
}

/// One line for each change.
struct Told;

impl Listener for Told {
    fn on(&self, event: ApplyEvent<'_>) {
        let ApplyEvent::Ended { planned, outcome } = event else {
            return;
        };
        let (key, action) = (planned.key.as_str(), planned.action.as_str());
        let cause = planned
            .changes
            .first()
            .map(|change| change.cause().as_str());
        let cause = cause.unwrap_or_default();
        match outcome {
            Outcome::Applied { id, .. } => {
                tracing::info!(
                    key,
                    action,
                    fields = fields(planned),
                    cause,
                    id = id.as_str(),
                    "applied"
                );
            }
            Outcome::Failed { error, .. } => tracing::error!(key, action, error, "failed"),
            Outcome::NotAttempted => tracing::warn!(key, action, "not attempted"),
        }
    }
}
