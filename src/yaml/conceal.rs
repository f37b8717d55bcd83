//! Which parts of a file may hold a secret in plain text, so that no rendered line ever shows one.
//!
//! Goes by the key, wherever it stands and however it is misspelt, because the value is shown most
//! often when something about it is wrong. Where a secret is only referred to (`env`, `file`, the
//! program of a `command`, `${NAME}`), the reference stays readable.

use std::collections::BTreeSet;
use std::ops::Range;

use super::secret_key::is_secret_key;
use super::tree::{Mapping, Name, Node, Value};

/// The forms in which a secret is referred to.
const REFERENCES: [&str; 3] = ["env", "file", "command"];

/// The ranges of one text that must not be shown.
pub(super) struct Concealed<'text> {
    text: &'text str,
    ranges: BTreeSet<(usize, usize)>,
}

impl<'text> Concealed<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self {
            text,
            ranges: BTreeSet::new(),
        }
    }

    /// The ranges found, in order.
    pub(super) fn into_ranges(self) -> Vec<Range<usize>> {
        self.ranges
            .into_iter()
            .map(|(start, end)| start..end)
            .collect()
    }

    /// Conceals a range.
    pub(super) fn range(&mut self, start: usize, end: usize) {
        if start < end {
            self.ranges.insert((start, end));
        }
    }

    /// Conceals the value of a secret's key, together with a tag, a comment behind it, and whatever
    /// else stands between the two. `place` is where the value stands: an alias, perhaps.
    pub(super) fn entry(&mut self, key: &Name, value: &Node, place: &Range<usize>) {
        let between = self.text.get(key.span.end..place.start).unwrap_or("");
        if between.contains(['!', '#']) {
            self.range(key.span.end, place.start);
        }
        let rest = self.text.get(place.end..).unwrap_or("");
        let line = rest.split('\n').next().unwrap_or("");
        if line.trim_start().starts_with('#') {
            self.range(place.end, place.end + line.len());
        }
        self.value(value);
    }

    /// Conceals a secret's value, references left readable.
    fn value(&mut self, node: &Node) {
        match node.value() {
            Value::Scalar(scalar) if node.is_null() || is_reference(scalar.text()) => {}
            Value::Scalar(_) | Value::Broken => self.node(node),
            Value::Sequence(items) => items.iter().for_each(|item| self.value(item)),
            Value::Mapping(mapping) => self.source(mapping),
        }
    }

    fn source(&mut self, mapping: &Mapping) {
        for entry in mapping.iter() {
            let key = entry.key.value.as_str();
            let value = &entry.value;
            match (key, value.value()) {
                ("env", Value::Scalar(scalar)) if is_name(scalar.text()) => {}
                ("file", Value::Scalar(_)) => {}
                ("command", Value::Sequence(items)) => {
                    items.iter().skip(1).for_each(|item| self.value(item));
                }
                _ => {
                    if crate::diagnostic::nearest(key, REFERENCES).is_none() {
                        self.range(entry.key.span.start, entry.key.span.end);
                    }
                    self.value(value);
                }
            }
        }
    }

    /// Conceals everything from here down.
    fn node(&mut self, node: &Node) {
        self.range(node.span().start, node.span().end);
    }

    /// Conceals what comments say of secrets: `# bearer_token: ...`, left behind while trying.
    pub(super) fn comments(&mut self) {
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let comment = line.char_indices().find(|(index, character)| {
                *character == '#'
                    && line
                        .get(..*index)
                        .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
            });
            if let Some((index, _)) = comment
                && let Some(comment) = line.get(index..)
                && let Some(end) = mention(comment)
                && comment
                    .get(end..)
                    .is_some_and(|rest| rest.trim_start().starts_with([':', '=']))
            {
                self.range(start + index + end, start + line.trim_end().len());
            }
            start += line.len();
        }
    }

    /// Conceals the passwords of addresses: `https://user:password@host`.
    pub(super) fn addresses(&mut self) {
        for (index, separator) in self.text.match_indices("://") {
            let start = index + separator.len();
            let rest = self.text.get(start..).unwrap_or("");
            let is_end = |character: char| {
                character.is_whitespace() || matches!(character, '/' | '?' | '#' | '"' | '\'')
            };
            let authority = rest.split(is_end).next().unwrap_or("");
            if let Some((user_info, _)) = authority.rsplit_once('@')
                && let Some((user, password)) = user_info.split_once(':')
                && !is_reference(password)
            {
                let start = start + user.len() + 1;
                self.range(start, start + password.len());
            }
        }
    }

    /// Conceals by the look of the text, for a part that could not be parsed: whatever follows a
    /// secret's key on its line, and the lines after it that may belong to the value.
    pub(super) fn unparsed(&mut self, part: Range<usize>) {
        let Some(text) = self.text.get(part.clone()) else {
            return;
        };
        let mut start = part.start;
        let mut open: Option<OpenValue> = None;
        for line in text.split_inclusive('\n') {
            let content = line.trim_end();
            let indent = content.len() - content.trim_start().len();
            if let Some(value) = &mut open {
                if value.takes(content, indent) {
                    self.range(start + indent, start + content.len());
                } else {
                    open = None;
                }
            }
            if let Some(end) = mention(content) {
                self.range(start + end, start + content.len());
                if open.is_none() {
                    open = Some(OpenValue::after(content.get(end..).unwrap_or(""), indent));
                }
            }
            start += line.len();
        }
    }
}

/// A value that may go on in the next lines of a part that could not be parsed.
struct OpenValue {
    /// How far its key is indented.
    indent: usize,
    /// The quote that it is waiting for.
    quote: Option<char>,
    /// Whether nothing of it has been seen yet.
    empty: bool,
}

impl OpenValue {
    fn after(rest: &str, indent: usize) -> Self {
        let value = rest.trim_start_matches([':', ' ', '\t', '"', '\'', '?']);
        let quoted = rest
            .split_once(':')
            .map_or("", |(_, value)| value.trim_start());
        let quote = quoted
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        Self {
            indent,
            quote: quote.filter(|quote| !closes(quoted.get(1..).unwrap_or(""), *quote)),
            empty: value.is_empty() || value.starts_with(['#', '&', '!', '|', '>']),
        }
    }

    /// Whether a line belongs to the value.
    fn takes(&mut self, content: &str, indent: usize) -> bool {
        if content.is_empty() {
            return true;
        }
        if let Some(quote) = self.quote {
            if closes(content, quote) {
                self.quote = None;
            }
            return true;
        }
        let was_empty = std::mem::replace(&mut self.empty, false);
        was_empty
            || indent > self.indent
            || (indent == self.indent && content.trim_start().starts_with("- "))
    }
}

fn closes(text: &str, quote: char) -> bool {
    let mut escaped = false;
    text.chars().any(|character| {
        let closing = character == quote && !escaped;
        escaped = character == '\\' && !escaped && quote == '"';
        closing
    })
}

/// Where the first word that looks like a secret's key ends. The first, because everything after it may
/// be the value.
fn mention(line: &str) -> Option<usize> {
    let mut end = 0;
    for word in line.split_inclusive(|character: char| !is_word(character)) {
        let bare = word.trim_end_matches(|character: char| !is_word(character));
        if !bare.is_empty() && is_secret_key(bare) {
            return Some(end + bare.len());
        }
        end += word.len();
    }
    None
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

/// Whether a text is nothing but variables without defaults, so that there is nothing to hide.
fn is_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("${") {
        let Some((name, after)) = after.split_once('}') else {
            return false;
        };
        if !is_name(name) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|character: char| character.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::diagnostic::{Diagnostics, SourceMap};

    struct Read {
        sources: SourceMap,
        diagnostics: Diagnostics,
    }

    fn read(text: &str) -> Read {
        let mut sources = SourceMap::default();
        let mut diagnostics = Diagnostics::default();
        read_text(
            "a.yaml".into(),
            text.to_owned(),
            &mut sources,
            &mut diagnostics,
        );
        Read {
            sources,
            diagnostics,
        }
    }

    /// The text with every concealed character replaced.
    fn shown(text: &str) -> String {
        let read = read(text);
        let file = read.sources.files().next().unwrap();
        file.text()
            .char_indices()
            .map(|(index, character)| {
                let hidden = file.secrets().iter().any(|range| range.contains(&index));
                if hidden && character != '\n' {
                    '#'
                } else {
                    character
                }
            })
            .collect()
    }

    #[test]
    fn secrets_are_concealed_wherever_they_stand() {
        for (text, expected) in [
            (
                "bearer_token: hunter2\nurl: x",
                "bearer_token: #######\nurl: x",
            ),
            (
                "a: {api_key: 'hunter2', b: c}",
                "a: {api_key: #########, b: c}",
            ),
            ("bearer_tokn: hunter2", "bearer_tokn: #######"),
            ("baerer_tken: hunter2", "baerer_tken: #######"),
            ("API-KEY: hunter2", "API-KEY: #######"),
            ("api_url: x", "api_url: x"),
            (
                "db_password: |\n  hunter2\n  hunter3\nb: c",
                "db_password: |\n  #######\n#########\nb: c",
            ),
            ("bearer_token: [hunter2, a]", "bearer_token: [#######, #]"),
            (
                "x-a: &t hunter2\nbearer_token: *t",
                "x-a: &t #######\nbearer_token: *t",
            ),
            ("bearer_token: &t hunter2", "bearer_token: &t #######"),
            ("bearer_token: !hunter2 x", "bearer_token############"),
            (
                "bearer_token: # hunter2\n  hunter3",
                "bearer_token###########\n#########",
            ),
            ("bearer_token: x # hunter2", "bearer_token: ###########"),
            ("bearer_token: *hunter2", "bearer_token: ########"),
            (
                "bearer_token: hunter2\nbearer_token: hunter3",
                "bearer_token: #######\nbearer_token: #######",
            ),
            (
                "{<<: {bearer_token: hunter2}, bearer_token: null}",
                "{<<: {bearer_token: #######}, bearer_token: null}",
            ),
            // References stay readable.
            (
                "bearer_token: ${A_TOKEN}${B}",
                "bearer_token: ${A_TOKEN}${B}",
            ),
            ("bearer_token: ${A:-hunter2}", "bearer_token: #############"),
            ("bearer_token: a${A}", "bearer_token: #####"),
            ("bearer_token: {env: NAME}", "bearer_token: {env: NAME}"),
            (
                "bearer_token: {env: hunter-2}",
                "bearer_token: {env: ########}",
            ),
            ("bearer_token: {file: a/b}", "bearer_token: {file: a/b}"),
            (
                "bearer_token: {command: [pass, hunter2]}",
                "bearer_token: {command: [pass, #######]}",
            ),
            (
                "bearer_token: {comand: [pass, hunter2]}",
                "bearer_token: {comand: [####, #######]}",
            ),
            ("bearer_token: {hunter2}", "bearer_token: {#######}"),
            (
                "bearer_token: {hunter2: 1, hunter2: 2}",
                "bearer_token: {#######: #, ##########}",
            ),
            (
                "bearer_token: {<<: {value: hunter2}, value: x}",
                "bearer_token: {####################, #####: #}",
            ),
            // A password in an address.
            (
                "url: https://me:hunter2@a.example/x",
                "url: https://me:#######@a.example/x",
            ),
            (
                "url: 'https://${A}:${B}@a.example:80/x@y'",
                "url: 'https://${A}:${B}@a.example:80/x@y'",
            ),
            // A webhook may be called so.
            (
                "webhooks:\n  token-made:\n    url: x\n    bearer_token: y",
                "webhooks:\n  token-made:\n    url: x\n    bearer_token: #",
            ),
            ("webhoks: {token: {url: x}}", "webhoks: {token: {url: x}}"),
            ("webhooks: {token: hunter2}", "webhooks: {token: #######}"),
            (
                "webhooks: {bearer_token: {value: x}}",
                "webhooks: {bearer_token: {#####: #}}",
            ),
            (
                "defaults: {token: {value: x}}",
                "defaults: {token: {#####: #}}",
            ),
            // What is left behind in comments.
            (
                "# bearer_token: hunter2\na: b",
                "# bearer_token#########\na: b",
            ),
            (
                "# the token is kept elsewhere\na: b",
                "# the token is kept elsewhere\na: b",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn secrets_are_concealed_in_what_cannot_be_parsed() {
        for text in [
            "bearer_token: 'hunter2\nurl: x",
            "bearer_token: @hunter2\n",
            "bearer_token hunter2\nurl: x\n",
            "bearer_token = hunter2\nurl: x\n",
            "bearer_token:\n  hunter2\n\n  hunter2\n a: b: c\n",
            "bearer_token:\nhunter2\na: b: c\n",
            "bearer_token:\n- hunter2\na: b: c\n",
            "bearer_token: \"x\nhunter2\ny\" a: b: c\n",
            "- {a: 1, \"bearer_token\": hunter2, b: [}\n",
            "a: &x [*hunter, bearer_token: hunter2}\n",
            "ok: 1\n---\napi-key: |\n hunter2\na: b: c\n---\nok: 1\n",
            "a: b: c\n---\nbearer_token: hunter2: b\n---\nd: 1\n",
            "token: hunter2\nx\0",
        ] {
            assert!(!shown(text).contains("hunter2"), "{}", shown(text));
            let read = read(text);
            assert!(read.diagnostics.has_errors(), "{text:?}");
            for diagnostic in read.diagnostics.iter() {
                assert!(!format!("{diagnostic:?}").contains("hunter2"));
            }
        }
        assert_eq!(
            shown("a: 1\ntoken: x\n---\nb: c: d\ntoken: y\n  z\ne: f\n---\ng: h"),
            "a: 1\ntoken: #\n---\nb: c: d\ntoken###\n  #\ne: f\n---\ng: h"
        );
    }
}
