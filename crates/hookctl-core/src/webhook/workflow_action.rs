//! The workflow events that a webhook subscribes to.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One value of the API's `actions`. The order of the variants is the documented order.
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
    /// A value that the API returned and that this version does not know: kept, shown, compared.
    Unknown(String),
}

/// To be referred to.
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

/// The set of events that a webhook subscribes to. A set, because the API gives their order no
/// meaning; iteration is in the documented order, unknown ones last.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowActions {
    /// Whether each of [`WorkflowAction::KNOWN`] is in it. There are several sets for each webhook, so
    /// the usual one takes no memory of its own.
    known: [bool; 5],
    unknown: BTreeSet<WorkflowAction>,
}

impl WorkflowActions {
    /// The five documented actions.
    pub fn all() -> Self {
        Self {
            known: [true; 5],
            unknown: BTreeSet::new(),
        }
    }

    /// In the documented order, unknown ones last.
    pub fn iter(&self) -> impl Iterator<Item = &WorkflowAction> {
        let known = self.known.iter().zip(&KNOWN);
        known
            .filter_map(|(is_in, action)| is_in.then_some(action))
            .chain(&self.unknown)
    }

    /// The names of the unknown ones: texts of the API.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(WorkflowAction::as_str)
    }

    /// Replaces each unknown action for which `other` returns a text. Returns `None` if it returns none for all of them.
    /// A replaced action stays unknown, whatever the text.
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether these are the five documented actions and no other.
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// Whether an event could go to both.
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
