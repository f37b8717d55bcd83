//! The workflow events that a webhook subscribes to.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One value of the API's `actions`. The order of the variants is the documented order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum WorkflowAction {
    /// `workflow_created`
    WorkflowCreated,
    /// `workflow_updated`
    WorkflowUpdated,
    /// `workflow_deleted`
    WorkflowDeleted,
    /// `workflow_run_started`
    WorkflowRunStarted,
    /// `workflow_run_completed`
    WorkflowRunCompleted,
    /// A value that the API returned and that this version does not know: kept, shown, compared.
    Unknown(String),
}

impl WorkflowAction {
    /// The five documented values, in the documented order.
    pub const KNOWN: [Self; 5] = [
        Self::WorkflowCreated,
        Self::WorkflowUpdated,
        Self::WorkflowDeleted,
        Self::WorkflowRunStarted,
        Self::WorkflowRunCompleted,
    ];

    /// The known action of that name, for texts that a person wrote.
    pub fn known(name: &str) -> Option<Self> {
        Self::KNOWN
            .into_iter()
            .find(|action| action.as_str() == name)
    }

    /// The API's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::WorkflowCreated => "workflow_created",
            Self::WorkflowUpdated => "workflow_updated",
            Self::WorkflowDeleted => "workflow_deleted",
            Self::WorkflowRunStarted => "workflow_run_started",
            Self::WorkflowRunCompleted => "workflow_run_completed",
            Self::Unknown(name) => name,
        }
    }
}

impl fmt::Display for WorkflowAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl From<String> for WorkflowAction {
    fn from(name: String) -> Self {
        Self::known(&name).unwrap_or(Self::Unknown(name))
    }
}

impl From<WorkflowAction> for String {
    fn from(action: WorkflowAction) -> Self {
        action.as_str().to_owned()
    }
}

/// The set of events that a webhook subscribes to. A set, because the API gives their order no
/// meaning; iteration is in the documented order, unknown ones last.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkflowActions(BTreeSet<WorkflowAction>);

impl WorkflowActions {
    /// The five documented actions.
    pub fn all() -> Self {
        WorkflowAction::KNOWN.into_iter().collect()
    }

    /// In the documented order, unknown ones last.
    pub fn iter(&self) -> impl Iterator<Item = &WorkflowAction> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are the five documented actions and no other.
    pub fn is_all(&self) -> bool {
        self.iter().eq(&WorkflowAction::KNOWN)
    }

    /// Whether an event could go to both.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }
}

impl FromIterator<WorkflowAction> for WorkflowActions {
    fn from_iter<I: IntoIterator<Item = WorkflowAction>>(actions: I) -> Self {
        Self(actions.into_iter().collect())
    }
}

impl fmt::Display for WorkflowActions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (index, action) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{action}")?;
        }
        formatter.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repeats_do_not_matter_and_unknown_ones_survive() {
        let read = |json: &str| serde_json::from_str::<WorkflowActions>(json).unwrap();
        let one = read(r#"["workflow_run_completed","zebra","workflow_created","zebra"]"#);
        assert_eq!(
            one,
            read(r#"["zebra","workflow_created","workflow_run_completed"]"#)
        );
        assert_eq!(
            serde_json::to_string(&one).unwrap(),
            r#"["workflow_created","workflow_run_completed","zebra"]"#
        );
        assert_eq!(
            one.to_string(),
            "[workflow_created, workflow_run_completed, zebra]"
        );
    }
}
