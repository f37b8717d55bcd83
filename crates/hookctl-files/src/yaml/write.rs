//! Writes text as YAML that readers of YAML 1.1 and 1.2 read back as the same text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Words that YAML 1.1 or 1.2 reads as something other than text, in lower case.
const TAKEN: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Returns a text as a YAML scalar on one line, for block and flow collections: plain if no reader can misread it, and
/// in double quotes otherwise.
pub fn scalar(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(quoted(text))
    }
}

/// Returns whether a text needs no quotes. In both versions, numbers, times, and dates begin with a digit, a sign, or a
/// dot; text that begins with a letter is safe, except for a few words.
fn is_plain(text: &str) -> bool {
    let is_safe = |character: char| {
        character.is_ascii_alphanumeric() || "_-./:@%+~=&$() ".contains(character)
    };
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(is_safe)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

/// Returns a text in double quotes, with escapes that both versions of YAML know.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if is_escaped(character) => {
                let code = u32::from(character);
                // Writing to a `String` cannot fail.
                let _ = if code <= 0xffff {
                    write!(quoted, "\\u{code:04x}")
                } else {
                    write!(quoted, "\\U{code:08x}")
                };
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a text in single quotes. Returns `None` if it has line breaks, or characters that only double quotes can show.
pub fn single_quoted(text: &str) -> Option<String> {
    is_printable(text).then(|| format!("'{}'", text.replace('\'', "''")))
}

/// Returns whether a text is one line, without characters that need an escape.
pub fn is_printable(text: &str) -> bool {
    !text.contains(is_escaped)
}

/// Returns whether a character is not printable, invisible, or a line break in YAML 1.1.
fn is_escaped(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;
    use crate::diagnostic::{Diagnostics, SourceMap};

    const TRICKY: [&str; 60] = [
        "",
        " ",
        "a",
        "Billing",
        "Billing run",
        "Billing: run",
        "Billing:",
        ": a",
        "a #b",
        "#a",
        "- a",
        "-",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "true",
        "False",
        "NULL",
        "null",
        "~",
        "12",
        "012",
        "0o14",
        "0x1F",
        "1_000",
        "+5",
        "1.5",
        "1e3",
        "6500016e5789271293281985",
        "12:30:45",
        "190:20:30.15",
        "2026-01-02",
        "2026-01-02 03:04:05",
        ".inf",
        "-.INF",
        ".nan",
        "=",
        "<<",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "[a]",
        "{a: b}",
        "a, b",
        "'a'",
        "\"a\"",
        "a\\b",
        "a\nb\t",
        "\u{feff}a",
        "a\u{85}b\u{2028}c",
        "日本 \u{1f600}\u{7f}",
        "https://a.example/?a=${b}&c=d,e",
    ];

    #[test]
    fn whatever_is_written_is_read_back_as_the_same_text() {
        for text in TRICKY {
            let written = scalar(text);
            for document in [
                format!("a: {written}\n"),
                format!("a: [{written}, {written}]\n"),
            ] {
                let mut diagnostics = Diagnostics::default();
                let mut sources = SourceMap::default();
                let read = read_text(
                    "a.yaml".into(),
                    document.clone(),
                    &mut sources,
                    &mut diagnostics,
                );
                assert!(diagnostics.is_empty(), "{document}");
                let node = read[0].root.as_mapping().unwrap().get("a").unwrap();
                let node = node.as_sequence().map_or(node, |items| &items[1]);
                assert_eq!(node.kind(), Some(Kind::Text), "{document}");
                assert_eq!(node.as_scalar().unwrap().text(), text, "{document}");
                // An independent reader.
                let other: serde_yaml::Value = serde_yaml::from_str(&document).unwrap();
                let value = &other["a"];
                let value = value.get(1).unwrap_or(value);
                assert_eq!(value.as_str(), Some(text), "{document}");
            }
        }
    }

    #[test]
    fn a_reader_of_yaml_1_1_takes_no_plain_text_for_anything_else() {
        // The implicit types of https://yaml.org/type/: each begins with one of these, or is one of the words.
        for text in TRICKY {
            let written = scalar(text);
            if !written.starts_with('"') {
                assert!(written.starts_with(|first: char| first.is_ascii_alphabetic()));
                let word = written.to_ascii_lowercase();
                assert!(!TAKEN.contains(&word.as_str()), "{written}");
            }
        }
    }
}
