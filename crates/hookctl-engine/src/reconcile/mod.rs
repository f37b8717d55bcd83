//! One pass: observe, plan, check, review, apply; at most three rounds.
//!
//! # Expected flow
//! A round reads the list ([`FirstList`] may have begun before), plans, checks the safety limits, asks for a review, and applies the plan. If a webhook was
//! missing, or another writer edited one meanwhile, another round follows with a fresh list. If a request may still
//! take effect, the pass closes the record, and continues after growing pauses ([`reconcile_settling`]), for one
//! horizon at most.
//!
//! # Guarantees
//! - A dry run takes the same path and stops before the first effect.
//! - Before the plan is checked and reviewed, the pass only reads the list.
//! - No request is sent that an earlier one, which may still take effect, could duplicate or undo.
//!
//! # Assumptions
//! The desired state is complete, and the record is locked against other writers while it is open.
//!
//! # Caveats
//! The API has no versions, so a concurrent edit between the list and the write shows only in the response.

mod evidence;
mod first_list;
mod round;
mod settling;

pub use evidence::{evidence, fresh_evidence};
pub use first_list::FirstList;
pub use round::{prepare, reconcile};
pub use settling::reconcile_settling;

use hookctl_core::record::RecordError;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::apply::{Held, RunContext, Settle, Settled, UndecidedCreate};
use crate::report::{ActionResult, SyncReport};
use hookctl_api::ObserveError;
use hookctl_core::clock::Clock;
use hookctl_core::plan::safety::{Overrides, Refusal, SafetyLimits};
use hookctl_core::plan::{Plan, PlanError, Policy};
use hookctl_core::record::JournalError;
use hookctl_core::state::{DesiredState, ObservedState};
use hookctl_core::webhook::Key;

/// The maximum number of rounds of a pass. A writer that still conflicts in the third is another program, and the
/// pass stops competing with it.
pub const MAX_ROUNDS: usize = 3;

/// What planning needs: all of a dry run.
#[derive(Clone)]
pub struct PlanInputs<'a, A> {
    /// The client of the API.
    pub api: &'a A,
    /// The desired state.
    pub desired: &'a DesiredState,
    /// The policy of the plan.
    pub policy: Policy,
    /// The limits on what a plan may change.
    pub limits: SafetyLimits,
    /// The overridden safety limits.
    pub overrides: Overrides,
    /// Whether the pass waits for writes that may still take effect.
    pub settle: Settle,
    /// A list for the first plan, if its requests began already.
    pub first_list: FirstList,
    /// The time, and what cancels the pass.
    pub context: RunContext<'a>,
}

impl<'a, A> PlanInputs<'a, A> {
    /// Creates inputs with the default policy, limits, and horizon. Such a pass waits for writes that may still take
    /// effect, and nothing cancels it.
    pub fn new(api: &'a A, desired: &'a DesiredState, clock: &'a Arc<dyn Clock>) -> Self {
        Self {
            api,
            desired,
            policy: Policy::default(),
            limits: SafetyLimits::default(),
            overrides: Overrides::default(),
            settle: Settle::Wait,
            first_list: FirstList::default(),
            context: RunContext::new(clock),
        }
    }
}

impl<A> fmt::Debug for PlanInputs<'_, A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PlanInputs")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .field("overrides", &self.overrides)
            .field("settle", &self.settle)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// The verdict of a [`Review`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Apply the plan.
    Apply,
    /// Apply nothing.
    Leave,
}

/// Reviews each round's plan before its first effect. A closure over the plan implements it.
pub trait Review: Send {
    /// Decides about a plan. It may fill in display-only fields of the plan, such as [`Plan::recent_events`].
    fn review(&mut self, plan: &mut Plan) -> impl Future<Output = Verdict> + Send;
}

impl<F: FnMut(&Plan) -> Verdict + Send> Review for F {
    fn review(&mut self, plan: &mut Plan) -> impl Future<Output = Verdict> + Send {
        std::future::ready(self(plan))
    }
}

/// The report of a pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct PassReport {
    /// The first round's plan.
    pub plan: Plan,
    /// The results of all rounds; `None` if no plan was applied.
    pub report: Option<SyncReport>,
    /// The number of rounds.
    pub rounds: usize,
    /// Whether another writer still conflicted in the last round.
    pub contested: bool,
    /// The writes that may still take effect; `None` if there are none.
    pub waits: Option<Waits>,
    /// The keys whose actions were sent without waiting for an earlier write that may undo or duplicate them.
    pub unwaited: BTreeSet<Key>,
    /// Why a further round, which was needed, failed.
    pub ended_by: Option<PassError>,
}

/// Writes that may still take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The keys whose writes may still take effect.
    pub keys: BTreeSet<Key>,
    /// The longest time for which one of them may.
    pub remaining: Duration,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// The pass was cancelled before anything was written.
    #[error("interrupted before any change was made")]
    Interrupted,
    /// The list could not be read.
    #[error("could not list the webhooks")]
    Observe(#[source] ObserveError),
    /// The record could not be read or written.
    #[error("could not use the record")]
    Record(#[source] RecordError),
    /// A create of an interrupted run cannot be settled.
    #[error(transparent)]
    Undecided(UndecidedCreate),
    /// The plan failed.
    #[error("could not make a plan")]
    Plan(#[source] PlanError),
    /// The plan exceeds a safety limit.
    #[error("the plan is refused")]
    Refused {
        /// The plan.
        plan: Box<Plan>,
        /// The limit that it exceeds.
        #[source]
        refusal: Refusal,
    },
    /// The record could not be written before the first request.
    #[error("could not update the record; nothing was changed")]
    Journal(#[source] JournalError),
}

/// A list and the plan for it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Planned {
    /// The observed state.
    pub observed: Arc<ObservedState>,
    /// The outcome of the pending writes according to the list.
    pub settled: Settled,
    /// The actions that wait for pending writes.
    pub held: Held,
    /// The plan.
    pub plan: Plan,
}

impl Planned {
    /// Returns whether there is nothing to send, to record, or to wait for.
    pub fn is_idle(&self) -> bool {
        self.plan.is_empty()
            && self.settled.settlements.is_empty()
            && self.held.waits_for.is_empty()
    }
}

impl PassReport {
    /// Returns the report of a pass that applied nothing.
    pub const fn left(plan: Plan) -> Self {
        Self {
            plan,
            report: None,
            rounds: 1,
            contested: false,
            waits: None,
            unwaited: BTreeSet::new(),
            ended_by: None,
        }
    }

    /// Returns the results of the actions, in the order in which they were carried out; empty if no plan was applied.
    pub fn results(&self) -> &[ActionResult] {
        self.report
            .as_ref()
            .map_or(&[], |report| report.results.as_slice())
    }

    /// Returns whether the account now matches the desired state.
    pub fn is_complete(&self) -> bool {
        let complete = self.report.as_ref().is_none_or(SyncReport::is_complete);
        complete && !self.contested && self.waits.is_none() && self.ended_by.is_none()
    }
}
