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

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::apply::{ApplyOptions, Listener, UndecidedCreate, apply, remember, settle_pending};
use crate::plan::safety::{self, Overrides, Refusal, SafetyLimits};
use crate::plan::{Plan, PlanError, Policy, plan};
use crate::record::{
    ActionResult, Journal, JournalError, Outcome, Pending, Settlement, SyncReport,
};
use crate::remote::{Listing, ObserveError, WebhookApi, observe, observe_absences};
use crate::secret::{Fingerprint, FingerprintKey, NoRandomness, Salt, Secrets};
use crate::state::{DesiredState, LastApplied, ObservedState, TokenEvidence};
use crate::webhook::Key;

/// How often a pass plans again after a concurrent edit: once for the edit, once more for good
/// measure. Whoever edits faster than that is another program, and fighting it helps nobody.
pub const MAX_ROUNDS: usize = 3;

/// What a pass reads and writes records through.
pub trait Records: Journal {
    /// What is remembered, every write so far included.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn remembered(&self) -> Result<Arc<Remembered>, RecordsError>;

    /// Keeps what was observed: for looking at it later, and so that a webhook that was there before a
    /// write is never taken for one that it made. Durable with the next intent at the latest.
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

/// Whoever sees each round's plan before its first effect. A function of the plan is one.
pub trait Review: Send {
    /// Decides. What a plan holds only to be shown (such as [`Plan::recent_events`]) may be filled in.
    fn review(&mut self, plan: &mut Plan) -> impl Future<Output = Verdict> + Send;
}

impl<F: FnMut(&Plan) -> Verdict + Send> Review for F {
    fn review(&mut self, plan: &mut Plan) -> impl Future<Output = Verdict> + Send {
        std::future::ready(self(plan))
    }
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
    /// Why no further round could be made, though one was needed.
    pub ended_by: Option<PassError>,
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
    /// What an interrupted run left behind cannot be settled.
    #[error(transparent)]
    Undecided(UndecidedCreate),
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

/// What is remembered before a plan: of each bound webhook, and of writes without an outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// What is remembered of each bound webhook.
    pub last_applied: LastApplied,
    /// The writes whose outcome is not known.
    pub pending: Pending,
}

/// The list and the plan made from it.
#[derive(Debug)]
pub struct Planned {
    /// What was observed.
    pub observed: ObservedState,
    /// How the pending writes ended, by that list.
    pub settlements: Vec<Settlement>,
    /// The plan.
    pub plan: Plan,
}

impl Planned {
    /// Whether there is nothing to send and nothing to record.
    pub fn is_idle(&self) -> bool {
        self.plan.is_empty() && self.settlements.is_empty()
    }
}

/// Reads the list, settles by it what is pending, makes the plan, and checks it. Writes nothing.
///
/// # Errors
/// [`PassError`]
pub async fn prepare<A: WebhookApi>(
    pass: &Pass<'_, A>,
    remembered: &Remembered,
) -> Result<Planned, PassError> {
    let listing = observe(pass.api).await.map_err(PassError::Observe)?;
    let pages = listing.pages;
    let planned = planned(pass, remembered, listing.observed)?;
    // What is missing from a list of several pages may have slipped from one to another.
    let relies_on_absences = planned.plan.relies_on_absences() || !remembered.pending.is_empty();
    let planned = if pages > 1 && relies_on_absences {
        let first = Listing {
            observed: planned.observed,
            pages,
        };
        let stable = observe_absences(pass.api, first)
            .await
            .map_err(PassError::Observe)?;
        self::planned(pass, remembered, stable.observed)?
    } else {
        planned
    };
    match safety::check(&planned.plan, pass.desired, &pass.limits, pass.overrides) {
        Ok(()) => Ok(planned),
        Err(refusal) => Err(PassError::Refused {
            plan: Box::new(planned.plan),
            refusal,
        }),
    }
}

fn planned<A>(
    pass: &Pass<'_, A>,
    remembered: &Remembered,
    observed: ObservedState,
) -> Result<Planned, PassError> {
    let Remembered {
        last_applied,
        pending,
    } = remembered;
    let settlements = settle_pending(pending, pass.desired, last_applied, &observed)
        .map_err(PassError::Undecided)?;
    let mut last_applied = Cow::Borrowed(last_applied);
    if !settlements.is_empty() {
        remember(&settlements, last_applied.to_mut());
    }
    let plan =
        plan(pass.desired, &observed, &last_applied, pass.policy).map_err(PassError::Plan)?;
    Ok(Planned {
        observed,
        settlements,
        plan,
    })
}

/// Runs one pass. `review` is shown each round's plan and says whether to apply it.
///
/// # Errors
/// [`PassError`] if nothing, or nothing certain, was written. Failures of single actions are in the
/// report.
pub async fn reconcile<A: WebhookApi, R: Records>(
    pass: &Pass<'_, A>,
    records: &R,
    listener: &dyn Listener,
    review: &mut impl Review,
) -> Result<PassReport, PassError> {
    let mut done: Option<PassReport> = None;
    for round in 1..=MAX_ROUNDS {
        let remembered = records.remembered().map_err(PassError::Records)?;
        let prepared = prepare(pass, &remembered).await;
        let Planned {
            observed,
            settlements,
            mut plan,
        } = match (prepared, done.take()) {
            (Ok(planned), earlier) => {
                done = earlier;
                planned
            }
            // What was done before is done, and has to be told.
            (Err(error), Some(earlier)) => {
                return Ok(PassReport {
                    ended_by: Some(error),
                    ..earlier
                });
            }
            (Err(error), None) => return Err(error),
        };
        let verdict = if plan.actions.is_empty() {
            Verdict::Apply
        } else {
            review.review(&mut plan).await
        };
        if verdict == Verdict::Leave {
            return Ok(done.unwrap_or(PassReport {
                plan,
                report: None,
                rounds: round,
                unsettled: false,
                ended_by: None,
            }));
        }
        let settled = settlements
            .into_iter()
            .map(|settlement| records.settle(settlement));
        futures_util::future::try_join_all(settled)
            .await
            .map_err(PassError::Journal)?;
        records
            .keep_observed(&(pass.options.now)(), &observed)
            .map_err(PassError::Records)?;
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
            ended_by: None,
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
    results.twins.extend(report.twins);
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

    /// Whether all that was to be done is done.
    pub fn is_complete(&self) -> bool {
        let complete = self.report.as_ref().is_none_or(SyncReport::is_complete);
        complete && !self.unsettled && self.ended_by.is_none()
    }
}

/// What a plan may know of the resolved tokens: for each its fingerprint, made with the salt of the
/// record so that the two can be compared, or with a fresh one.
pub fn evidence(
    secrets: &Secrets,
    remembered: &Remembered,
    key: &FingerprintKey,
    fresh_salt: &mut dyn FnMut(&Key) -> Salt,
) -> BTreeMap<Key, TokenEvidence> {
    secrets
        .iter()
        .map(|(name, secret)| {
            let recorded = remembered.last_applied.get(name);
            let salt = remembered
                .pending
                .token_of(name)
                .or_else(|| recorded.and_then(|record| record.token.as_ref()))
                .map_or_else(|| fresh_salt(name), Fingerprint::salt);
            (
                name.clone(),
                TokenEvidence::Known(key.fingerprint(salt, secret)),
            )
        })
        .collect()
}

/// The same with fresh draws. A token of which nothing is remembered gets the salt that is given for it, or
/// one of its own.
///
/// # Errors
/// [`NoRandomness`]
pub fn fresh_evidence(
    secrets: &Secrets,
    remembered: &Remembered,
    key: &FingerprintKey,
    given: &BTreeMap<Key, Salt>,
) -> Result<BTreeMap<Key, TokenEvidence>, NoRandomness> {
    let mut failed = None;
    let evidence = evidence(secrets, remembered, key, &mut |name| {
        let drawn = given.get(name).copied().map_or_else(Salt::draw, Ok);
        drawn.unwrap_or_else(|error| {
            failed = Some(error);
            Salt::new([0; 16])
        })
    });
    failed.map_or(Ok(evidence), Err)
}

impl Records for crate::cache::Cache {
    fn remembered(&self) -> Result<Arc<Remembered>, RecordsError> {
        Ok(Arc::new(Remembered {
            last_applied: self.last_applied()?,
            pending: self.pending()?,
        }))
    }

    fn keep_observed(&self, at: &str, observed: &ObservedState) -> Result<(), RecordsError> {
        Self::keep_observed(self, at, observed).map_err(Into::into)
    }
}
