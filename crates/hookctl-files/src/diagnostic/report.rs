//! One diagnostic, and the collection of a run.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Code, Severity, SourceMap, Span};

/// A place in a file and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place: the exact value that is meant.
    pub span: Span,
    /// What to say beside it; may be empty.
    pub text: String,
}

/// One thing to tell a person about their files. No text in it holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one sentence fragment without a full stop.
    pub message: String,
    /// The place that is meant. None if it is a whole file or folder.
    pub primary: Option<Label>,
    /// Other places that explain it, such as the first of two repeated keys.
    pub secondary: Vec<Label>,
    /// The file or folder meant where there is no place in a text.
    pub path: Option<PathBuf>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic of a code, with the code's own severity.
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

    /// With the place that is meant.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// With another place that explains it.
    #[must_use]
    pub fn and(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// With the file or folder that is meant.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With another severity than the code's own.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// The diagnostics of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.items.extend(other.items);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many are of that severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.items
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Puts them in the order of a reader: by path, place, then severity; those without a path first.
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
