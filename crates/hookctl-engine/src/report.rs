//! How each action of a plan ended.

use std::sync::Arc;

use hookctl_core::plan::{PlannedAction, Summary};
use hookctl_core::webhook::{Attribute, Field, FieldValue, Key, RemoteId};

pub use crate::action_error::{ActionError, FieldMismatch, UnclearDelete};

/// How an apply ended.
#[derive(Clone, Debug, Default)]
#[must_use = "an unread report hides a failure"]
pub struct SyncReport {
    /// Every action that was planned, in the plan's order, and how it ended.
    pub results: Vec<ActionResult>,
    /// What somebody else made at the same time and that looks like what we made.
    pub twins: Vec<Twin>,
    /// Whether something stopped everything, so that no further round may help.
    pub stopped: bool,
}

/// A webhook of ours that somebody else made at the same time, too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{key}' is there twice: as {id}, made by this run, and as {twin}, made at the same time by somebody else. Every event may be delivered twice: delete one of the two, and pin the other with `id:`"
)]
pub struct Twin {
    /// The key.
    pub key: Key,
    /// The webhook that this run made.
    pub id: RemoteId,
    /// The other one.
    pub twin: RemoteId,
}

/// One action and how it ended.
#[derive(Clone, Debug)]
pub struct ActionResult {
    /// What was planned.
    pub planned: Arc<PlannedAction>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How one action ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The API confirmed the action, and it is recorded.
    Applied {
        /// The id of the webhook, including one that this action created.
        id: RemoteId,
        /// Notable differences between what was sent and what the API stores.
        remarks: Vec<Remark>,
    },
    /// The action failed.
    Failed(ActionError),
    /// The request was sent and may still take effect. A later list shows the outcome.
    Pending(ActionError),
    /// Not sent, because an earlier request may still take effect.
    Held,
    /// Not attempted, because an earlier action failed or the run was interrupted.
    NotAttempted,
}

impl Outcome {
    /// Why an action was held, for people.
    pub const WHY_HELD: &'static str =
        "it was not sent: it waits for an earlier request that may still take effect";
}

/// What a person should know of an action that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The API stored another form than was sent; it is remembered, so that it is not sent again.
    StoredOtherwise {
        /// The field.
        field: Field,
        /// What was sent.
        sent: FieldValue,
        /// What is stored.
        stored: FieldValue,
    },
    /// A field that was not sent changed since the list was read: somebody else was at work.
    ConcurrentEdit {
        /// The field, or the token.
        field: Attribute,
        /// What it was, on one line.
        before: String,
        /// What it is, on one line.
        now: String,
    },
    /// A create got no answer, and the list showed that it had happened.
    FoundAfterNoAnswer,
}

impl SyncReport {
    /// Whether every action was applied, and nothing is there twice.
    pub fn is_complete(&self) -> bool {
        self.twins.is_empty()
            && self
                .results
                .iter()
                .all(|result| matches!(result.outcome, Outcome::Applied { .. }))
    }

    /// How many actions were applied.
    pub fn applied(&self) -> usize {
        self.results
            .iter()
            .filter(|result| matches!(result.outcome, Outcome::Applied { .. }))
            .count()
    }

    /// How many actions failed, those included whose outcome is not known.
    pub fn failed(&self) -> usize {
        self.results
            .iter()
            .filter(|result| {
                matches!(
                    result.outcome,
                    Outcome::Failed(_) | Outcome::Pending(_) | Outcome::Held
                )
            })
            .count()
    }

    /// Whether planning again may help: a webhook was gone, another writer was at work, or a gateway answered.
    pub fn asks_for_another_round(&self) -> bool {
        self.results.iter().any(|result| match &result.outcome {
            Outcome::Failed(error) | Outcome::Pending(error) => error.may_replan(),
            Outcome::Applied { remarks, .. } => remarks
                .iter()
                .any(|remark| matches!(remark, Remark::ConcurrentEdit { .. })),
            Outcome::Held | Outcome::NotAttempted => false,
        })
    }

    /// A plan's counts, with the failures.
    pub fn summary(&self, planned: Summary) -> Summary {
        Summary {
            failed: self.failed(),
            ..planned
        }
    }
}
