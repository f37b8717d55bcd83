//! ValueEdits one file, and verifies the parse of the result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::NewValue;
use super::apply::{ValueEdits, edits};
use super::find::{Level, Trees, Written, range};
use super::insert::first_pairs;
use super::reason::Reason;
use super::source::{Edit, Source};
use super::subset::largest;
use super::verify::{NewValues, differ_only_in};
use crate::diagnostic::{Diagnostics, SourceMap, Span};
use crate::yaml::{Document, Entry, read_text};
use hookctl_core::webhook::{Field, FieldValue, Key};

/// A file with new values.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The new content.
    pub text: String,
    /// The values that were written.
    pub written: Vec<WrittenValue>,
    /// The values that were refused, with the reason.
    pub refused: Vec<(Key, Field, Reason)>,
}

/// A value that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenValue {
    /// The key of the webhook.
    pub key: Key,
    /// The field.
    pub field: Field,
    /// The value as the file has it.
    pub value: FieldValue,
    /// The line in the new content, from 1.
    pub line: usize,
    /// Whether the webhook, or the target in it, did not have the key before.
    pub is_added: bool,
    /// The targets that have the value. `None` means all.
    pub targets: Option<Vec<String>>,
}

/// Writes values of a target into the content of a file, for webhooks that it declares.
pub fn rewrite(content: &str, target: &str, mut values: Vec<NewValue>) -> Rewritten {
    values.sort_by(|one, other| (&one.key, one.field).cmp(&(&other.key, other.field)));
    let source = Source::new(content);
    let (old, _) = parsed(content);
    let trees = Trees::new(&old, target);
    let mut refused = Vec::new();
    let mut possible = Vec::new();
    for value in values {
        match edits(source.text(), &trees, &value) {
            Ok(edits) => possible.push((value, edits)),
            Err(reason) => refused.push((value.key, value.field, reason)),
        }
    }
    let file = File {
        source,
        old: &old,
        target,
        has_aliases: trees.has_aliases(),
    };
    let (written, others) = largest(possible.iter().collect(), &mut |values| file.check(values));
    refused.extend(
        others
            .into_iter()
            .map(|((value, _), reason)| (value.key.clone(), value.field, reason)),
    );
    refused.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let text = file.with(&written);
    let (new, _) = parsed(&text);
    let source = Source::new(&text);
    let trees = Trees::new(&new, target);
    let line = |key: &Key, field: Field, level: Level| {
        let fields = trees
            .declared(key)
            .and_then(|declared| trees.at(&declared, level));
        let offset = fields.map_or(0, |fields| match fields.written(field.as_str()) {
            Written::Own(node) => node.span().start,
            Written::Alias(alias) => alias.start,
            Written::Null(entry) => range(entry.key.span).start,
            Written::Missing => fields.span.start,
        });
        let before = source.text().get(..offset).unwrap_or("");
        before.matches('\n').count() + 1
    };
    let written = written.into_iter().map(|(value, edits)| WrittenValue {
        line: line(&value.key, value.field, edits.level),
        key: value.key.clone(),
        field: value.field,
        value: edits.value.clone(),
        is_added: edits.is_added,
        targets: edits.targets.clone(),
    });
    Rewritten {
        written: written.collect(),
        refused,
        text,
    }
}

/// Returns whether a content has the text that a loaded file has: with uniform line ends, and without a byte order mark.
pub fn reads_as(content: &str, text: &str) -> bool {
    Source::new(content).text() == text
}

/// Returns the documents of a file, and whether all of it was read.
fn parsed(content: &str) -> (Vec<Document>, bool) {
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let path = PathBuf::from(Path::new(""));
    let documents = read_text(path, content.to_owned(), &mut sources, &mut diagnostics);
    (documents, !diagnostics.has_errors())
}

type Possible<'a> = (NewValue, ValueEdits<'a>);

struct File<'a> {
    source: Source<'a>,
    old: &'a [Document],
    target: &'a str,
    has_aliases: bool,
}

impl File<'_> {
    /// Returns the content with values.
    fn with(&self, values: &[&Possible<'_>]) -> String {
        let edits = values.iter().flat_map(|(_, edits)| &edits.edits);
        let mut edits: Vec<Edit> = edits.cloned().collect();
        let mut firsts: BTreeMap<Span, (&Entry, Vec<&str>)> = BTreeMap::new();
        for first in values.iter().filter_map(|(_, edits)| edits.first.as_ref()) {
            let span = first.target.key.span;
            let (_, pairs) = firsts.entry(span).or_insert((first.target, Vec::new()));
            pairs.push(&first.pair);
        }
        let text = self.source.text();
        let firsts = firsts.into_values();
        edits.extend(firsts.filter_map(|(target, pairs)| first_pairs(text, target, &pairs)));
        self.source.with(&edits)
    }

    /// Checks that values change nothing else.
    fn check(&self, values: &[&Possible<'_>]) -> Result<(), Reason> {
        let mut wanted = NewValues::of_target(self.target);
        for (value, edits) in values {
            wanted.insert(value.key.as_str(), edits.level, value.field, &edits.value);
        }
        let (new, is_complete) = parsed(&self.with(values));
        if is_complete && differ_only_in(self.old, &new, &wanted) {
            return Ok(());
        }
        Err(match values.last() {
            Some((value, _)) if !self.has_aliases => Reason::Form {
                value: value.value.clone(),
            },
            _ => Reason::Shared,
        })
    }
}
