//! Determines which parts of a file must not be shown: everything except values of public fields, and references of
//! secrets (`env`, the program of a `command`, `${NAME}`).
//!
//! A value is mostly shown because of a problem, such as a secret in the wrong place. So public values are listed, and
//! secrets are not guessed. Comments, user info, and query values of addresses are concealed too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::exposure::is_public;
use super::secret_key::is_secret_key;
use super::tree::{Mapping, Name, Node, Value};
use crate::diagnostic::is_word;
use hookctl_core::address;
use hookctl_core::template::is_variable_name;

/// The keys by which a secret is referred to.
const REFERENCES: [&str; 3] = ["env", "file", "command"];

/// The concealed ranges of a text.
pub(super) struct Concealed<'text> {
    text: &'text str,
    ranges: BTreeSet<(usize, usize)>,
    /// Public values that contain a `#`, which does not begin a comment there.
    with_hash: BTreeMap<usize, usize>,
}

impl<'text> Concealed<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self {
            text,
            ranges: BTreeSet::new(),
            with_hash: BTreeMap::new(),
        }
    }

    /// Returns the concealed ranges, in order.
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

    /// Conceals the value of a key, and everything between the two.
    pub(super) fn hide(&mut self, key: &Name, place: &Range<usize>) {
        let between = self.text.get(key.span.end..place.start).unwrap_or("");
        let start = if between.contains(['!', '&']) {
            key.span.end
        } else {
            place.start
        };
        self.range(start, place.end);
    }

    /// Records a value that is shown.
    pub(super) fn shown(&mut self, place: Range<usize>) {
        if self
            .text
            .get(place.clone())
            .is_some_and(|value| value.contains('#'))
        {
            self.with_hash.insert(place.start, place.end);
        }
    }

    /// Conceals the parts of an address that are not public.
    pub(super) fn address(&mut self, place: Range<usize>) {
        let written = self.text.get(place.clone()).unwrap_or("");
        let quotes = ['"', '\''];
        let bare = written.trim_start_matches(quotes);
        let start = place.start + written.len() - bare.len();
        let bare = bare.trim_end_matches(quotes);
        // Escapes and folds may hide parts from this search.
        if bare.contains(['\\', '\n']) && bare.contains(['@', '?', '#']) {
            return self.range(start, start + bare.len());
        }
        for part in address::sensitive(bare) {
            self.range(start + part.start, start + part.end);
        }
    }

    /// Conceals the value of a secret's key, with a tag, a comment, and anything else between the two. `place` is the
    /// range of the value, or of its alias.
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

    /// Conceals a secret's value, except references.
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
                ("env", Value::Scalar(scalar)) if is_constant(scalar.text()) => {}
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

    /// Conceals a node and its children.
    fn node(&mut self, node: &Node) {
        self.range(node.span().start, node.span().end);
    }

    /// Conceals all comments. Called when the public values are known.
    pub(super) fn comments(&mut self) {
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let comment = line.match_indices('#').find(|(index, _)| {
                let before = line.get(..*index).unwrap_or("");
                let begins = before.is_empty() || before.ends_with([' ', '\t']);
                begins && !self.is_in_a_value(start + index)
            });
            if let Some((index, sign)) = comment {
                self.range(start + index + sign.len(), start + line.trim_end().len());
            }
            start += line.len();
        }
    }

    fn is_in_a_value(&self, offset: usize) -> bool {
        let before = self.with_hash.range(..=offset).next_back();
        before.is_some_and(|(_, end)| offset < *end)
    }

    /// Conceals the parts of every address that are not public.
    pub(super) fn addresses(&mut self) {
        for (index, separator) in self.text.match_indices("://") {
            let start = index + separator.len();
            let rest = self.text.get(start..).unwrap_or("");
            let is_end = |character: char| {
                character.is_whitespace() || matches!(character, '"' | '\'' | ',' | '}' | ']')
            };
            let word = rest.split(is_end).next().unwrap_or("");
            if let Some(last) = word.rfind('@') {
                self.range(start, start + last);
            }
        }
    }

    /// Conceals a part that could not be parsed, by its text: in each line, everything except a key and a public value.
    pub(super) fn unparsed(&mut self, part: Range<usize>) {
        let Some(text) = self.text.get(part.clone()) else {
            return;
        };
        let mut start = part.start;
        let mut open: Option<OpenValue> = None;
        for line in text.split_inclusive('\n') {
            let content = line.trim_end();
            let indent = content.len() - content.trim_start().len();
            let belongs = open
                .as_mut()
                .is_some_and(|value| value.takes(content, indent));
            if !belongs {
                open = None;
            }
            if let Some(end) = mention(content) {
                if open.is_none() {
                    open = Some(OpenValue::after(content.get(end..).unwrap_or(""), indent));
                }
                self.range(start + end, start + content.len());
            }
            let shown = if belongs { indent } else { shown_of(content) };
            self.range(start + shown, start + content.len());
            if shown == content.len() {
                self.address(start + indent..start + content.len());
            }
            start += line.len();
        }
    }
}

/// Returns how much of an unparsed line may be shown, from its start.
fn shown_of(content: &str) -> usize {
    let body = content.trim_start_matches([' ', '\t', '-', '?', '{', '[']);
    let before = content.len() - body.len();
    if body.chars().all(is_punctuation) {
        return content.len();
    }
    let Some((key, rest)) = body.split_once(':') else {
        return before;
    };
    let bare = key.trim_matches(['"', '\'']);
    if !is_word(bare) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return before;
    }
    let is_one_value = !rest.contains(['#', '{', '&', '*', '!', '|', '>']) && !rest.contains(": ");
    if rest.chars().all(is_punctuation) || (is_public(bare) && is_one_value) {
        content.len()
    } else {
        before + key.len() + 1
    }
}

fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation() && !matches!(character, '#' | '*') || character.is_whitespace()
}

/// A value that may continue in the next lines of an unparsed part.
struct OpenValue {
    /// The indentation of its key.
    indent: usize,
    /// Its closing quote.
    quote: Option<char>,
    /// Whether it has no content so far.
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

    /// Returns whether a line belongs to the value.
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

/// Returns where the first word ends that looks like a secret's key. Everything after it may be the value.
fn mention(line: &str) -> Option<usize> {
    let mut end = 0;
    for word in line.split_inclusive(|character: char| !is_of_word(character)) {
        let bare = word.trim_end_matches(|character: char| !is_of_word(character));
        if !bare.is_empty() && is_secret_key(bare) {
            return Some(end + bare.len());
        }
        end += word.len();
    }
    None
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

/// Returns whether a text consists of variables without defaults, so that it contains no secret.
fn is_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("${") {
        let Some((name, after)) = after.split_once('}') else {
            return false;
        };
        if !is_variable_name(name) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// Returns whether a text looks like an environment variable rather than a token: `BILLING_TOKEN`.
fn is_constant(text: &str) -> bool {
    is_variable_name(text) && !text.contains(|character: char| character.is_ascii_lowercase())
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

    /// Returns the text with every concealed character replaced.
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
                "targets: {a: {api_key: 'hunter2', team_id: c}}",
                "targets: {a: {api_key: #########, team_id: c}}",
            ),
            ("bearer_tokn: hunter2", "bearer_tokn: #######"),
            ("baerer_tken: hunter2", "baerer_tken: #######"),
            ("API-KEY: hunter2", "API-KEY: #######"),
            ("api_url: x", "api_url: x"),
            (
                "db_password: |\n  hunter2\n  hunter3\nurl: c",
                "db_password: |\n  #######\n#########\nurl: c",
            ),
            ("bearer_token: [hunter2, a]", "bearer_token: [#######, #]"),
            (
                "x-a: &t hunter2\nbearer_token: *t",
                "x-a############\nbearer_token: *t",
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
            // A password in an address.
            (
                "url: https://me:hunter2@a.example/x",
                "url: https://##########@a.example/x",
            ),
            (
                "url: 'https://${A}:${B}@a.example:80/x@y'",
                "url: 'https://########################@y'",
            ),
            // A webhook may have this key.
            (
                "webhooks:\n  token-made:\n    url: x\n    bearer_token: y",
                "webhooks:\n  token-made:\n    url: x\n    bearer_token: #",
            ),
            ("webhoks: {token: {url: x}}", "webhoks: #################"),
            ("webhooks: {token: hunter2}", "webhooks: {token: #######}"),
            (
                "webhooks: {bearer_token: {value: x}}",
                "webhooks: {bearer_token: {value: #}}",
            ),
            (
                "defaults: {token: {value: x}}",
                "defaults: {token: {#####: #}}",
            ),
            // Old values in comments.
            (
                "# bearer_token: hunter2\nurl: b # hunter2",
                "#######################\nurl: b #########",
            ),
            (
                "name: 'Billing #1' # hunter2\nid: a#b",
                "name: 'Billing #1' #########\nid: a#b",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn only_values_of_public_fields_and_references_are_shown() {
        for (text, expected) in [
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
            ("bearer_token: {env: hunter}", "bearer_token: {env: ######}"),
            // A path may be a misplaced token.
            (
                "bearer_token: {file: hunter2/}",
                "bearer_token: {file: ########}",
            ),
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
            // Values of unknown keys are never shown.
            (
                "webhooks: {a: {headers: {Authorization: 'Bearer hunter2'}, name: b}}",
                "webhooks: {a: {headers: #################################, name: b}}",
            ),
            ("key: hunter2", "key: #######"),
            (
                "webhooks: {a: {key: [hunter2], enabled: x}}",
                "webhooks: {a: {key: #########, enabled: x}}",
            ),
            ("webhooks: {a: hunter2}", "webhooks: {a: #######}"),
            ("webhooks: hunter2", "webhooks: #######"),
            ("defaults: [hunter2]", "defaults: #########"),
            (
                "webhooks: {a: {name: {b: hunter2}}}",
                "webhooks: {a: {name: ############}}",
            ),
            (
                "webhooks: {a: {actions: [a, {b: hunter2}]}}",
                "webhooks: {a: {actions: [a, {b: #######}]}}",
            ),
            ("TOKEN=hunter2", "#############"),
            ("TOKEN=hunter2: x", "#############: #"),
            ("- hunter2", "#########"),
            (
                "targets: {qa: {vars: {A: hunter2}}}",
                "targets: {qa: {vars: ############}}",
            ),
            (
                "x-a: {url: b, other: hunter2}",
                "x-a: {url: b, other: #######}",
            ),
            ("lints: {plain-http: denny}", "lints: {plain-http: denny}"),
            (
                "url: https://a.example/x?t=hunter2",
                "url: https://a.example/x?t=#######",
            ),
            (
                "url: https:/me:hunter2@a.example",
                "url: https:/##########@a.example",
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
            "webhooks:\n  a:\n    url: b\n  TOKEN=hunter2\n",
            "webhooks:\n  a: [\n  key: hunter2,\n  url: https://u:hunter2@h\n",
            "# hunter2\nurl: b # hunter2\na: b: c",
            "name: 'a\n hunter2\n",
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
            "a: #\ntoken: #\n---\nb:#####\ntoken###\n  #\ne:##\n---\ng: #"
        );
    }
}
