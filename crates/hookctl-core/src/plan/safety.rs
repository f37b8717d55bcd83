//! The last look at a finished plan, before the first effect: is it larger than anybody meant?
//!
//! A percentage alone does not protect a small set, and a count alone does not fit a large one, so a
//! plan is refused only when it is over both.

use super::{Action, Cause, Plan};
use crate::state::DesiredState;

/// How much one plan may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyLimits {
    /// Deletes, as a percentage of the webhooks that are ours (0 to 100).
    pub max_delete_percent: u32,
    /// Deletes that are always allowed.
    pub max_delete_count: u32,
    /// Updates, as a percentage of the webhooks that are ours (0 to 100).
    pub max_update_percent: u32,
    /// Updates that are always allowed.
    pub max_update_count: u32,
}

impl Default for SafetyLimits {
    /// 30 % and 3 deletes, 50 % and 10 updates: octoDNS's share of deletes without its blind spot for
    /// small sets, and room for an ordinary edit of a shared default.
    fn default() -> Self {
        Self {
            max_delete_percent: 30,
            max_delete_count: 3,
            max_update_percent: 50,
            max_update_count: 10,
        }
    }
}

/// Which refusals are waived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--force`: the limits, and an account in which none of our webhooks is.
    pub force: bool,
    /// `--allow-empty`: no declaration at all.
    pub allow_empty: bool,
}

/// How many bindings it takes until none of them being there is suspicious.
const BINDINGS_TO_TRUST: usize = 3;

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is declared.
    #[error(
        "no webhook is declared: an empty or wrong folder would otherwise look like the wish to have none. If that is meant, add --allow-empty"
    )]
    NothingDeclared,
    /// None of the bound webhooks is on the remote.
    #[error(
        "none of the {bound} webhooks bound so far is in this account: the API key is probably another team's. Check the target's key and URL; if all of them really were deleted, add --force"
    )]
    ForeignAccount {
        /// How many are bound.
        bound: usize,
    },
    /// Too many deletes or updates at once.
    #[error(
        "the plan {verb}s {count} of {ours} webhooks ({percent} %), over the limits of {max_percent} % (safety.max_{verb}_percent) and {max_count} (safety.max_{verb}_count). Look the plan over; to apply it once, add --force; to allow it always, raise the limit in hookctl.yaml"
    )]
    TooMany {
        /// `delete` or `update`.
        verb: &'static str,
        /// How many the plan has.
        count: usize,
        /// How many webhooks are ours.
        ours: usize,
        /// The share, in percent, rounded down.
        percent: usize,
        /// The limit of the share.
        max_percent: u32,
        /// The limit of the count.
        max_count: u32,
    },
}

impl Refusal {
    /// The stable code, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingDeclared => "nothing-declared",
            Self::ForeignAccount { .. } => "foreign-account",
            Self::TooMany { verb, .. } => match verb.as_bytes() {
                b"delete" => "too-many-deletes",
                _ => "too-many-updates",
            },
        }
    }
}

/// Checks a finished plan.
///
/// A token that is only written once more because it cannot be compared does not count as an update:
/// after a lost cache that concerns every webhook, and changes none.
///
/// # Errors
/// The first [`Refusal`] that is not waived.
pub fn check(
    plan: &Plan,
    desired: &DesiredState,
    limits: &SafetyLimits,
    overrides: Overrides,
) -> Result<(), Refusal> {
    if desired.is_empty() && !overrides.allow_empty {
        return Err(Refusal::NothingDeclared);
    }
    if overrides.force {
        return Ok(());
    }
    if plan.bindings.known >= BINDINGS_TO_TRUST && plan.bindings.present == 0 {
        return Err(Refusal::ForeignAccount {
            bound: plan.bindings.known,
        });
    }
    let deletes = plan
        .actions
        .iter()
        .filter(|planned| matches!(planned.action, Action::Delete(_)))
        .count();
    let updates = plan
        .actions
        .iter()
        .filter(|planned| planned.action.patch().is_some())
        .filter(|planned| {
            planned
                .changes
                .iter()
                .any(|change| change.cause() != Cause::Unverified)
        })
        .count();
    limit(
        "delete",
        deletes,
        plan.ours,
        limits.max_delete_percent,
        limits.max_delete_count,
    )?;
    limit(
        "update",
        updates,
        plan.ours,
        limits.max_update_percent,
        limits.max_update_count,
    )
}

fn limit(
    verb: &'static str,
    count: usize,
    ours: usize,
    max_percent: u32,
    max_count: u32,
) -> Result<(), Refusal> {
    let over_count = count > max_count as usize;
    let over_percent = count.saturating_mul(100) > ours.saturating_mul(max_percent as usize);
    if over_count && over_percent {
        return Err(Refusal::TooMany {
            verb,
            count,
            ours,
            percent: count.saturating_mul(100).checked_div(ours).unwrap_or(100),
            max_percent,
            max_count,
        });
    }
    Ok(())
}
