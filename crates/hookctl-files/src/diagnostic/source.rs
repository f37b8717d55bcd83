//! The files that diagnostics refer to, and ranges in them.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookctl_core::location::Location;

/// The id of a file in a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// The offset of the first byte.
    pub start: usize,
    /// The offset after the last byte.
    pub end: usize,
}

/// A value with its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was parsed.
    pub value: T,
    /// Its range.
    pub span: Span,
}

/// The distance between counted offsets, in bytes. Counting from the start would be quadratic in a file whose content
/// is on one line.
const COUNTED_EVERY: usize = 1024;

/// A file with its text.
pub struct SourceFile {
    path: Arc<Path>,
    text: String,
    line_starts: Vec<usize>,
    /// The number of characters before each [`COUNTED_EVERY`]th byte.
    counted: Vec<usize>,
    secrets: Vec<Range<usize>>,
}

/// Shows the path and the length: the text may contain secrets.
impl fmt::Debug for SourceFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SourceFile")
            .field("path", &self.path)
            .field("len", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// The files of a run. Their texts may contain secrets, so `Debug` does not show them, and renderers leave out ranges
/// marked as secret.
#[derive(Debug, Default)]
pub struct SourceMap {
    /// The index of the first file.
    first: usize,
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Creates a map whose first file has another index than 0: a part of a larger map, filled in parallel with others.
    pub(crate) const fn starting_at(first: usize) -> Self {
        Self {
            first,
            files: Vec::new(),
        }
    }

    /// Appends the map that continues this one.
    pub(crate) fn append(&mut self, mut next: Self) {
        debug_assert_eq!(next.first, self.first + self.files.len());
        self.files.append(&mut next.files);
    }

    /// Adds a file and returns its id.
    pub fn add(&mut self, path: PathBuf, text: String) -> SourceId {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(index, _)| index + 1))
            .collect();
        let mut characters = 0;
        let counted = text
            .as_bytes()
            .chunks(COUNTED_EVERY)
            .map(|chunk| {
                let before = characters;
                characters += count_characters(chunk);
                before
            })
            .collect();
        self.files.push(SourceFile {
            path: path.into(),
            text,
            line_starts,
            counted,
            secrets: Vec::new(),
        });
        SourceId(self.first + self.files.len() - 1)
    }

    /// Returns the file with this id.
    pub fn file(&self, source: SourceId) -> Option<&SourceFile> {
        self.files.get(source.0.checked_sub(self.first)?)
    }

    /// Iterates over the files in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// Marks a range as secret: it is never shown.
    pub fn mark_secret(&mut self, span: Span) {
        let index = span.source.0.checked_sub(self.first);
        if let Some(file) = index.and_then(|index| self.files.get_mut(index)) {
            file.secrets.push(span.start..span.end);
        }
    }

    /// Returns where a span begins.
    pub fn location(&self, span: Span) -> Location {
        self.file(span.source).map_or_else(
            || Location {
                path: PathBuf::new().into(),
                line: 1,
                column: 1,
            },
            |file| file.location(span.start),
        )
    }

    /// Returns the position after a span's last character.
    pub fn end_location(&self, span: Span) -> Location {
        let end = Span {
            start: span.end.max(span.start),
            ..span
        };
        self.location(end)
    }
}

impl SourceFile {
    /// Returns the displayed path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the ranges marked as secret.
    pub fn secrets(&self) -> &[Range<usize>] {
        &self.secrets
    }

    /// Returns the line that contains a byte, without its line break.
    pub fn line(&self, offset: usize) -> Range<usize> {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let end = self
            .line_starts
            .get(line)
            .map_or(self.text.len(), |next| next.saturating_sub(1));
        start..end.max(start)
    }

    /// Returns the position of a byte.
    pub fn location(&self, offset: usize) -> Location {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let line_before = self.text.as_bytes().get(start..offset);
        let column = match line_before {
            Some(bytes) if bytes.len() <= COUNTED_EVERY => count_characters(bytes),
            _ => self
                .characters_before(offset)
                .saturating_sub(self.characters_before(start)),
        };
        Location {
            path: Arc::clone(&self.path),
            line,
            column: column + 1,
        }
    }

    fn characters_before(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let chunk = offset / COUNTED_EVERY;
        let before = self.counted.get(chunk).copied();
        let rest = self.text.as_bytes().get(chunk * COUNTED_EVERY..offset);
        match before {
            Some(before) => before + rest.map_or(0, count_characters),
            // The text ends at a chunk boundary.
            None => self.text.chars().count(),
        }
    }
}

/// Counts the characters that begin in these bytes of UTF-8 text.
fn count_characters(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .filter(|byte| !matches!(byte, 0x80..=0xbf))
        .count()
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

    #[test]
    fn long_lines_are_counted_right_at_every_place() {
        let text = "aä\u{1f600}".repeat(COUNTED_EVERY) + "\nx" + &"ß".repeat(COUNTED_EVERY);
        let mut map = SourceMap::default();
        let source = map.add("a.yaml".into(), text.clone());
        let break_at = text.find('\n').unwrap();
        for (number, (index, _)) in text.char_indices().enumerate() {
            let at = map.location(Span {
                source,
                start: index,
                end: index,
            });
            let first = if index > break_at {
                3 * COUNTED_EVERY + 1
            } else {
                0
            };
            assert_eq!(at.column, number - first + 1, "{index}");
        }
    }
}
