//! The core: what has to be done so that the API holds what the files say.
//!
//! `plan(desired, observed, last_applied, policy) -> Plan` is a pure function over plain data: no
//! files, environment, network, clock, or randomness. It sees secrets as fingerprints only, so a plan
//! can be printed, saved, and sent. A plan leaves whoever applies it nothing to decide.
//!
//! # Identity
//!
//! Which remote webhook a key stands for, in this order: the `id` in the file; the binding in the
//! record, if that id is still observed; adoption of the one observed webhook that nobody is bound to
//! and that has the same name (or one of the `previously` names; if several match, the same URL too);
//! else none. Two keys never get one id.
//!
//! | declared | observed | bound | result |
//! | --- | --- | --- | --- |
//! | yes | by pin or binding | yes | nothing or update, by fields |
//! | yes | by pin | no | adopt, plus update by fields |
//! | yes, pinned | the pinned id is not there | any | error: change or remove the pin |
//! | yes | exactly one match that is not bound | no, or its id is gone | adopt, plus update by fields |
//! | yes | several matches | no | error, the ids listed |
//! | yes | only a match that another key, which is declared no more, is bound to | no | error: a renamed key would double the webhook |
//! | yes | no match | its id is gone | recreate (drift) |
//! | yes | no match | no | create |
//! | `absent` | yes, by identity | any | delete (unless `prevent_destroy` is remembered: error) |
//! | `absent`, not pinned | by binding, and another of that name that is not bound | yes | error, the ids listed |
//! | `absent` | no | yes / no | forget / nothing |
//! | `released` | any | yes | forget; nothing is sent |
//! | `released` | any | no | nothing |
//! | `absent`, and `released` under another key | yes, by identity or name | any | error: one of the two is wrong |
//! | no, but `released` under another key, by pin or name | yes | yes | forget, whether orphans are pruned or not |
//! | no | yes | yes | orphan: with prune delete (unless `prevent_destroy`: error), else reported |
//! | no | yes, but pinned by another key | yes | forget |
//! | no | no | yes | forget |
//! | no | yes | no | unmanaged: counted, untouched |
//! | yes or `absent` | by pin or binding, and it cannot be read | any | error, which names the webhook and the field |
//! | yes or `absent` | one that is not bound, has the name, and cannot be read | no | error: it could be it |
//! | yes | no match, and one that is not bound has a name that cannot be read | no | error: it could be it |
//! | no | yes, and it cannot be read | yes | orphan; with prune an error |
//! | no | yes, and it cannot be read | no | unmanaged, with a notice |
//!
//! # Fields
//!
//! Fields that are not in `ignore_changes`; d = desired, o = observed, s = last sent, t = as the API
//! stored it. The first row that holds decides.
//!
//! | test | result |
//! | --- | --- |
//! | d = o | nothing |
//! | d = s and o = t | nothing: the API's own form of what we sent |
//! | no record | change, unrecorded |
//! | o = t | change, edited |
//! | d = s | change, drift |
//! | otherwise | change, conflict |
//!
//! # Token
//!
//! It has a table of its own, in [`token`].

mod action;
mod change;
mod decide;
mod diff;
mod duplicates;
mod identity;
mod order;
mod patch;
mod policy;
mod problem;
mod reserved;
pub mod safety;
mod summary;
pub mod token;

pub use action::{
    Action, Adoption, Bindings, Deletion, DeletionReason, ForgetReason, Notice, Orphan, Plan,
    PlannedAction, Refresh, Unmanaged, Update,
};
pub use change::{Cause, Change, TokenShown};
pub use order::Phase;
pub use patch::Patch;
pub use policy::{KeyFilter, Policy, Prune, UnverifiedSecrets};
pub use problem::{PlanError, PlanProblem};
pub use summary::Summary;

use crate::state::{DesiredState, LastApplied, ObservedState};

/// Makes the plan that turns the observed state into the desired state.
///
/// The result depends on the arguments alone, and the same arguments give the same plan, in the same
/// order.
///
/// # Errors
/// [`PlanError`] with every problem found: an identity that cannot be told, or a deletion that
/// `prevent_destroy` forbids. Nothing can be planned around them, since a wrong guess doubles or loses
/// a webhook.
pub fn plan(
    desired: &DesiredState,
    observed: &ObservedState,
    last_applied: &LastApplied,
    policy: &Policy,
) -> Result<Plan, PlanError> {
    let identities = identity::identify(desired, observed, last_applied, &policy.only)?;
    let mut plan = decide::decide(desired, observed, last_applied, policy, &identities)?;
    order::sort(&mut plan.actions);
    Ok(plan)
}
