//! One pass of a watch, told by its log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::declaration::Declarations;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Cause, Plan, PlannedAction, Policy, Prune, UnverifiedSecrets};
use hookctl::reconcile::{Pass, PassError, PassReport, Remembered, Verdict, prepare, reconcile};
use hookctl::record::Outcome;
use hookctl::remote::http::HttpApi;
use hookctl::secret::Secrets;
use hookctl::state::DesiredState;
use hookctl::store::OpenStore;
use hookctl::watch::Reason;

use super::{Drift, Watch};
use crate::commands::secrets::{Missing, resolve_tokens};
use crate::commands::session::record_error;
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
    let attempted = attempt(watch, reason).await;
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

async fn attempt(
    watch: &mut Watch<'_>,
    reason: Reason,
) -> Result<Option<PassReport>, CommandError> {
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
    let secrets = resolved.secrets;
    // Changed files mostly ask for something, so that looking first would only cost a list.
    if reason != Reason::Files
        && let Some(kept) = watch.session.store().kept()
    {
        let idle = idle(watch, declarations.clone(), &secrets, kept).await?;
        if idle.is_some() {
            return Ok(idle);
        }
    }
    let store = watch
        .session
        .store()
        .open()
        .map_err(|error| record_error(&error))?;
    let remembered = store.remembered().map_err(|error| record_error(&error))?;
    let result = with_record(watch, &store, declarations, &secrets, remembered).await;
    store
        .close_and_keep()
        .map_err(|error| record_error(&error))?;
    let (report, drifted) = result?;
    tell_drift(watch, &drifted);
    Ok(Some(report))
}

/// Plans with what is kept in memory: the report, if there is nothing to send and nothing to record.
async fn idle(
    watch: &mut Watch<'_>,
    declarations: Declarations,
    secrets: &Secrets,
    kept: Remembered,
) -> Result<Option<PassReport>, CommandError> {
    let desired = watch
        .session
        .desired(declarations, secrets, &kept, &BTreeMap::new())?;
    let policy = policy(watch);
    let mut planned = prepare(&pass(watch, &desired, secrets, &policy), kept)
        .await
        .map_err(failed)?;
    let mut left = Vec::new();
    if watch.args.drift == Drift::Warn {
        left = drifted(&planned.plan);
        planned
            .plan
            .actions
            .retain(|planned| !planned.is_drift_only());
    }
    if !planned.is_idle() {
        return Ok(None);
    }
    tell_drift(watch, &left);
    Ok(Some(PassReport {
        plan: planned.plan,
        report: None,
        rounds: 1,
        unsettled: false,
        ended_by: None,
    }))
}

async fn with_record(
    watch: &Watch<'_>,
    store: &OpenStore<'_>,
    declarations: Declarations,
    secrets: &Secrets,
    remembered: Remembered,
) -> Result<(PassReport, Vec<PlannedAction>), CommandError> {
    let desired = watch
        .session
        .desired(declarations, secrets, &remembered, &BTreeMap::new())?;
    let mut policy = policy(watch);
    let mut left = Vec::new();
    if watch.args.drift == Drift::Warn {
        let planned = prepare(&pass(watch, &desired, secrets, &policy), remembered)
            .await
            .map_err(failed)?;
        left = drifted(&planned.plan);
        policy.only = policy
            .only
            .except(left.iter().map(|planned| planned.key.clone()));
    }
    let mut pass = pass(watch, &desired, secrets, &policy);
    let provenance = || crate::provenance::of(&watch.settings.webhooks_dir);
    pass.options.provenance = Some(&provenance);
    let mut apply = |_: &Plan| Verdict::Apply;
    let report = reconcile(&pass, store, &Told, &mut apply)
        .await
        .map_err(failed)?;
    Ok((report, left))
}

fn policy(watch: &Watch<'_>) -> Policy {
    Policy {
        only: watch
            .only
            .clone()
            .except(watch.flapping.held_at(watch.now())),
        prune: if (watch.args.prune || watch.settings.prune) && watch.schedule.may_prune() {
            Prune::Yes
        } else {
            Prune::No
        },
        unverified_secrets: UnverifiedSecrets::Assert,
    }
}

fn pass<'a>(
    watch: &'a Watch<'_>,
    desired: &'a DesiredState,
    secrets: &'a Secrets,
    policy: &'a Policy,
) -> Pass<'a, HttpApi> {
    Pass {
        api: watch.session.api(),
        desired,
        secrets,
        policy,
        limits: watch.settings.limits,
        overrides: Overrides::default(),
        options: ApplyOptions {
            concurrency: watch.settings.concurrency,
            now: &time,
            provenance: None,
            cancellation: watch.cancellation.clone(),
        },
    }
}

fn time() -> String {
    jiff::Timestamp::now().to_string()
}

fn tell_drift(watch: &Watch<'_>, left: &[PlannedAction]) {
    if watch.args.drift == Drift::Fix {
        return;
    }
    watch.metrics.left(left.len());
    for planned in left {
        tracing::warn!(
            key = planned.key.as_str(),
            fields = fields(planned),
            "drift, left as it is"
        );
    }
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
