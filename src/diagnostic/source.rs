//! The files that diagnostics point into, and how they point.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Names a file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A place in a file as people name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The file's path, as it is shown.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in Unicode scalar values.
    pub column: usize,
}

/// A file's text.
pub struct SourceFile {
    path: PathBuf,
    text: String,
    line_starts: Vec<usize>,
    secrets: Vec<Range<usize>>,
}

/// The files read in one run. Its texts hold whatever the files hold, so it has no `Debug`; the ranges
/// marked as secret are left out by whoever shows a line.
#[derive(Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and names it.
    pub fn add(&mut self, path: PathBuf, text: String) -> SourceId {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(index, _)| index + 1))
            .collect();
        self.files.push(SourceFile {
            path,
            text,
            line_starts,
            secrets: Vec::new(),
        });
        SourceId(self.files.len() - 1)
    }

    /// The file of that name.
    pub fn file(&self, source: SourceId) -> Option<&SourceFile> {
        self.files.get(source.0)
    }

    /// All files, in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// Marks a range that must never be shown.
    pub fn mark_secret(&mut self, span: Span) {
        if let Some(file) = self.files.get_mut(span.source.0) {
            file.secrets.push(span.start..span.end);
        }
    }

    /// Where a span begins, as people name it.
    pub fn location(&self, span: Span) -> Location {
        self.file(span.source).map_or_else(
            || Location {
                path: PathBuf::new(),
                line: 1,
                column: 1,
            },
            |file| file.location(span.start),
        )
    }
}

impl SourceFile {
    /// The path, as it is shown.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The ranges that must never be shown.
    pub fn secrets(&self) -> &[Range<usize>] {
        &self.secrets
    }

    /// The place of a byte, as people name it.
    pub fn location(&self, offset: usize) -> Location {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |before| before.chars().count());
        Location {
            path: self.path.clone(),
            line,
            column: column + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let mut map = SourceMap::default();
        let source = map.add("a.yaml".into(), "a: ä\nbc: d\n".into());
        let at = |start| {
            let location = map.location(Span {
                source,
                start,
                end: start,
            });
            (location.line, location.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(5), (1, 5));
        assert_eq!(at(6), (2, 1));
        assert_eq!(at(10), (2, 5));
        assert_eq!(at(12), (3, 1));
    }
}
