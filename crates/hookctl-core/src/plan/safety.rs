//! Checks the size of a finished plan before it is applied.
//!
//! A percentage alone does not protect a small set, and a count alone does not suit a large one, so only plans that
//! exceed both are refused.

use super::{Action, Cause, Plan};
use crate::state::DesiredState;

/// Limits on the size of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyLimits {
    /// Deletes, as a percentage of the managed webhooks (0 to 100).
    pub max_delete_percent: u32,
    /// Deletes that are always allowed.
    pub max_delete_count: u32,
    /// Updates, as a percentage of the managed webhooks (0 to 100).
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

/// The refusals to waive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--force`: waives the limits, and the check for a foreign account.
    pub force: bool,
    /// `--allow-empty`: allows no declarations.
    pub allow_empty: bool,
}

impl Overrides {
    /// Waives every refusal, for a pass that sends nothing.
    pub const ALL: Self = Self {
        force: true,
        allow_empty: true,
    };
}

/// From this many bindings on, an account without any of their webhooks is suspicious.
const BINDINGS_TO_TRUST: usize = 3;

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No webhook is declared.
    #[error("refusing to plan: no webhooks are declared")]
    NothingDeclared,
    /// None of the bound webhooks exists at the API.
    #[error("none of the {bound} recorded webhooks exists in this account")]
    ForeignAccount {
        /// The number of bindings.
        bound: usize,
    },
    /// The plan exceeds the limits on deletes or updates.
    #[error(
        "the plan {verb}s {count} of {ours} webhooks ({percent} %), over the limits of {max_percent} % (safety.max_{verb}_percent) and {max_count} (safety.max_{verb}_count)"
    )]
    TooMany {
        /// `delete` or `update`.
        verb: &'static str,
        /// The number of deletes or updates.
        count: usize,
        /// The number of managed webhooks.
        ours: usize,
        /// The share in percent, rounded down.
        percent: usize,
        /// The limit of the share, in percent.
        max_percent: u32,
        /// The limit of the count.
        max_count: u32,
    },
}

impl Refusal {
    /// Returns the stable code, in kebab case.
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
/// A token that is only written because it cannot be compared does not count as an update: after the record was lost,
/// that affects every webhook, and changes none.
///
/// # Errors
/// Returns the first [`Refusal`] that is not waived.
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
