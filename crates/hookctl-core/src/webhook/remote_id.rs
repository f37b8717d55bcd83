//! Ids of webhooks at the API.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The maximum length of an id, in characters. Documented are 24; this limit still fits into a path segment.
const MAX_LENGTH: usize = 128;

/// The id of a webhook at the API.
///
/// The API documents 24 lower-case hexadecimal digits. Any text that is safe in a URL path is accepted, since ids are
/// only passed back to the API. [`RemoteId::is_documented_form`] recognizes the documented form, for ids in files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteId(String);

/// The error of a text that is not a [`RemoteId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 128 characters of A-Z, a-z, 0-9, '_', '-'")]
pub struct InvalidRemoteId;

impl RemoteId {
    /// Parses an id.
    ///
    /// # Errors
    /// Returns [`InvalidRemoteId`] if `text` is empty, longer than 128 characters, or would need escaping in a
    /// URL path.
    pub fn parse(text: &str) -> Result<Self, InvalidRemoteId> {
        let valid = (1..=MAX_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRemoteId)
        }
    }

    /// Returns whether the id has the documented form: 24 lower-case hexadecimal digits.
    pub fn is_documented_form(&self) -> bool {
        self.0.len() == 24
            && self
                .0
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }

    /// Returns the text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for RemoteId {
    type Error = InvalidRemoteId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RemoteId> for String {
    fn from(id: RemoteId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_could_leave_a_path_segment() {
        for bad in ["", "a/b", "..", "a?b", "a%2f", " a", &"a".repeat(129)] {
            assert_eq!(RemoteId::parse(bad), Err(InvalidRemoteId), "{bad:?}");
        }
    }

    #[test]
    fn knows_the_documented_form() {
        let documented = |text: &str| RemoteId::parse(text).unwrap().is_documented_form();
        assert!(documented("5eb7cf5a86d9755df3a6c593"));
        assert!(!documented("5EB7CF5A86D9755DF3A6C593"));
        assert!(!documented("5eb7cf5a86d9755df3a6c59"));
    }
}
