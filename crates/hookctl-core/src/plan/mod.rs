//! The core: determines what to do so that the API matches the files.
//!
//! `plan(desired, observed, last_applied, policy) -> Plan` is a pure function over plain data: no
//! files, environment, network, clock, or randomness. It sees secrets as fingerprints only, so a plan
//! can be printed, saved, and sent. Applying a plan requires no further decisions.
//!
//! # Identity
//!
//! The remote webhook of a key is, in this order: the one with the `id` in the file; the one of the binding in the
//! record, if it still exists; the only unbound observed webhook of the same name (or of a `previously` name; if
//! several match, the same URL too), which is adopted. Otherwise there is none. Two keys never share a webhook.
//!
//! | declared | observed | bound | result |
//! | --- | --- | --- | --- |
//! | yes | by pin or binding | yes | nothing or update, by fields |
//! | yes | by pin | no | adopt, plus update by fields |
//! | yes, pinned | the pinned id does not exist | any | error: change or remove the pin |
//! | yes | exactly one unbound match | no, or its id is gone | adopt, plus update by fields |
//! | yes | several matches | no | error that lists the ids |
//! | yes | only a match bound to a key that is no longer declared | no | error: a renamed key would duplicate the webhook |
//! | yes | no match | its id is gone | recreate (drift) |
//! | yes | no match | no | create |
//! | `absent` | yes, by identity | any | delete (unless `prevent_destroy` is recorded: error) |
//! | `absent`, not pinned | by binding, and another unbound one of that name | yes | error that lists the ids |
//! | `absent` | no | yes / no | forget / nothing |
//! | `released` | any | yes | forget, without a request |
//! | `released` | any | no | nothing |
//! | `absent`, and `released` under another key | yes, by identity or name | any | error: the declarations conflict |
//! | no, but `released` under another key, by pin or name | yes | yes | forget, whether orphans are pruned or not |
//! | no | yes | yes | orphan: with prune delete (unless `prevent_destroy`: error), otherwise reported |
//! | no | yes, but pinned by another key | yes | forget |
//! | no | no | yes | forget |
//! | no | yes | no | unmanaged: counted, left alone |
//! | yes or `absent` | by pin or binding, and unreadable | any | error that names the webhook and the field |
//! | yes or `absent` | an unbound, unreadable one of that name | no | error: it could be the same |
//! | yes | no match, and an unbound one with an unreadable name | no | error: it could be the same |
//! | no | yes, and unreadable | yes | orphan; with prune an error |
//! | no | yes, and unreadable | no | unmanaged, with a notice |
//!
//! # Fields
//!
//! Fields that are not in `ignore_changes`; d = desired, o = observed, s = last sent, t = as the API
//! stored it. The first matching row applies.
//!
//! | test | result |
//! | --- | --- |
//! | d = o | nothing |
//! | d = s and o = t | nothing: the API's own form of what was sent |
//! | no record | change, unrecorded |
//! | o = t | change, edited |
//! | d = s | change, drift |
//! | otherwise | change, conflict |
//!
//! # Held webhooks
//!
//! A webhook whose change was rolled back is left alone, with a notice, while its declared fields are those that were rolled
//! back and its token is not another one. The policy may end this.
//!
//! # Token
//!
//! It has a table of its own, in [`token`].

mod action;
mod change;
mod creation;
mod decide;
mod diff;
mod duplicates;
mod held;
mod identity;
mod notice;
mod order;
mod patch;
mod policy;
mod problem;
mod reserved;
pub mod safety;
mod summary;
pub mod token;

pub use action::{
    Action, Adoption, Bindings, Deletion, DeletionReason, ForgetReason, Orphan, Plan,
    PlannedAction, Refresh, Unmanaged, Update,
};
pub use change::{Cause, Change, TokenShown};
pub use notice::Notice;
pub use order::Phase;
pub use patch::Patch;
pub use policy::{KeyFilter, Policy, Prune, UnverifiedSecrets};
pub use problem::{PlanError, PlanProblem};
pub use summary::Summary;

use crate::state::{DesiredState, LastApplied, ObservedState};

/// Plans how to turn the observed state into the desired state.
///
/// The result depends only on the arguments, including its order.
///
/// # Errors
/// Returns [`PlanError`] with every problem: an ambiguous identity, or a deletion that `prevent_destroy` forbids. Nothing
/// is planned around them, since a wrong guess would duplicate or lose a webhook.
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
