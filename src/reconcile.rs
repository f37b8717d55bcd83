//! One pass: observe, plan, show, check, apply; at most three rounds.
//!
//! # Expected flow
//! The list is read, the plan is made and shown, the safety limits are checked, and the plan is
//! applied. If a webhook was gone, or somebody else edited one meanwhile, the same is done again with a
//! fresh list.
//!
//! # Guarantees
//! - A dry run takes the same way and stops before the first effect.
//! - Nothing is sent but the list before the plan was shown and passed the limits.
//!
//! # Assumptions
//! The desired state is complete, and whoever keeps the record lets nobody else write it meanwhile.
//!
//! # Caveats
//! The API has no versions, so an edit between our list and our write shows only in the answer.

use std::collections::BTreeMap;

use crate::apply::{ApplyOptions, Listener, apply};
use crate::plan::safety::{self, Overrides, Refusal, SafetyLimits};
use crate::plan::{Plan, PlanError, Policy, plan};
use crate::record::{ActionResult, Journal, JournalError, Outcome, SyncReport};
use crate::remote::{ObserveError, WebhookApi, observe};
use crate::secret::{Fingerprint, FingerprintKey, Salt, Secrets};
use crate::state::{DesiredState, LastApplied, ObservedState, TokenEvidence};
use crate::webhook::Key;

/// How often a pass plans again after a concurrent edit: once for the edit, once more for good
/// measure. Whoever edits faster than that is another program, and fighting it helps nobody.
pub const MAX_ROUNDS: usize = 3;

/// What a pass reads and writes records through.
pub trait Records: Journal {
    /// What is remembered of each bound webhook.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn last_applied(&self) -> Result<LastApplied, RecordsError>;

    /// Keeps what was observed, for looking at it later.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    fn keep_observed(&self, at: &str, observed: &ObservedState) -> Result<(), RecordsError>;
}

/// Why records could not be read or written.
pub type RecordsError = Box<dyn std::error::Error + Send + Sync>;

/// What a pass is made of.
pub struct Pass<'a, A> {
    /// The API.
    pub api: &'a A,
    /// What the files say.
    pub desired: &'a DesiredState,
    /// The tokens to send.
    pub secrets: &'a Secrets,
    /// What else the plan depends on.
    pub policy: &'a Policy,
    /// How much a plan may change.
    pub limits: SafetyLimits,
    /// Which refusals are waived.
    pub overrides: Overrides,
    /// How the plan is applied.
    pub options: ApplyOptions<'a>,
}

/// What whoever runs a pass says to a plan before the first effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Apply it.
    Apply,
    /// Leave it.
    Leave,
}

/// How a pass ended.
#[derive(Debug)]
pub struct PassReport {
    /// The first round's plan.
    pub plan: Plan,
    /// What was applied, over all rounds; none if the plan was left.
    pub report: Option<SyncReport>,
    /// How many rounds it took.
    pub rounds: usize,
    /// Whether somebody else still was at work after the last round.
    pub unsettled: bool,
}

/// Why a pass came to no result.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The list could not be read.
    #[error("could not read what the API has")]
    Observe(#[source] ObserveError),
    /// The record could not be read or written.
    #[error("could not use the local record")]
    Records(#[source] RecordsError),
    /// No plan could be made.
    #[error("no plan could be made")]
    Plan(#[source] PlanError),
    /// The plan was refused.
    #[error("the plan is refused")]
    Refused {
        /// The plan.
        plan: Box<Plan>,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// A record could not be written before the first request.
    #[error("could not bring the local record up to date; nothing was sent")]
    Journal(#[source] JournalError),
}

/// The list and the plan made from it.
#[derive(Debug)]
pub struct Planned {
    /// What was observed.
    pub observed: ObservedState,
    /// The plan.
    pub plan: Plan,
}

/// Reads the list, makes the plan, and checks it. Writes nothing.
///
/// # Errors
/// [`PassError`]
pub async fn prepare<A: WebhookApi>(
    pass: &Pass<'_, A>,
    last_applied: &LastApplied,
) -> Result<Planned, PassError> {
    let observed = observe(pass.api).await.map_err(PassError::Observe)?;
    let plan = plan(pass.desired, &observed, last_applied, pass.policy).map_err(PassError::Plan)?;
    match safety::check(&plan, pass.desired, &pass.limits, pass.overrides) {
        Ok(()) => Ok(Planned { observed, plan }),
        Err(refusal) => Err(PassError::Refused {
            plan: Box::new(plan),
            refusal,
        }),
    }
}

/// Runs one pass. `decide` is shown each round's plan and says whether to apply it.
///
/// # Errors
/// [`PassError`] if nothing, or nothing certain, was written. Failures of single actions are in the
/// report.
pub async fn reconcile<A: WebhookApi, R: Records + ?Sized>(
    pass: &Pass<'_, A>,
    records: &R,
    listener: &dyn Listener,
    decide: &mut (dyn FnMut(&Plan) -> Verdict + Send),
) -> Result<PassReport, PassError> {
    let mut done: Option<PassReport> = None;
    for round in 1..=MAX_ROUNDS {
        let last_applied = records.last_applied().map_err(PassError::Records)?;
        let Planned { observed, plan } = prepare(pass, &last_applied).await?;
        let verdict = if plan.actions.is_empty() {
            Verdict::Apply
        } else {
            decide(&plan)
        };
        if verdict == Verdict::Leave {
            return Ok(done.unwrap_or(PassReport {
                plan,
                report: None,
                rounds: round,
                unsettled: false,
            }));
        }
        let report = apply(
            &plan,
            &observed,
            pass.secrets,
            pass.api,
            records,
            &pass.options,
            listener,
        )
        .await
        .map_err(PassError::Journal)?;
        records
            .keep_observed(&(pass.options.now)(), &observed)
            .map_err(PassError::Records)?;
        let again = report.asks_for_another_round() && !pass.options.cancellation.is_cancelled();
        let merged = merge(done.take(), plan, report, round, again);
        if !again {
            return Ok(merged);
        }
        done = Some(merged);
    }
    done.ok_or_else(|| PassError::Records("no round was run".into()))
}

/// Adds a round to the rounds before it: an action that was planned again counts as it ended last.
fn merge(
    earlier: Option<PassReport>,
    plan: Plan,
    report: SyncReport,
    rounds: usize,
    unsettled: bool,
) -> PassReport {
    let Some(mut merged) = earlier else {
        return PassReport {
            plan,
            report: Some(report),
            rounds,
            unsettled,
        };
    };
    let results = merged.report.get_or_insert_default();
    for result in report.results {
        let superseded = results.results.iter_mut().find(|earlier| {
            earlier.planned.key == result.planned.key
                && !matches!(earlier.outcome, Outcome::Applied { .. })
        });
        match superseded {
            Some(earlier) => *earlier = result,
            None => results.results.push(result),
        }
    }
    merged.rounds = rounds;
    merged.unsettled = unsettled;
    merged
}

impl PassReport {
    /// The results of the actions, in the order in which they were taken; none if the plan was left.
    pub fn results(&self) -> &[ActionResult] {
        self.report
            .as_ref()
            .map_or(&[], |report| report.results.as_slice())
    }
}

/// What a plan may know of the resolved tokens: for each its fingerprint, made with the salt of the
/// record so that the two can be compared, or with a fresh one.
pub fn evidence(
    secrets: &Secrets,
    last_applied: &LastApplied,
    key: &FingerprintKey,
    fresh_salt: &mut dyn FnMut() -> Salt,
) -> BTreeMap<Key, TokenEvidence> {
    secrets
        .iter()
        .map(|(name, secret)| {
            let salt = last_applied
                .get(name)
                .and_then(|record| record.token.as_ref())
                .map_or_else(&mut *fresh_salt, Fingerprint::salt);
            (
                name.clone(),
                TokenEvidence::Known(key.fingerprint(salt, secret)),
            )
        })
        .collect()
}

impl Records for crate::cache::Cache {
    fn last_applied(&self) -> Result<LastApplied, RecordsError> {
        Self::last_applied(self).map_err(Into::into)
    }

    fn keep_observed(&self, at: &str, observed: &ObservedState) -> Result<(), RecordsError> {
        Self::keep_observed(self, at, observed).map_err(Into::into)
    }
}
