//! Adds a key to the mapping of a webhook, in the style of the file.

use std::ops::Range;

use super::actions::on_one_line;
use super::declarable::{literal, names};
use super::find::{Declared, Trees, range, sections};
use super::scalar::Quotes;
use super::source::{Edit, line_after, line_before, line_end, line_start};
use crate::declaration::FIELDS;
use crate::yaml::{Entry, Node};
use hookctl_core::webhook::{Field, FieldValue, WorkflowActions};

/// A field to add.
pub(super) struct Addition<'a> {
    pub(super) trees: &'a Trees<'a>,
    /// The webhook, whose style is used.
    pub(super) webhook: &'a Declared<'a>,
    pub(super) field: Field,
    pub(super) value: &'a FieldValue,
}

impl Addition<'_> {
    /// Returns the field as a pair on one line.
    pub(super) fn pair(&self, text: &str) -> String {
        let style = Style::of(text, self.webhook);
        let key = style.key.write(self.field.as_str());
        format!("{key}: {}", style.value(self.value))
    }
}

/// Returns the edit that writes a value in place of a null.
pub(super) fn at_null(text: &str, entry: &Entry, value: &str) -> Option<Edit> {
    let (key, null) = (range(entry.key.span), range(entry.value.span()));
    if entry.value.alias().is_some() {
        return None;
    }
    if null != key {
        let text = value.to_owned();
        return Some(Edit { range: null, text });
    }
    // Nothing is written, or not even a colon.
    let rest = text.get(key.end..)?;
    let colon = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    Some(if rest.get(colon..)?.starts_with(':') {
        Edit::insert(key.end + colon + 1, format!(" {value}"))
    } else {
        Edit::insert(key.end, format!(": {value}"))
    })
}

/// Returns the edit that writes pairs in place of a null or of empty braces.
pub(super) fn first_pairs(text: &str, entry: &Entry, pairs: &[&str]) -> Option<Edit> {
    let written = format!("{{ {} }}", pairs.join(", "));
    if entry.value.is_null() {
        return at_null(text, entry, &written);
    }
    Some(Edit {
        range: range(entry.value.span()),
        text: written,
    })
}

/// Returns the edit that adds a field to a webhook, or to a target of it. Returns `None` if the form of the mapping does
/// not allow it.
pub(super) fn insert(text: &str, declared: &Declared<'_>, addition: &Addition<'_>) -> Option<Edit> {
    let Addition {
        trees,
        webhook,
        field,
        value,
    } = *addition;
    let order = |name: &str| FIELDS.iter().position(|known| *known == name);
    let own = order(field.as_str());
    let entries = declared.entries();
    // The field before it in the documented order.
    let before = entries
        .filter(|entry| order(&entry.key.value) < own)
        .max_by_key(|entry| order(&entry.key.value));
    let first = declared.entries().min_by_key(|entry| entry.key.span.start);
    let style = Style::of(text, webhook);
    let key = style.key.write(field.as_str());
    let is_flow = text.get(declared.span.clone())?.starts_with('{');
    if is_flow {
        let pair = addition.pair(text);
        return flow(text, &declared.span, before.or(first), &pair);
    }
    let at = before
        .or(first)
        .map_or(declared.span.start, |entry| entry.key.span.start);
    let indent = line_before(text, at);
    if !indent.trim().is_empty() {
        return None;
    }
    let line = match value {
        FieldValue::Actions(actions) if !actions.is_all() => match block_indent(text, trees) {
            Some(extra) => block(indent, &key, extra, actions, style.text),
            None => format!("{indent}{key}: {}", style.value(value)),
        },
        _ => format!("{indent}{key}: {}", style.value(value)),
    };
    Some(match (before, first) {
        (Some(entry), _) => line_after(text, end(entry), &line),
        // A comment above the first field may describe it.
        (None, Some(entry)) if is_commented(text, entry) => line_after(text, end(entry), &line),
        (None, _) => Edit::insert(line_start(text, at), line + "\n"),
    })
}

/// Returns where the value of an entry ends.
fn end(entry: &Entry) -> usize {
    let value = entry.value.alias().unwrap_or_else(|| entry.value.span());
    value.end.max(entry.key.span.end)
}

/// Returns whether the line above an entry is a comment.
fn is_commented(text: &str, entry: &Entry) -> bool {
    let start = line_start(text, entry.key.span.start);
    let above = start.checked_sub(1).map(|end| line_before(text, end));
    above.is_some_and(|line| line.trim_start().starts_with('#'))
}

/// The style of a webhook.
struct Style {
    key: Quotes,
    text: Quotes,
}

impl Style {
    fn of(text: &str, declared: &Declared<'_>) -> Self {
        let mut entries = declared.entries();
        let written = |span: Range<usize>| Quotes::of(text.get(span).unwrap_or(""));
        let key = declared.entries().next();
        let url = entries.find(|entry| entry.key.value == "url" && entry.value.alias().is_none());
        Self {
            key: key.map_or(Quotes::None, |entry| written(range(entry.key.span))),
            text: url.map_or(Quotes::None, |entry| written(range(entry.value.span()))),
        }
    }

    /// Returns a value on one line.
    fn value(&self, value: &FieldValue) -> String {
        rendered(value, self.text)
    }
}

/// Returns a value on one line, with the quotes for its texts. Plain words stay plain in a list.
pub(super) fn rendered(value: &FieldValue, quotes: Quotes) -> String {
    let words = match quotes {
        // JSON needs them.
        Quotes::Double => Quotes::Double,
        Quotes::Single | Quotes::None => Quotes::None,
    };
    match value {
        FieldValue::Text(text) => quotes.write(&literal(text)),
        FieldValue::Url(url) => quotes.write(&literal(url.as_str())),
        FieldValue::Actions(actions) => on_one_line(actions, words),
        FieldValue::Flag(flag) => flag.to_string(),
        FieldValue::Number(number) => number.to_string(),
    }
}

/// Adds a pair behind another one in braces, or as the first one.
fn flow(text: &str, span: &Range<usize>, before: Option<&Entry>, pair: &str) -> Option<Edit> {
    let Some(entry) = before else {
        let inside = text.get(span.start + 1..span.end)?;
        let is_empty = inside.trim_start().starts_with('}');
        let comma = if is_empty { "" } else { "," };
        return Some(Edit::insert(span.start + 1, format!(" {pair}{comma}")));
    };
    let indent = line_before(text, entry.key.span.start);
    let end = end(entry);
    if !indent.trim().is_empty() || text.get(span.start..end)?.find('\n').is_none() {
        return Some(Edit::insert(end, format!(", {pair}")));
    }
    // On a line of its own, like the pair before it, whose comment stays on its line.
    let rest = text.get(end..line_end(text, end))?.trim_start();
    if rest.starts_with(',') {
        let rest = rest.get(1..)?.trim();
        let is_last_on_its_line = rest.is_empty() || rest.starts_with('#');
        return Some(if is_last_on_its_line {
            line_after(text, end, &format!("{indent}{pair},"))
        } else {
            Edit::insert(end, format!(", {pair}"))
        });
    }
    Some(Edit::insert(end, format!(",\n{indent}{pair}")))
}

/// Returns how far the block lists of actions in the file are indented from their key. Returns `None` if the first list of
/// the file is in brackets, or there is none.
fn block_indent(text: &str, trees: &Trees<'_>) -> Option<usize> {
    let webhooks = sections(trees.documents, "webhooks")
        .filter_map(Node::as_mapping)
        .flat_map(|section| section.iter().map(|entry| &entry.value));
    let mut actions = sections(trees.documents, "defaults")
        .chain(webhooks)
        .filter_map(|node| {
            let mapping = node.as_mapping()?;
            let mut entries = mapping.iter();
            entries.find(|entry| entry.key.value == "actions" && entry.value.alias().is_none())
        });
    let entry = actions.find(|entry| entry.value.as_sequence().is_some())?;
    let start = entry.value.span().start;
    if !text.get(start..)?.starts_with('-') {
        return None;
    }
    let dash = line_before(text, start).len();
    dash.checked_sub(line_before(text, entry.key.span.start).len())
}

fn block(
    indent: &str,
    key: &str,
    extra: usize,
    actions: &WorkflowActions,
    quotes: Quotes,
) -> String {
    let words = match quotes {
        Quotes::Double => Quotes::Double,
        Quotes::Single | Quotes::None => Quotes::None,
    };
    let mut lines = format!("{indent}{key}:");
    for name in names(actions) {
        lines += &format!("\n{indent}{}- {}", " ".repeat(extra), words.write(name));
    }
    lines
}
