//! How each action of a plan ended.

use std::sync::Arc;

use hookctl_core::plan::{PlannedAction, Summary};
use hookctl_core::webhook::{Field, FieldValue, Key, RemoteId};

/// How an apply ended.
#[derive(Clone, Debug, Default)]
#[must_use = "an unread report hides a failure"]
pub struct SyncReport {
    /// Every action that was planned, in the plan's order, and how it ended.
    pub results: Vec<ActionResult>,
    /// Webhooks that another writer created at the same time as this run created the same.
    pub duplicates: Vec<Duplicate>,
    /// Whether something stopped everything, so that no further round may help.
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

/// One action and how it ended.
#[derive(Clone, Debug)]
pub struct ActionResult {
    /// What was planned.
    pub planned: Arc<PlannedAction>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How one action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The API confirmed it and it is recorded.
    Applied {
        /// The webhook's id, also where it was made just now.
        id: RemoteId,
        /// What a person should know.
        remarks: Vec<Remark>,
    },
    /// It was tried without success.
    Failed {
        /// What went wrong, for people. It holds no secret.
        error: String,
        /// The field that the API complained about, if it named one.
        field: Option<String>,
        /// Whether the webhook was gone, so that planning again may help.
        gone: bool,
    },
    /// It was sent and may still take effect: the list will tell.
    Pending {
        /// Why, for people. It holds no secret.
        error: String,
        /// Whether the next list may tell at once, because a gateway answered instead of the API.
        look_again: bool,
    },
    /// It was not sent: it waits for a write that may still take effect.
    Held,
    /// It was not tried, because something before it failed or the run was interrupted.
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
        /// The field's name.
        field: &'static str,
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
        self.duplicates.is_empty()
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
                    Outcome::Failed { .. } | Outcome::Pending { .. } | Outcome::Held
                )
            })
            .count()
    }

    /// Whether planning again may help: a webhook was gone, another writer was at work, or a gateway answered.
    pub fn asks_for_another_round(&self) -> bool {
        self.results.iter().any(|result| match &result.outcome {
            Outcome::Failed { gone, .. } => *gone,
            Outcome::Pending { look_again, .. } => *look_again,
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
