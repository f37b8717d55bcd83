//! Finds a field of a webhook in the trees of a file: where its value is written, and what it depends on.

use std::ops::Range;

use super::reason::Reason;
use crate::diagnostic::Span;
use crate::yaml::{Document, Entry, Kind, Mapping, Node, Value};
use hookctl_core::template::{Template, looks_interpolated};
use hookctl_core::webhook::{Field, Key};

/// The trees of a file, and what its aliases share.
pub(super) struct Trees<'a> {
    pub(super) documents: &'a [Document],
    /// The ranges of values that an alias or a merge reaches from elsewhere.
    shared: Vec<Span>,
    /// The `defaults` of the file.
    defaults: Option<&'a Mapping>,
    /// The selected target.
    target: &'a str,
}

/// A declaration, or what differs in a target.
#[derive(Clone)]
pub(super) struct Declared<'a> {
    /// Its fields, with merged ones.
    pub(super) mapping: &'a Mapping,
    /// The range of the mapping.
    pub(super) span: Range<usize>,
    /// Whether another webhook has the whole mapping.
    pub(super) is_shared: bool,
}

/// The mapping that gives a field its value in the selected target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The webhook.
    Webhook,
    /// The selected target in the `targets` of the webhook.
    Target,
}

/// How the value of a field is written.
pub(super) enum Written<'a> {
    /// As a value of its own.
    Own(&'a Node),
    /// As an alias in this range.
    Alias(Range<usize>),
    /// As a null, which removes it.
    Null(&'a Entry),
    /// Not in the mapping of the webhook.
    Missing,
}

/// Returns the range of a span.
pub(super) const fn range(span: Span) -> Range<usize> {
    span.start..span.end
}

/// Returns the sections of a name in all documents.
pub(super) fn sections<'a>(
    documents: &'a [Document],
    name: &'a str,
) -> impl Iterator<Item = &'a Node> {
    let roots = documents
        .iter()
        .filter_map(|document| document.root.as_mapping());
    roots.filter_map(move |root| root.get(name))
}

impl<'a> Trees<'a> {
    /// Prepares the documents of a file for the selected target.
    pub(super) fn new(documents: &'a [Document], target: &'a str) -> Self {
        let mut shared = Vec::new();
        for document in documents {
            collect_shared(&document.root, &mut shared);
        }
        shared.sort_unstable();
        shared.dedup();
        let defaults = sections(documents, "defaults").next();
        Self {
            documents,
            shared,
            defaults: defaults.and_then(Node::as_mapping),
            target,
        }
    }

    /// Returns whether the file has any alias.
    pub(super) fn has_aliases(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Returns whether an alias reaches a value, or what contains it.
    pub(super) fn is_shared(&self, span: Span) -> bool {
        self.shared
            .iter()
            .any(|shared| shared.start <= span.start && span.end <= shared.end)
    }

    /// Returns the declaration of a key.
    pub(super) fn declared(&self, key: &Key) -> Option<Declared<'a>> {
        let mut sections = sections(self.documents, "webhooks");
        let (section, node) = sections.find_map(|section| {
            let node = section.as_mapping()?.get(key.as_str())?;
            Some((section, node))
        })?;
        Some(Declared {
            mapping: node.as_mapping()?,
            span: range(node.span()),
            is_shared: node.alias().is_some()
                || section.alias().is_some()
                || self.is_shared(node.span()),
        })
    }

    /// Returns the value that a field of a declaration has in the selected target.
    pub(super) fn effective(&self, declared: &Declared<'a>, name: &str) -> Option<&'a Node> {
        let levels = [Some(declared.mapping), self.defaults];
        let levels = levels.into_iter().flatten();
        let values = levels.flat_map(|level| {
            let of_target =
                targets(level).and_then(|targets| targets.get(self.target)?.as_mapping());
            [of_target, Some(level)]
        });
        values.flatten().find_map(|fields| fields.get(name))
    }

    /// Returns the mapping that a field is written to: that of the target if it has the field, or if another target takes
    /// the webhook's value.
    pub(super) fn level(&self, declared: &Declared<'a>, name: &str) -> Level {
        let Some(targets) = targets(declared.mapping) else {
            return Level::Webhook;
        };
        let has_field = |entry: &Entry| {
            let fields = entry.value.as_mapping();
            fields.is_some_and(|fields| fields.get(name).is_some())
        };
        let differs = targets
            .iter()
            .any(|entry| (entry.key.value == self.target) == has_field(entry));
        if differs {
            Level::Target
        } else {
            Level::Webhook
        }
    }

    /// Returns the entry of the selected target in the `targets` of a declaration, and whether others share it.
    pub(super) fn of_target(&self, declared: &Declared<'a>) -> Option<(&'a Entry, bool)> {
        let node = declared.mapping.get("targets")?;
        let mut entries = node.as_mapping()?.iter();
        let entry = entries.find(|entry| entry.key.value == self.target)?;
        let (list, key) = (node.span(), entry.key.span);
        let is_elsewhere = key.start < list.start || list.end < key.end;
        let is_shared = node.alias().is_some()
            || entry.value.alias().is_some()
            || is_elsewhere
            || self.is_shared(key)
            || self.is_shared(entry.value.span());
        Some((entry, is_shared))
    }

    /// Returns the fields of a declaration at a level. Returns `None` if there are none yet.
    pub(super) fn at(&self, declared: &Declared<'a>, level: Level) -> Option<Declared<'a>> {
        match level {
            Level::Webhook => Some(declared.clone()),
            Level::Target => {
                let (entry, is_shared) = self.of_target(declared)?;
                Some(Declared {
                    mapping: entry.value.as_mapping()?,
                    span: range(entry.value.span()),
                    is_shared: declared.is_shared || is_shared,
                })
            }
        }
    }

    /// Checks that the value of a field has no variables.
    pub(super) fn check_variables(
        &self,
        declared: &Declared<'a>,
        field: Field,
    ) -> Result<(), Reason> {
        let mut names = Vec::new();
        if let Some(node) = self.effective(declared, field.as_str()) {
            variables(node, &mut names);
        }
        if names.is_empty() {
            Ok(())
        } else {
            names.sort_unstable();
            names.dedup();
            Err(Reason::Variable { names })
        }
    }

    /// Returns the targets in which a field of a declaration has the value of a level. `None` means all.
    pub(super) fn targets(
        &self,
        declared: &Declared<'a>,
        name: &str,
        level: Level,
    ) -> Option<Vec<String>> {
        if level == Level::Target {
            return Some(vec![self.target.to_owned()]);
        }
        let own = declared.mapping.get("targets");
        let node = own.or_else(|| self.defaults?.get("targets"))?;
        if let Some(items) = node.as_sequence() {
            let words = items.iter().filter_map(Node::as_scalar);
            return Some(words.map(|word| word.text().to_owned()).collect());
        }
        let entries = node.as_mapping()?.iter();
        let sharing = entries.filter(|entry| {
            let fields = entry.value.as_mapping().filter(|_| own.is_some());
            fields.is_none_or(|fields| fields.get(name).is_none())
        });
        Some(sharing.map(|entry| entry.key.value.clone()).collect())
    }
}

/// Returns the `targets` of a webhook or of `defaults`, if it is a mapping.
fn targets(fields: &Mapping) -> Option<&Mapping> {
    fields.get("targets")?.as_mapping()
}

impl<'a> Declared<'a> {
    /// Iterates over the entries that are written in the mapping itself.
    pub(super) fn entries(&self) -> impl Iterator<Item = &'a Entry> {
        let span = self.span.clone();
        let entries = self.mapping.iter();
        entries.filter(move |entry| {
            span.start <= entry.key.span.start && entry.key.span.end <= span.end
        })
    }

    /// Returns how a field is written.
    pub(super) fn written(&self, name: &str) -> Written<'a> {
        let mut entries = self.entries();
        match entries.find(|entry| entry.key.value == name) {
            None => Written::Missing,
            Some(entry) => match entry.value.alias() {
                None if entry.value.is_null() => Written::Null(entry),
                None => Written::Own(&entry.value),
                Some(alias) => Written::Alias(range(alias)),
            },
        }
    }
}

fn variables(node: &Node, names: &mut Vec<String>) {
    match node.value() {
        Value::Scalar(scalar) if node.kind() == Some(Kind::Text) => {
            let text = scalar.text();
            if looks_interpolated(text)
                && let Ok(template) = Template::parse(text)
            {
                names.extend(template.variables().into_iter().map(str::to_owned));
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| variables(item, names)),
        Value::Scalar(_) | Value::Mapping(_) | Value::Broken => {}
    }
}

/// Collects the ranges of values that are reached by an alias. Their content is visited at its own place.
fn collect_shared(node: &Node, shared: &mut Vec<Span>) {
    if node.alias().is_some() {
        shared.push(node.span());
        return;
    }
    match node.value() {
        Value::Sequence(items) => items.iter().for_each(|item| collect_shared(item, shared)),
        Value::Mapping(mapping) => mapping
            .iter()
            .for_each(|entry| collect_shared(&entry.value, shared)),
        Value::Scalar(_) | Value::Broken => {}
    }
}
