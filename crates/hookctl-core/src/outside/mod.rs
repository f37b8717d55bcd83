//! Text from outside: file names, remote texts, plan files, program output. Escaped for display.
//!
//! This module does not depend on the rest of the crate, so that every error can use it.

pub mod json;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// A text from outside. Its `Display` is a single line without control characters, invisible characters, and CI
/// commands.
///
/// ```
/// use hookctl_core::outside::Outside;
///
/// let name = "::error::x\u{202e}\n";
/// assert_eq!(Outside::text(name).to_string(), "\\u{3a}:error::x\\u{202e}\\u{a}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside<'a>(Cow<'a, str>);

impl<'a> Outside<'a> {
    /// Wraps a text.
    pub fn text(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Wraps a path. Parts that are not UTF-8 are replaced.
    pub fn path(path: &'a (impl AsRef<Path> + ?Sized)) -> Self {
        Self(path.as_ref().to_string_lossy())
    }
}

impl fmt::Display for Outside<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&escape(&self.0))
    }
}

/// Returns at most `most` characters of a text; `…` stands for the rest.
pub fn beginning(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// Escapes harmful characters by their codes. Idempotent.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) && !starts_a_command(text) && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let first = text.len() - text.trim_start().len();
    let mut escaped = String::with_capacity(text.len() + 16);
    for (index, character) in text.char_indices() {
        let rest = text.get(index..).unwrap_or_default();
        let begins = (index == first && starts_a_command(text)) || is_marker(rest);
        if begins || is_harmful(character) {
            escaped.extend(character.escape_unicode());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Returns whether a line with this text would be a workflow command of GitHub, which ignores leading white space.
fn starts_a_command(text: &str) -> bool {
    text.trim_start().starts_with("::")
}

/// Returns whether a text begins with a command that CI systems recognize anywhere in a line, in any case: `##[` of
/// GitHub and Azure Pipelines, `##vso[`, `##teamcity[`.
pub fn is_marker(text: &str) -> bool {
    text.strip_prefix("##").is_some_and(|rest| {
        let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        rest.starts_with('[')
    })
}

/// Returns whether a character is a control, changes the text direction, or is invisible.
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, joiners, and fillers.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{3164}' | '\u{ffa0}'
                // Mongolian selectors and the vowel separator.
                | '\u{180b}'..='\u{180f}'
                // Zero width, marks of direction.
                | '\u{200b}'..='\u{200f}'
                // Line and paragraph separators, embeddings, overrides.
                | '\u{2028}'..='\u{202e}'
                // Word joiner, invisible operators, isolates, deprecated formats.
                | '\u{2060}'..='\u{206f}'
                // Variation selectors, but for the two of text and emoji.
                | '\u{fe00}'..='\u{fe0d}'
                // Byte order mark, specials, and interlinear annotations.
                | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
                // Invisible musical formats.
                | '\u{1d173}'..='\u{1d17a}'
                // Tags and further variation selectors.
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in [
            "Münster ✓",
            "Ärzte: 日本語",
            "a::b",
            "# 1",
            "✔\u{fe0f}",
            "",
            "  ",
        ] {
            assert_eq!(escape(text), text);
        }
    }

    #[test]
    fn nothing_harmful_is_shown_and_escaping_twice_changes_nothing() {
        let harmful = [
            '\u{1b}',
            '\n',
            '\r',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{202e}',
            '\u{2028}',
            '\u{2029}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{feff}',
            '\u{e0041}',
            '\u{e0101}',
        ];
        for character in harmful {
            let text = format!("a{character}b");
            let escaped = escape(&text).into_owned();
            assert!(!escaped.contains(character), "{escaped}");
            assert!(escaped.contains(&format!("{:x}", u32::from(character))));
            assert_eq!(escape(&escaped), escaped);
        }
    }

    #[test]
    fn no_text_begins_a_command_of_a_ci_system() {
        assert_eq!(escape("::error::x"), "\\u{3a}:error::x");
        assert_eq!(escape("  ::add-mask::x"), "  \\u{3a}:add-mask::x");
        assert_eq!(escape("a ##[error]x"), "a \\u{23}#[error]x");
        assert_eq!(escape("##vso[task.complete]"), "\\u{23}#vso[task.complete]");
        assert_eq!(escape("##VSO[x] ###[y]"), "\\u{23}#VSO[x] #\\u{23}#[y]");
        assert_eq!(escape("##teamcity[x] ## [y]"), "\\u{23}#teamcity[x] ## [y]");
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_is_not_unicode_is_shown() {
        use std::os::unix::ffi::OsStrExt as _;

        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xffb\n"));
        assert_eq!(Outside::path(path).to_string(), "a\u{fffd}b\\u{a}");
    }
}
