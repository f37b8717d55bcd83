//! ValueEdits one file, and verifies the parse of the result.

use std::path::{Path, PathBuf};

use super::NewValue;
use super::apply::{ValueEdits, edits};
use super::find::{Trees, Written};
use super::reason::Reason;
use super::source::{Edit, Source};
use super::subset::largest;
use super::verify::{NewValues, differ_only_in};
use crate::diagnostic::{Diagnostics, SourceMap};
use crate::yaml::{Document, read_text};
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
    /// Whether the webhook did not have the key before.
    pub is_added: bool,
    /// The targets of the declaration. `None` means all.
    pub targets: Option<Vec<String>>,
}

/// Writes values into the content of a file, for webhooks that it declares.
pub fn rewrite(content: &str, mut values: Vec<NewValue>) -> Rewritten {
    values.sort_by(|one, other| (&one.key, one.field).cmp(&(&other.key, other.field)));
    let source = Source::new(content);
    let (old, _) = parsed(content);
    let trees = Trees::new(&old);
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
    let trees = Trees::new(&new);
    let line = |key: &Key, field: Field| {
        let offset =
            trees
                .declared(key)
                .map_or(0, |declared| match declared.written(field.as_str()) {
                    Written::Own(node) => node.span().start,
                    Written::Alias(alias) => alias.start,
                    Written::Missing => declared.span.start,
                });
        let before = source.text().get(..offset).unwrap_or("");
        before.matches('\n').count() + 1
    };
    let written = written.into_iter().map(|(value, edits)| WrittenValue {
        line: line(&value.key, value.field),
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

type Possible = (NewValue, ValueEdits);

struct File<'a> {
    source: Source<'a>,
    old: &'a [Document],
    has_aliases: bool,
}

impl File<'_> {
    /// Returns the content with values.
    fn with(&self, values: &[&Possible]) -> String {
        let edits = values.iter().flat_map(|(_, edits)| &edits.edits);
        let edits: Vec<Edit> = edits.cloned().collect();
        self.source.with(&edits)
    }

    /// Checks that values change nothing else.
    fn check(&self, values: &[&Possible]) -> Result<(), Reason> {
        let mut wanted = NewValues::new();
        for (value, edits) in values {
            let fields = wanted.entry(value.key.as_str()).or_default();
            fields.insert(value.field, &edits.value);
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
