//! The stable identifier of a webhook in Git.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The maximum length of a key, in characters: that of a DNS label. A key fits into a metric label, a file name, and an
/// unquoted shell argument.
const MAX_LENGTH: usize = 63;

/// The stable identifier of a webhook in Git: `[a-z0-9][a-z0-9._-]{0,62}`, unique in a repository.
///
/// Keys are never sent to the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// The error of a text that is not a [`Key`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key is 1 to 63 characters of a-z, 0-9, '.', '_', '-', and begins with a letter or digit"
)]
pub struct InvalidKey;

impl Key {
    /// Parses a key.
    ///
    /// # Errors
    /// Returns [`InvalidKey`] if `text` does not match `[a-z0-9][a-z0-9._-]{0,62}`.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let mut bytes = text.bytes();
        let first = bytes.next().ok_or(InvalidKey)?;
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = text.len() <= MAX_LENGTH
            && alphanumeric(first)
            && bytes.all(|byte| alphanumeric(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }

    /// Returns the text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_documented_form_only() {
        for good in ["a", "0", "billing-run.completed_2", &"a".repeat(63)] {
            assert_eq!(Key::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "A", "a b", "ä", "a/b", &"a".repeat(64)] {
            assert_eq!(Key::parse(bad), Err(InvalidKey), "{bad:?}");
        }
    }
}
