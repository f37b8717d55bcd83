//! One pass of a watch. It plans with the cached record first, so that an idle pass opens nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::host::{Drift, Host, Inputs, PassFailure, WatchEvent};
use super::schedule::Reason;
use crate::apply::{ApplyEvent, ApplyOptions, Listener, RunContext, Settle};
use crate::reconcile::{
    FirstList, PassReport, PlanInputs, Planned, Verdict, fresh_evidence, prepare, reconcile,
};
use hookctl_core::plan::safety::Overrides;
use hookctl_core::plan::{Plan, PlannedAction, Policy, Prune, UnverifiedSecrets};
use hookctl_core::record::Remembered;
use hookctl_core::secret::Secrets;
use hookctl_core::state::DesiredState;
use hookctl_core::webhook::Key;
use hookctl_files::declaration::Declarations;
use hookctl_record::OpenRecord;

/// The loop's inputs to a pass.
pub(super) struct PassContext<'a> {
    pub(super) reason: Reason,
    pub(super) held: BTreeSet<Key>,
    pub(super) may_prune: bool,
    pub(super) cancellation: &'a CancellationToken,
}

/// The report of a pass, and the drift that it did not correct.
pub(super) type Made = (PassReport, Vec<Arc<PlannedAction>>);

/// Runs one pass. Returns `None` until valid files have been loaded, and if cancelled early.
pub(super) async fn run<H: Host>(
    host: &H,
    context: PassContext<'_>,
) -> Result<Option<Made>, PassFailure<H::Error>> {
    let inputs = tokio::select! {
        biased;
        // Dropping the future ends the programs that print secrets.
        () = context.cancellation.cancelled() => None,
        inputs = host.inputs() => inputs.map_err(PassFailure::Inputs)?,
    };
    let Some(Inputs {
        declarations,
        secrets,
    }) = inputs
    else {
        return Ok(None);
    };
    let options = host.options();
    let policy = Policy {
        only: options.only.clone().except(context.held),
        prune: if options.prune && context.may_prune {
            Prune::Yes
        } else {
            Prune::No
        },
        unverified_secrets: UnverifiedSecrets::Assert,
        retry_held: false,
    };
    let runner = Runner {
        host,
        secrets: &secrets,
        policy,
        cancellation: context.cancellation,
    };
    // Changed files usually need a write, so planning with the cached record would only cost an extra list request.
    if context.reason != Reason::Files
        && let Some(cached) = host.record().cached().await
        && let Some(made) = runner.idle(declarations.clone(), &cached).await?
    {
        return Ok(Some(made));
    }
    let open = host
        .record()
        .open_late()
        .await
        .map_err(PassFailure::Record)?;
    let made = runner.with_record(&open, declarations).await;
    open.close_and_cache().await.map_err(PassFailure::Record)?;
    made.map(Some)
}

struct Runner<'a, H> {
    host: &'a H,
    secrets: &'a Secrets,
    policy: Policy,
    cancellation: &'a CancellationToken,
}

impl<H: Host> Runner<'_, H> {
    /// Plans with the cached record. Returns `None` if there is anything to send or to record.
    async fn idle(
        &self,
        declarations: Declarations,
        cached: &Remembered,
    ) -> Result<Option<Made>, PassFailure<H::Error>> {
        let desired = self.desired(declarations, cached)?;
        let mut planned = self.prepare(&desired, cached).await?;
        let mut left = Vec::new();
        if self.host.options().drift == Drift::Warn {
            left = drifted(&planned.plan);
            let actions = &mut planned.plan.actions;
            actions.retain(|planned| !planned.is_drift_only());
        }
        if !planned.is_idle() {
            return Ok(None);
        }
        let report = PassReport::left(planned.plan);
        Ok(Some((report, left)))
    }

    async fn with_record(
        &self,
        open: &OpenRecord,
        declarations: Declarations,
    ) -> Result<Made, PassFailure<H::Error>> {
        let remembered = open.remembered().await.map_err(PassFailure::Record)?;
        let desired = self.desired(declarations, &remembered)?;
        let mut policy = self.policy.clone();
        let mut left = Vec::new();
        if self.host.options().drift == Drift::Warn {
            left = drifted(&self.prepare(&desired, &remembered).await?.plan);
            let keys = left.iter().map(|planned| planned.key.clone());
            policy.only = policy.only.except(keys);
        }
        let inputs = self.inputs(&desired, policy);
        let provenance = || self.host.provenance();
        let watched = self.host.options();
        let options = ApplyOptions {
            secrets: self.secrets,
            concurrency: watched.concurrency,
            grace: watched.request_grace,
            provenance: Some(&provenance),
            run: self.host.run(),
        };
        let mut apply = |_: &Plan| Verdict::Apply;
        let report = reconcile(&inputs, &options, open, &Forward(self.host), &mut apply)
            .await
            .map_err(PassFailure::Pass)?;
        Ok((report, left))
    }

    fn desired(
        &self,
        declarations: Declarations,
        remembered: &Remembered,
    ) -> Result<DesiredState, PassFailure<H::Error>> {
        let key = self.host.fingerprint_key();
        let evidence = fresh_evidence(self.secrets, remembered, key, &BTreeMap::new());
        let evidence = evidence.map_err(PassFailure::Randomness)?;
        Ok(declarations.into_desired(&evidence))
    }

    async fn prepare(
        &self,
        desired: &DesiredState,
        remembered: &Remembered,
    ) -> Result<Planned, PassFailure<H::Error>> {
        let inputs = self.inputs(desired, self.policy.clone());
        prepare(&inputs, remembered)
            .await
            .map_err(PassFailure::Pass)
    }

    fn inputs<'a>(&'a self, desired: &'a DesiredState, policy: Policy) -> PlanInputs<'a, H::Api> {
        let options = self.host.options();
        PlanInputs {
            api: self.host.api(),
            desired,
            policy,
            limits: options.limits,
            overrides: Overrides::default(),
            settle: Settle::Wait,
            first_list: FirstList::default(),
            context: RunContext {
                clock: self.host.clock(),
                horizon: options.horizon,
                cancellation: self.cancellation.clone(),
            },
        }
    }
}

/// Returns the actions that only correct drift.
fn drifted(plan: &Plan) -> Vec<Arc<PlannedAction>> {
    let drifted = plan
        .actions
        .iter()
        .filter(|planned| planned.is_drift_only());
    drifted.cloned().collect()
}

/// Forwards the events of actions to the host.
struct Forward<'a, H>(&'a H);

impl<H: Host> Listener for Forward<'_, H> {
    fn on(&self, event: ApplyEvent<'_>) {
        self.0.on_event(WatchEvent::Action(event));
    }
}
