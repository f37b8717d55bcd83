//! Edits a list of actions: removes and adds items, and keeps the others as they are written.

use std::ops::Range;

use super::declarable::names;
use super::find::range;
use super::list::List;
use super::scalar::Quotes;
use super::source::Edit;
use super::{block_list, flow_list};
use crate::yaml::Node;
use hookctl_core::webhook::{WorkflowAction, WorkflowActions};

/// Returns the edits of a list of actions. Returns `None` if its form cannot be edited.
pub(super) fn edit(text: &str, node: &Node, actions: &WorkflowActions) -> Option<Vec<Edit>> {
    let items = node.as_sequence()?;
    let old: Option<Vec<WorkflowAction>> = items
        .iter()
        .map(|item| WorkflowAction::known(item.as_scalar()?.text()))
        .collect();
    let old = old?;
    let places: Vec<Range<usize>> = items
        .iter()
        .map(|item| range(item.alias().unwrap_or_else(|| item.span())))
        .collect();
    let first = places.first()?;
    let quotes = Quotes::of(text.get(first.clone())?);
    let is_sorted = old.is_sorted();
    let new = actions.iter().filter(|action| !old.contains(action));
    let added = new.map(|action| {
        let before = if is_sorted {
            old.partition_point(|known| known < action)
        } else {
            old.len()
        };
        (before, quotes.write(action.as_str()))
    });
    let list = List {
        text,
        span: range(node.span()),
        added: added.collect(),
        items: places
            .into_iter()
            .zip(&old)
            .map(|(place, action)| (place, actions.iter().any(|kept| kept == action)))
            .collect(),
    };
    if text.get(list.span.clone())?.starts_with('[') {
        flow_list::edit(&list)
    } else {
        block_list::edit(&list)
    }
}

/// Returns actions on one line, in quotes like those of other values.
pub(super) fn on_one_line(actions: &WorkflowActions, quotes: Quotes) -> String {
    if actions.is_all() {
        return quotes.write("all");
    }
    let names: Vec<_> = names(actions)
        .into_iter()
        .map(|name| quotes.write(name))
        .collect();
    format!("[{}]", names.join(", "))
}
