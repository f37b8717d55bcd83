//! A unified diff of a declaration file, with its secrets hidden.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::diagnostic::{Diagnostics, SourceFile, SourceMap};
use crate::outside::Outside;
use crate::yaml::read_text;

/// The time limit of the diff of one file.
const TIME: Duration = Duration::from_secs(1);

/// The replacement for secrets.
const MASK: &str = "(hidden)";

/// The lines of a file, and what is shown of them.
struct Lines {
    text: String,
    shown: Vec<String>,
}

/// Returns the unified diff of a file. Tokens in plain text, and the values of queries, are replaced by `(hidden)`.
pub(super) fn file_diff(path: &Path, before: &str, after: &str) -> String {
    let (old, new) = (lines(before), lines(after));
    let diff = TextDiff::configure()
        .timeout(TIME)
        .diff_lines(old.text.as_str(), new.text.as_str());
    let path = Outside::path(path);
    let mut text = format!("--- a/{path}\n+++ b/{path}\n");
    for hunk in diff.unified_diff().iter_hunks() {
        text += &format!("{}\n", hunk.header());
        for change in hunk.iter_changes() {
            let line = |lines: &Lines, index: Option<usize>| {
                let line = index.and_then(|index| lines.shown.get(index));
                line.cloned().unwrap_or_default()
            };
            let (sign, line) = match change.tag() {
                ChangeTag::Equal => (' ', line(&new, change.new_index())),
                ChangeTag::Delete => ('-', line(&old, change.old_index())),
                ChangeTag::Insert => ('+', line(&new, change.new_index())),
            };
            text += &format!("{sign}{}\n", sanitize(&line));
            if change.missing_newline() {
                text += "\\ No newline at end of file\n";
            }
        }
    }
    text
}

/// Colors a unified diff.
pub(super) fn styled_diff(diff: &str, styles: &Styles) -> String {
    let line = |line: &str| {
        let style = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => styles.headline,
            [b'+', ..] => styles.create,
            [b'-', ..] => styles.destroy,
            [b'@', ..] => styles.aside,
            _ => anstyle::Style::new(),
        };
        paint(style, line) + "\n"
    };
    diff.lines().map(line).collect()
}

fn lines(content: &str) -> Lines {
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let path = Path::new("").to_owned();
    read_text(path, content.to_owned(), &mut sources, &mut diagnostics);
    let Some(file) = sources.files().next() else {
        return Lines {
            text: String::new(),
            shown: Vec::new(),
        };
    };
    Lines {
        text: file.text().to_owned(),
        shown: shown(file),
    }
}

/// Returns the lines of a file without what is secret.
fn shown(file: &SourceFile) -> Vec<String> {
    let mut secrets: Vec<Range<usize>> = file.secrets().to_vec();
    secrets.sort_by_key(|range| (range.start, range.end));
    let mut start = 0;
    let mut first = 0;
    let mut lines = Vec::new();
    for line in file.text().split_inclusive('\n') {
        let content = line.trim_end_matches('\n');
        let end = start + content.len();
        let mut text = String::new();
        let mut done = start;
        // Ranges that end before this line are not needed again.
        while secrets.get(first).is_some_and(|range| range.end <= start) {
            first += 1;
        }
        for range in secrets.iter().skip(first) {
            if range.start >= end {
                break;
            }
            let from = range.start.max(done);
            let to = range.end.min(end);
            if to > from {
                text.push_str(file.text().get(done..from).unwrap_or(""));
                text.push_str(MASK);
                done = to;
            }
        }
        text.push_str(file.text().get(done..end).unwrap_or(""));
        lines.push(text);
        start += line.len();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_a_query_are_hidden_and_the_lines_stay() {
        let before = "webhooks:\r\n  a:\r\n    url: https://a.example.com/?token=hunter2\r\n    actions: all\r\n    \
                      bearer_token: |\r\n      hunter2\r\n      hunter2\r\n";
        let after = before.replace("hunter2\r\n    actions", "hunter3\r\n    actions");
        let diff = file_diff(Path::new("a.yaml"), before, &after);
        assert!(!diff.contains("hunter"), "{diff}");
        let expected = [
            "--- a/a.yaml",
            "+++ b/a.yaml",
            "@@ -1,6 +1,6 @@",
            " webhooks:",
            "   a:",
            "-    url: https://a.example.com/?token=(hidden)",
            "+    url: https://a.example.com/?token=(hidden)",
            "     actions: all",
            "     bearer_token: |",
            "       (hidden)",
        ];
        assert_eq!(diff.lines().collect::<Vec<_>>(), expected);
    }
}
