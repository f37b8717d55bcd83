//! A diagnostic, and the collection of diagnostics of a run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Code, Severity, SourceMap, Span};

/// A range in a file, and its annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The range of the exact value.
    pub span: Span,
    /// The annotation; may be empty.
    pub text: String,
}

/// A problem in the files. No text in it contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of problem.
    pub code: Code,
    /// The severity, after lint levels.
    pub severity: Severity,
    /// What is wrong: a sentence fragment without a full stop.
    pub message: String,
    /// The range with the problem. `None` if it concerns a whole file or folder.
    pub primary: Option<Label>,
    /// Other ranges that explain it, such as the first of two repeated keys.
    pub secondary: Vec<Label>,
    /// The file or folder, if there is no range.
    pub path: Option<PathBuf>,
    /// How to fix it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Creates a diagnostic with the code's default severity.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            path: None,
            help: None,
        }
    }

    /// Sets the range with the problem.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a range that explains the problem.
    #[must_use]
    pub fn and(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Sets the file or folder.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets how to fix it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// The diagnostics of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds a diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Adds all diagnostics of another collection.
    pub fn extend(&mut self, other: Self) {
        self.items.extend(other.items);
    }

    /// Returns the number of diagnostics.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether any diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Returns the number of diagnostics of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.items
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    /// Returns whether there are no diagnostics.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the diagnostics that concern one of these files: of a range in it, of the file itself, or of a folder that
    /// contains it. Paths are as they are displayed.
    #[must_use]
    pub fn concerning(self, files: &BTreeSet<PathBuf>, sources: &SourceMap) -> Self {
        let is_named = |label: &Label| {
            let file = sources.file(label.span.source);
            file.is_some_and(|file| files.contains(file.path()))
        };
        let concerns = |diagnostic: &Diagnostic| {
            let path = diagnostic.path.as_ref();
            diagnostic.primary.iter().any(is_named)
                || diagnostic.secondary.iter().any(is_named)
                || path.is_some_and(|path| files.iter().any(|file| file.starts_with(path)))
        };
        let items = self.items.into_iter();
        Self {
            items: items.filter(concerns).collect(),
        }
    }

    /// Iterates over the diagnostics in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Sorts by path, position, and severity. Diagnostics without a path come first.
    pub fn sort(&mut self, sources: &SourceMap) {
        self.items.sort_by_cached_key(|diagnostic| {
            let place = diagnostic
                .primary
                .as_ref()
                .map(|label| sources.location(label.span));
            (
                place
                    .as_ref()
                    .map(|location| Arc::clone(&location.path))
                    .or_else(|| diagnostic.path.as_deref().map(Arc::from)),
                place.map(|location| (location.line, location.column)),
                diagnostic.severity,
                diagnostic.code,
            )
        });
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}
