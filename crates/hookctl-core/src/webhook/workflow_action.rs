//! Workflow events that webhooks subscribe to.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value of the API's `actions`. The variants are in the documented order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A value from the API that this version does not know. It is kept, shown, and compared.
    Unknown(String),
}

/// [`WorkflowAction::KNOWN`] with a `'static` address, for references.
static KNOWN: [WorkflowAction; 5] = WorkflowAction::KNOWN;

impl WorkflowAction {
    /// The five documented values, in the documented order.
    pub const KNOWN: [Self; 5] = [
        Self::WorkflowCreated,
        Self::WorkflowUpdated,
        Self::WorkflowDeleted,
        Self::WorkflowRunStarted,
        Self::WorkflowRunCompleted,
    ];

    /// Returns the known action with this name.
    pub fn known(name: &str) -> Option<Self> {
        Self::KNOWN
            .into_iter()
            .find(|action| action.as_str() == name)
    }

    /// Returns the spelling of the API.
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

impl From<&str> for WorkflowAction {
    fn from(name: &str) -> Self {
        Self::known(name).unwrap_or_else(|| Self::Unknown(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for WorkflowAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = WorkflowAction;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an action")
            }

            fn visit_str<E>(self, name: &str) -> Result<WorkflowAction, E> {
                Ok(WorkflowAction::from(name))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

/// The set of events that a webhook subscribes to.
///
/// The API does not give their order a meaning. Iteration is in the documented order, with unknown actions last.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowActions {
    /// Whether each of [`WorkflowAction::KNOWN`] is included. Each webhook has several sets, so known actions need no heap
    /// memory.
    known: [bool; 5],
    unknown: BTreeSet<WorkflowAction>,
}

impl WorkflowActions {
    /// Returns the set of the five documented actions.
    pub fn all() -> Self {
        Self {
            known: [true; 5],
            unknown: BTreeSet::new(),
        }
    }

    /// Iterates in the documented order, unknown actions last.
    pub fn iter(&self) -> impl Iterator<Item = &WorkflowAction> {
        let known = self.known.iter().zip(&KNOWN);
        known
            .filter_map(|(is_in, action)| is_in.then_some(action))
            .chain(&self.unknown)
    }

    /// Iterates over the names of unknown actions, which are untrusted text of the API.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(WorkflowAction::as_str)
    }

    /// Replaces the names of unknown actions for which `other` returns a text. Returns `None` if it returns none at all. A
    /// replaced action stays unknown, whatever its text.
    pub fn with_unknown(&self, other: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let others: Vec<Option<String>> = self.unknown().map(other).collect();
        if others.iter().all(Option::is_none) {
            return None;
        }
        let unknown = self.unknown.iter().zip(others);
        let unknown = unknown.map(|(action, other)| match other {
            Some(other) => WorkflowAction::Unknown(other),
            None => action.clone(),
        });
        Some(Self {
            known: self.known,
            unknown: unknown.collect(),
        })
    }

    /// Returns the number of actions.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns whether the set contains exactly the five documented actions.
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// Returns whether both sets contain a common action.
    pub fn overlaps(&self, other: &Self) -> bool {
        let mut both = self.known.iter().zip(&other.known);
        both.any(|(mine, theirs)| *mine && *theirs) || !self.unknown.is_disjoint(&other.unknown)
    }

    fn insert(&mut self, action: WorkflowAction) {
        let mut known = self.known.iter_mut().zip(&KNOWN);
        match known.find(|(_, known)| **known == action) {
            Some((is_in, _)) => *is_in = true,
            None => {
                self.unknown.insert(action);
            }
        }
    }
}

impl FromIterator<WorkflowAction> for WorkflowActions {
    fn from_iter<I: IntoIterator<Item = WorkflowAction>>(actions: I) -> Self {
        let mut set = Self::default();
        for action in actions {
            set.insert(action);
        }
        set
    }
}

impl Serialize for WorkflowActions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(WorkflowAction::as_str))
    }
}

impl<'de> Deserialize<'de> for WorkflowActions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = WorkflowActions;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of actions")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut names: A,
            ) -> Result<WorkflowActions, A::Error> {
                let mut actions = WorkflowActions::default();
                while let Some(action) = names.next_element()? {
                    actions.insert(action);
                }
                Ok(actions)
            }
        }

        deserializer.deserialize_seq(Names)
    }
}

impl fmt::Display for WorkflowActions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (index, action) in self.iter().enumerate() {
            formatter.write_str(if index == 0 { "" } else { ", " })?;
            formatter.write_str(action.as_str())?;
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

    #[test]
    fn another_text_stands_in_place_of_unknown_ones_alone() {
        let read = |names: &[&str]| -> WorkflowActions {
            names.iter().copied().map(WorkflowAction::from).collect()
        };
        let actions = read(&["workflow_created", "zebra", "yak"]);
        let other = |name: &str| (name != "yak").then(|| "other".to_owned());
        assert_eq!(
            actions.with_unknown(other),
            Some(read(&["workflow_created", "other", "yak"]))
        );
        assert_eq!(actions.with_unknown(|_| None), None);
        assert_eq!(WorkflowActions::all().with_unknown(other), None);
    }
}
