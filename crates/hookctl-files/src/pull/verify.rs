//! Whether two parses of a file differ in the given fields only.

use std::collections::{BTreeMap, HashMap};

use super::declarable::literal;
use super::find::Level;
use crate::yaml::{Document, Entry, Kind, Mapping, Node, Scalar, Value};
use hookctl_core::template::Template;
use hookctl_core::webhook::{Field, FieldValue, WorkflowAction, WorkflowActions};

/// The new values of a target, by key.
pub(super) struct NewValues<'a> {
    target: &'a str,
    by_key: HashMap<&'a str, WebhookValues<'a>>,
}

type Values<'a> = BTreeMap<Field, &'a FieldValue>;

/// The new values of a webhook.
#[derive(Default)]
struct WebhookValues<'a> {
    own: Values<'a>,
    /// Those of the target.
    in_target: Values<'a>,
}

impl<'a> NewValues<'a> {
    pub(super) fn of_target(target: &'a str) -> Self {
        Self {
            target,
            by_key: HashMap::new(),
        }
    }

    pub(super) fn insert(
        &mut self,
        key: &'a str,
        level: Level,
        field: Field,
        value: &'a FieldValue,
    ) {
        let wanted = self.by_key.entry(key).or_default();
        let values = match level {
            Level::Webhook => &mut wanted.own,
            Level::Target => &mut wanted.in_target,
        };
        values.insert(field, value);
    }
}

/// Returns whether the new trees have the new values, and are equal to the old ones otherwise.
pub(super) fn differ_only_in(old: &[Document], new: &[Document], values: &NewValues<'_>) -> bool {
    old.len() == new.len()
        && old
            .iter()
            .zip(new)
            .all(|(old, new)| documents(&old.root, &new.root, values))
}

fn documents(old: &Node, new: &Node, values: &NewValues<'_>) -> bool {
    let (Some(old), Some(new)) = (old.as_mapping(), new.as_mapping()) else {
        return same(old, new);
    };
    pairs(old, new).is_some_and(|mut pairs| {
        pairs.all(|(old, new)| {
            if old.key.value == "webhooks" {
                webhooks(&old.value, &new.value, values)
            } else {
                same(&old.value, &new.value)
            }
        })
    })
}

fn webhooks(old: &Node, new: &Node, values: &NewValues<'_>) -> bool {
    let (Some(old), Some(new)) = (old.as_mapping(), new.as_mapping()) else {
        return same(old, new);
    };
    pairs(old, new).is_some_and(|mut pairs| {
        pairs.all(
            |(old, new)| match values.by_key.get(old.key.value.as_str()) {
                Some(wanted) => webhook(&old.value, &new.value, wanted, values.target),
                None => same(&old.value, &new.value),
            },
        )
    })
}

/// Compares a webhook with new values.
fn webhook(old: &Node, new: &Node, wanted: &WebhookValues<'_>, target: &str) -> bool {
    let (Some(old), Some(new)) = (old.as_mapping(), new.as_mapping()) else {
        return false;
    };
    fields(Some(old), new, &wanted.own, |name, old, new| {
        if name == "targets" && !wanted.in_target.is_empty() {
            targets(old, new, &wanted.in_target, target)
        } else {
            same(old, new)
        }
    })
}

/// Compares mappings of targets, of which one has new values.
fn targets(old: &Node, new: &Node, values: &Values<'_>, target: &str) -> bool {
    let (Some(old), Some(new)) = (old.as_mapping(), new.as_mapping()) else {
        return false;
    };
    pairs(old, new).is_some_and(|mut pairs| {
        pairs.all(|(old, new)| {
            if old.key.value != target {
                return same(&old.value, &new.value);
            }
            let before = old.value.as_mapping();
            let is_known = before.is_some() || old.value.is_null();
            let after = new.value.as_mapping();
            is_known
                && after.is_some_and(|after| {
                    fields(before, after, values, |_, old, new| same(old, new))
                })
        })
    })
}

/// Compares fields with new values. An added key may precede a merged one, so the order is not compared.
fn fields(
    old: Option<&Mapping>,
    new: &Mapping,
    values: &Values<'_>,
    is_same: impl Fn(&str, &Node, &Node) -> bool,
) -> bool {
    let is_new = |name: &str| Field::named(name).is_some_and(|field| values.contains_key(&field));
    let rest = |mapping: &Mapping| {
        mapping
            .iter()
            .filter(|entry| !is_new(&entry.key.value))
            .count()
    };
    let unchanged = old.into_iter().flat_map(Mapping::iter);
    let unchanged = unchanged.filter(|entry| !is_new(&entry.key.value));
    let mut unchanged = unchanged.map(|entry| (entry, new.get(&entry.key.value)));
    old.map_or(0, rest) == rest(new)
        && unchanged
            .all(|(old, new)| new.is_some_and(|new| is_same(&old.key.value, &old.value, new)))
        && values.iter().all(|(field, value)| {
            new.get(field.as_str())
                .is_some_and(|node| denotes(node, value))
        })
}

/// Returns the entries of two mappings in pairs, if they have the same keys in the same order.
fn pairs<'a>(
    old: &'a Mapping,
    new: &'a Mapping,
) -> Option<impl Iterator<Item = (&'a Entry, &'a Entry)>> {
    let keys = |mapping: &'a Mapping| mapping.iter().map(|entry| entry.key.value.as_str());
    keys(old).eq(keys(new)).then(|| old.iter().zip(new.iter()))
}

/// Returns whether two values are equal, whatever their notation.
fn same(old: &Node, new: &Node) -> bool {
    match (old.value(), new.value()) {
        (Value::Scalar(one), Value::Scalar(other)) => {
            one.text() == other.text() && one.kind() == other.kind()
        }
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Mapping(one), Value::Mapping(other)) => pairs(one, other)
            .is_some_and(|mut pairs| pairs.all(|(one, other)| same(&one.value, &other.value))),
        (Value::Broken, Value::Broken) => true,
        _ => false,
    }
}

/// Returns whether a node is the declaration of a value.
fn denotes(node: &Node, value: &FieldValue) -> bool {
    let text = node.as_scalar().map_or("", Scalar::text);
    let is = |kind: Kind, wanted: &str| node.kind() == Some(kind) && text == wanted;
    match value {
        FieldValue::Text(wanted) => is_text(node, wanted),
        FieldValue::Url(wanted) => is_text(node, wanted.as_str()),
        FieldValue::Flag(flag) => is(Kind::Boolean, &flag.to_string()),
        FieldValue::Number(number) => is(Kind::Integer, &number.to_string()),
        FieldValue::Actions(wanted) => match node.as_sequence() {
            None => wanted.is_all() && is(Kind::Text, "all"),
            Some(items) => {
                let actions = items.iter().map(|item| {
                    let word = item.as_scalar().map_or("", Scalar::text);
                    WorkflowAction::known(word)
                });
                let actions: Option<WorkflowActions> = actions.collect();
                items.len() == wanted.len() && actions.as_ref() == Some(wanted)
            }
        },
    }
}

fn is_text(node: &Node, wanted: &str) -> bool {
    let text = node.as_scalar().map_or("", Scalar::text);
    // A block may end with a line break, which is dropped.
    let text = text.trim_end();
    let expands_to = Template::parse(text)
        .ok()
        .filter(Template::is_literal)
        .and_then(|template| template.expand(&|_| None).ok());
    node.kind() == Some(Kind::Text)
        && text == literal(wanted)
        && expands_to.as_deref() == Some(wanted)
}
