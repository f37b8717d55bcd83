//! The text of a file as the YAML reader sees it, and where each part is in its bytes.

use std::ops::Range;

/// A replacement of a range of the text. Its line breaks are `\n`; the file's own are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// The range in the text.
    pub(super) range: Range<usize>,
    /// The new content.
    pub(super) text: String,
}

impl Edit {
    pub(super) fn insert(at: usize, text: String) -> Self {
        Self {
            range: at..at,
            text,
        }
    }
}

/// The bytes of a file, and its text with uniform line ends and without a byte order mark.
pub(super) struct Source<'a> {
    raw: &'a str,
    text: String,
    /// The length of the byte order mark.
    mark: usize,
    /// The offsets in the text of the line breaks that are two bytes in the file.
    wide_breaks: Vec<usize>,
}

const MARK: char = '\u{feff}';

impl<'a> Source<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        let content = raw.strip_prefix(MARK).unwrap_or(raw);
        let mark = raw.len() - content.len();
        let mut text = String::with_capacity(content.len());
        let mut wide_breaks = Vec::new();
        let mut rest = content;
        while let Some(index) = rest.find('\r') {
            let (line, after) = rest.split_at(index);
            text.push_str(line);
            if after.starts_with("\r\n") {
                wide_breaks.push(text.len());
            }
            text.push('\n');
            rest = after
                .strip_prefix("\r\n")
                .or_else(|| after.strip_prefix('\r'))
                .unwrap_or("");
        }
        text.push_str(rest);
        Self {
            raw,
            text,
            mark,
            wide_breaks,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the offset in the file of an offset in the text.
    fn raw_offset(&self, offset: usize) -> usize {
        self.mark + offset + self.wide_breaks.partition_point(|found| *found < offset)
    }

    /// Returns the line break of the line at an offset. The last line has that of the line before.
    fn line_break(&self, offset: usize) -> &'a str {
        let after = self.text.get(offset..).and_then(|rest| rest.find('\n'));
        let before = || self.text.get(..offset)?.rfind('\n');
        let Some(at) = after.map(|index| offset + index).or_else(before) else {
            return "\n";
        };
        let start = self.raw_offset(at);
        let end = self.raw_offset(at + 1);
        self.raw.get(start..end).unwrap_or("\n")
    }

    /// Returns the bytes of the file with the edits, which do not overlap.
    pub(super) fn with(&self, edits: &[Edit]) -> String {
        let mut sorted: Vec<&Edit> = edits.iter().collect();
        sorted.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut written = String::with_capacity(self.raw.len() + 64);
        let mut done = 0;
        for edit in sorted {
            let start = self.raw_offset(edit.range.start).max(done);
            written.push_str(self.raw.get(done..start).unwrap_or(""));
            let line_break = self.line_break(edit.range.start);
            written.push_str(&edit.text.replace('\n', line_break));
            done = self.raw_offset(edit.range.end).max(start);
        }
        written.push_str(self.raw.get(done..).unwrap_or(""));
        written
    }
}

/// Returns the start of the line that contains an offset.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or("");
    before.rfind('\n').map_or(0, |index| index + 1)
}

/// Returns the end of the line that contains an offset, before its line break.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let after = text.get(offset..).unwrap_or("");
    after.find('\n').map_or(text.len(), |index| offset + index)
}

/// Returns the edit that adds a line after the line that contains an offset.
pub(super) fn line_after(text: &str, offset: usize, line: &str) -> Edit {
    let end = line_end(text, offset);
    Edit::insert(end, format!("\n{line}"))
}

/// Returns the line that contains a range, with the line break before it: an edit at the end of the line stays possible.
pub(super) fn whole_line(text: &str, range: &Range<usize>) -> Range<usize> {
    let (start, end) = (line_start(text, range.start), line_end(text, range.end));
    match start.checked_sub(1) {
        Some(before) => before..end,
        None => start..(end + 1).min(text.len()),
    }
}

/// Returns the text between the start of the line and an offset.
pub(super) fn line_before(text: &str, offset: usize) -> &str {
    text.get(line_start(text, offset)..offset).unwrap_or("")
}

/// Returns the text between an offset and the end of the line.
pub(super) fn line_rest(text: &str, offset: usize) -> &str {
    text.get(offset..line_end(text, offset)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_stay_and_new_lines_end_like_their_neighbours() {
        let raw = "\u{feff}a: 1\r\nb: 2\rc: ä\nd: 4";
        let source = Source::new(raw);
        assert_eq!(source.text(), "a: 1\nb: 2\nc: ä\nd: 4");
        let edit = |find: &str, text: &str| {
            let start = source.text().find(find).unwrap();
            Edit {
                range: start..start + find.len(),
                text: text.to_owned(),
            }
        };
        assert_eq!(source.with(&[]), raw);
        let edits = [edit("4", "5"), edit("1", "10"), edit("ä", "\u{1f600}")];
        assert_eq!(
            source.with(&edits),
            "\u{feff}a: 10\r\nb: 2\rc: \u{1f600}\nd: 5"
        );
        let lines = ["a", "b", "c", "d"].map(|key| {
            let at = source.text().find(key).unwrap();
            line_after(source.text(), at, "x: y")
        });
        assert_eq!(
            source.with(&lines),
            "\u{feff}a: 1\r\nx: y\r\nb: 2\rx: y\rc: ä\nx: y\nd: 4\nx: y"
        );
    }
}
