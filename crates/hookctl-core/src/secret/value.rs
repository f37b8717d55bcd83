//! The value of a secret.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::webhook::limits::BEARER_TOKEN_LENGTH;

/// A secret: a bearer token or an API key. It has no `Display` and no `Serialize`, its `Debug` is masked, and its
/// memory is zeroed on drop.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why a value cannot be used as a secret. No variant contains any part of the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// It is empty or white space, which could clear or break a token.
    #[error("it is empty")]
    Empty,
    /// It contains a line break or another control character, which could split a header.
    #[error("it contains the control character U+{:04X} (perhaps a line break inside the value)", u32::from(*.character))]
    ControlCharacter {
        /// Shown by its code point.
        character: char,
    },
    /// It contains an invisible character, which makes secrets look alike, and which headers do not carry.
    #[error("it contains the invisible character U+{:04X}", u32::from(*.character))]
    Invisible {
        /// Shown by its code point.
        character: char,
    },
    /// It begins or ends with a space, which is invisible and lost in a header.
    #[error("it {} with a space (U+0020)", if *.at_start { "begins" } else { "ends" })]
    Blank {
        /// Whether the value begins with it.
        at_start: bool,
    },
    /// It contains a character that headers do not carry. The character is not shown, since it is part of the secret.
    #[error("its character {position} is not ASCII, which a header cannot carry")]
    NotAscii {
        /// The number of the character, from 1.
        position: usize,
    },
    /// It is a mask such as `****`, as copied from a user interface.
    #[error("it is a placeholder such as '****', not a secret")]
    Placeholder,
    /// It is longer than the API accepts.
    #[error("it is longer than the 2000 characters that the API accepts")]
    TooLong,
}

impl Secret {
    /// Validates the value of a source.
    ///
    /// # Errors
    /// Returns [`InvalidSecret`] for a value that must not be sent.
    pub fn new(value: String) -> Result<Self, InvalidSecret> {
        let value = zeroize::Zeroizing::new(value);
        if value.trim().is_empty() {
            return Err(InvalidSecret::Empty);
        }
        if let Some(character) = value.chars().find(|character| character.is_control()) {
            return Err(InvalidSecret::ControlCharacter { character });
        }
        if let Some(character) = value.chars().find(|character| is_invisible(*character)) {
            return Err(InvalidSecret::Invisible { character });
        }
        if is_placeholder(&value) {
            return Err(InvalidSecret::Placeholder);
        }
        if value.starts_with(' ') || value.ends_with(' ') {
            return Err(InvalidSecret::Blank {
                at_start: value.starts_with(' '),
            });
        }
        if let Some(index) = value.chars().position(|character| !character.is_ascii()) {
            return Err(InvalidSecret::NotAscii {
                position: index + 1,
            });
        }
        if !BEARER_TOKEN_LENGTH.contains(&value.chars().count()) {
            return Err(InvalidSecret::TooLong);
        }
        Ok(Self(SecretString::from(value.as_str())))
    }

    /// Returns the value, only for requests that send it and for its fingerprint.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns whether the value begins with `Bearer `, which the API adds itself.
    pub fn begins_with_scheme(&self) -> bool {
        self.expose()
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("bearer "))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// Returns whether a character is invisible, or looks like a space.
fn is_invisible(character: char) -> bool {
    (character.is_whitespace() && character != ' ')
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns whether a value is a mask that user interfaces and tools show in place of a secret.
fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    let inner = value
        .strip_prefix(['<', '(', '['])
        .and_then(|rest| rest.strip_suffix(['>', ')', ']']))
        .unwrap_or(value)
        .to_ascii_lowercase();
    let one_of = |characters: &[char]| {
        inner
            .chars()
            .all(|character| characters.contains(&character))
    };
    one_of(&['*'])
        || one_of(&['•'])
        || (inner.len() >= 3 && (one_of(&['x']) || one_of(&['.'])))
        || matches!(
            inner.as_str(),
            "redacted"
                | "secret"
                | "sensitive"
                | "sensitive value"
                | "hidden"
                | "masked"
                | "changeme"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_clear_or_break_a_token_is_refused() {
        let error = |value: &str| Secret::new(value.to_owned()).unwrap_err();
        assert_eq!(error(""), InvalidSecret::Empty);
        assert_eq!(error(" \t "), InvalidSecret::Empty);
        for (value, message) in [
            (
                "a\nb",
                "it contains the control character U+000A (perhaps a line break inside the value)",
            ),
            (
                "a\r",
                "it contains the control character U+000D (perhaps a line break inside the value)",
            ),
            (
                "hunter2\u{a0}",
                "it contains the invisible character U+00A0",
            ),
            (
                "hun\u{200b}ter2",
                "it contains the invisible character U+200B",
            ),
            (
                "\u{feff}hunter2",
                "it contains the invisible character U+FEFF",
            ),
            (
                "hunter2\u{e0041}",
                "it contains the invisible character U+E0041",
            ),
            ("hunter2 ", "it ends with a space (U+0020)"),
            (" hunter2", "it begins with a space (U+0020)"),
            (
                "hunter2\u{e4}",
                "its character 8 is not ASCII, which a header cannot carry",
            ),
        ] {
            assert_eq!(error(value).to_string(), message);
        }
        for mask in [
            "****",
            "•••",
            "<redacted>",
            "(secret)",
            "xxxx",
            "REDACTED",
            "...",
        ] {
            assert_eq!(error(mask), InvalidSecret::Placeholder, "{mask}");
        }
        assert_eq!(error(&"a".repeat(2001)), InvalidSecret::TooLong);
    }

    #[test]
    fn what_is_odd_but_possible_is_taken() {
        for value in [
            "a",
            "x",
            "dGVzdA==",
            "Bearer abc",
            "**a",
            "a b",
            &"a".repeat(2000),
        ] {
            assert_eq!(Secret::new(value.to_owned()).unwrap().expose(), value);
        }
        assert!(
            Secret::new("bearer abc".into())
                .unwrap()
                .begins_with_scheme()
        );
        assert!(!Secret::new("bearers".into()).unwrap().begins_with_scheme());
    }

    #[test]
    fn debug_is_masked() {
        let secret = Secret::new("hunter2".into()).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}
