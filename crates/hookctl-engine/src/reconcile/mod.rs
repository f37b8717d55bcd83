//! One pass: observe, plan, show, check, apply; at most three rounds.
//!
//! # Expected flow
//! The list is read, the plan is made and shown, the safety limits are checked, and the plan is
//! applied. If a webhook was gone, or another writer edited one meanwhile, the same is done again with a
//! fresh list. If a request may still take effect, the record is closed, and the same is done again after growing
//! pauses ([`reconcile_settling`]), for one horizon at most.
//!
//! # Guarantees
//! - A dry run takes the same way and stops before the first effect.
//! - Nothing is sent but the list before the plan was shown and passed the limits.
//! - Nothing is sent that an earlier request, which may still take effect, could double or undo.
//!
//! # Assumptions
//! The desired state is complete, and the record is locked against other writers while it is open.
//!
//! # Caveats
//! The API has no versions, so an edit between our list and our write shows only in the answer.

mod evidence;
mod round;
mod settling;

pub use evidence::{evidence, fresh_evidence};
pub use round::{prepare, reconcile};
pub use settling::reconcile_settling;

use hookctl_core::record::RecordError;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::apply::{ApplyOptions, Held, Settle, Settled, UndecidedCreate};
use crate::report::{ActionResult, SyncReport};
use hookctl_api::ObserveError;
use hookctl_core::plan::safety::{Overrides, Refusal, SafetyLimits};
use hookctl_core::plan::{Plan, PlanError, Policy};
use hookctl_core::record::JournalError;
use hookctl_core::secret::Secrets;
use hookctl_core::state::{DesiredState, ObservedState};
use hookctl_core::webhook::Key;

/// How often a pass plans again after a concurrent edit: once for the edit, once more for good
/// measure. Whoever edits faster than that is another program, and fighting it helps nobody.
pub const MAX_ROUNDS: usize = 3;

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
    /// Whether writes that may still take effect are waited for.
    pub settle: Settle,
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
    /// Whether another writer was still at work after the last round.
    pub contested: bool,
    /// What may still take effect and is waited for; `None` if nothing is.
    pub waits: Option<Waits>,
    /// The keys whose actions were sent without waiting for an earlier write that may undo or double them.
    pub unwaited: BTreeSet<Key>,
    /// Why no further round could be made, though one was needed.
    pub ended_by: Option<PassError>,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The keys whose writes may still take effect.
    pub keys: BTreeSet<Key>,
    /// How long they may.
    pub remaining: Duration,
}

/// Why a pass came to no result.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// It was cancelled before anything was written.
    #[error("interrupted before any change was made")]
    Interrupted,
    /// The list could not be read.
    #[error("could not read what the API has")]
    Observe(#[source] ObserveError),
    /// The record could not be read or written.
    #[error("could not use the local record")]
    Record(#[source] RecordError),
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

/// The list and the plan made from it.
#[derive(Debug)]
pub struct Planned {
    /// What was observed.
    pub observed: Arc<ObservedState>,
    /// What became of the pending writes, by that list.
    pub settled: Settled,
    /// Which actions wait for which of them.
    pub held: Held,
    /// The plan.
    pub plan: Plan,
}

impl Planned {
    /// Whether there is nothing to send, nothing to record, and nothing to wait for.
    pub fn is_idle(&self) -> bool {
        self.plan.is_empty()
            && self.settled.settlements.is_empty()
            && self.held.waits_for.is_empty()
    }
}

impl PassReport {
    /// A pass that applied nothing.
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

    /// The results of the actions, in the order in which they were taken; none if the plan was left.
    pub fn results(&self) -> &[ActionResult] {
        self.report
            .as_ref()
            .map_or(&[], |report| report.results.as_slice())
    }

    /// Whether all that was to be done is done.
    pub fn is_complete(&self) -> bool {
        let complete = self.report.as_ref().is_none_or(SyncReport::is_complete);
        complete && !self.contested && self.waits.is_none() && self.ended_by.is_none()
    }
}
