//! Outcomes of the actions of a plan.

use std::fmt;
use std::sync::Arc;

use hookctl_core::plan::{PlannedAction, Summary};
use hookctl_core::webhook::{Attribute, Field, FieldValue, Key, RemoteId};

pub use crate::action_error::{ActionError, FieldMismatch, UnclearDelete};

/// The results of an apply.
#[derive(Clone, Debug, Default)]
#[must_use = "an unread report hides a failure"]
#[non_exhaustive]
pub struct SyncReport {
    /// The result of every planned action, in the order of the plan.
    pub results: Vec<ActionResult>,
    /// Webhooks that another writer created at the same time as this run created the same.
    pub duplicates: Vec<Duplicate>,
    /// Whether the apply was stopped, by an interruption or an error that affects all requests.
    pub stopped: bool,
}

/// A webhook that this run and another writer created at the same time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{key}' exists twice: {id}, created by this run, and {duplicate}, created at the same time by another writer; each event may be delivered twice"
)]
pub struct Duplicate {
    /// The key.
    pub key: Key,
    /// The webhook that this run created.
    pub id: RemoteId,
    /// The webhook that the other writer created.
    pub duplicate: RemoteId,
}

/// The result of a planned action.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActionResult {
    /// The planned action.
    pub planned: Arc<PlannedAction>,
    /// Its outcome.
    pub outcome: Outcome,
}

/// The outcome of an action.
#[derive(Clone, Debug)]
#[non_exhaustive]
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
    /// The description of [`Outcome::Held`].
    pub const WHY_HELD: &'static str = "not sent: an earlier request may still take effect";

    /// Returns `applied`, `failed`, `pending`, or `not attempted`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Failed(_) => "failed",
            Self::Pending(_) | Self::Held => "pending",
            Self::NotAttempted => "not attempted",
        }
    }

    /// Returns why an action that should have been applied was not.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Failed(error) | Self::Pending(error) => Some(error.to_string()),
            Self::Held => Some(Self::WHY_HELD.to_owned()),
            Self::Applied { .. } | Self::NotAttempted => None,
        }
    }

    /// Removes secrets from the texts of the outcome: `mask` receives each and returns it without secrets.
    pub fn redact(&mut self, mask: impl Fn(&str) -> String) {
        match self {
            Self::Applied { remarks, .. } => {
                for remark in remarks {
                    remark.redact(&mask);
                }
            }
            Self::Failed(error) | Self::Pending(error) => error.redact(mask),
            Self::Held | Self::NotAttempted => {}
        }
    }
}

/// A notable difference of an applied action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The API stored another form of a value. The record keeps both, so that the value is not sent again.
    StoredOtherwise {
        /// The field.
        field: Field,
        /// The value sent.
        sent: FieldValue,
        /// The value stored.
        stored: FieldValue,
    },
    /// Another writer changed a field that was not sent, after the list was read.
    ConcurrentEdit {
        /// The field, or the token.
        field: Attribute,
        /// The earlier value, on one line.
        before: String,
        /// The current value, on one line.
        now: String,
    },
    /// A create got no response, and the list showed that it had succeeded.
    FoundAfterNoAnswer,
}

impl Remark {
    /// Removes secrets from the values: `mask` receives each text and returns it without secrets.
    fn redact(&mut self, mask: impl Fn(&str) -> String) {
        match self {
            Self::StoredOtherwise { sent, stored, .. } => {
                for value in [sent, stored] {
                    value.redact(&mask);
                }
            }
            Self::ConcurrentEdit { before, now, .. } => {
                for text in [before, now] {
                    *text = mask(text);
                }
            }
            Self::FoundAfterNoAnswer => {}
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StoredOtherwise {
                field,
                sent,
                stored,
            } => write!(
                formatter,
                "the API stores {field} as {stored}, sent as {sent}; the record keeps this, and it is not sent again"
            ),
            Self::ConcurrentEdit { field, before, now } => write!(
                formatter,
                "another writer changed {field} from {before} to {now} in the meantime; planned again"
            ),
            Self::FoundAfterNoAnswer => {
                formatter.write_str("the API did not respond; the list shows that it was created")
            }
        }
    }
}

impl SyncReport {
    /// Returns whether every action was applied, without duplicates.
    pub fn is_complete(&self) -> bool {
        self.duplicates.is_empty()
            && self
                .results
                .iter()
                .all(|result| matches!(result.outcome, Outcome::Applied { .. }))
    }

    /// Returns the number of applied actions.
    pub fn applied(&self) -> usize {
        self.results
            .iter()
            .filter(|result| matches!(result.outcome, Outcome::Applied { .. }))
            .count()
    }

    /// Returns the number of failed actions, including those with an unknown outcome.
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

    /// Returns whether another round may succeed: a webhook was deleted or changed by another writer, or a gateway responded
    /// instead of the API.
    pub fn asks_for_another_round(&self) -> bool {
        self.results.iter().any(|result| match &result.outcome {
            Outcome::Failed(error) | Outcome::Pending(error) => error.may_replan(),
            Outcome::Applied { remarks, .. } => remarks
                .iter()
                .any(|remark| matches!(remark, Remark::ConcurrentEdit { .. })),
            Outcome::Held | Outcome::NotAttempted => false,
        })
    }

    /// Returns the counts of a plan with the number of failures.
    pub fn summary(&self, planned: Summary) -> Summary {
        Summary {
            failed: self.failed(),
            ..planned
        }
    }
}
