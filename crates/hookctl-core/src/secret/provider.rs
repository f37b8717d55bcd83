//! Names of secret providers, and references to their secrets.

use std::fmt;

/// The forms of a source that are built in. No provider has such a name.
const BUILT_IN: [&str; 4] = ["env", "file", "command", "text"];

/// The name of a secret provider: the key in `{ vault: clinic/billing#token }`.
///
/// A name has 1 to [`MAX_LENGTH`](Self::MAX_LENGTH) lowercase ASCII letters, digits, and underscores, and begins with a
/// letter. The built-in forms are reserved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderName(String);

/// Why a text is not the name of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProviderName {
    /// It contains another character, begins with another, is empty, or is too long.
    #[error("not 1 to 32 lowercase letters, digits, and underscores, beginning with a letter")]
    Malformed,
    /// It is the name of a built-in form.
    #[error("'{0}' is a built-in source of secrets")]
    BuiltIn(&'static str),
}

impl ProviderName {
    /// The maximum length in bytes.
    pub const MAX_LENGTH: usize = 32;

    /// Parses a name.
    ///
    /// # Errors
    /// Returns [`InvalidProviderName`].
    pub fn parse(text: &str) -> Result<Self, InvalidProviderName> {
        if let Some(form) = BUILT_IN.into_iter().find(|form| *form == text) {
            return Err(InvalidProviderName::BuiltIn(form));
        }
        let belongs = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_valid = text.len() <= Self::MAX_LENGTH
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(belongs);
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidProviderName::Malformed)
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names a secret to a provider: text from a file, such as `clinic/billing#token`, whose meaning the provider defines.
///
/// It has no `Display`, and its `Debug` is masked: a token may be in its place by mistake.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretReference(String);

/// Why a text is not a reference. No variant contains any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReference {
    /// It is empty or white space.
    #[error("it is empty")]
    Empty,
    /// It contains a control character.
    #[error("it contains a control character")]
    ControlCharacter,
    /// It exceeds [`SecretReference::MAX_LENGTH`].
    #[error("it is longer than 4096 bytes")]
    TooLong,
}

impl SecretReference {
    /// The maximum length in bytes: that of a path.
    pub const MAX_LENGTH: usize = 4096;

    /// Validates a reference.
    ///
    /// # Errors
    /// Returns [`InvalidReference`].
    pub fn parse(text: String) -> Result<Self, InvalidReference> {
        if text.trim().is_empty() {
            Err(InvalidReference::Empty)
        } else if text.len() > Self::MAX_LENGTH {
            Err(InvalidReference::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(InvalidReference::ControlCharacter)
        } else {
            Ok(Self(text))
        }
    }

    /// Returns the text, for the provider.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretReference(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_shadows_no_built_in_form() {
        for form in BUILT_IN {
            let error = ProviderName::parse(form).unwrap_err();
            assert_eq!(error, InvalidProviderName::BuiltIn(form));
        }
        for name in ["vault", "v", "aws_2"] {
            assert_eq!(ProviderName::parse(name).unwrap().as_str(), name);
        }
        let long = "v".repeat(ProviderName::MAX_LENGTH + 1);
        for name in ["", "Vault", "2v", "_v", "a-b", "a b", "ä", long.as_str()] {
            let error = ProviderName::parse(name).unwrap_err();
            assert_eq!(error, InvalidProviderName::Malformed, "{name}");
        }
    }

    #[test]
    fn a_reference_is_bounded_and_never_shown() {
        let parse = |text: &str| SecretReference::parse(text.to_owned());
        let reference = parse("clinic/billing#token").unwrap();
        assert_eq!(reference.as_str(), "clinic/billing#token");
        assert!(!format!("{reference:?}").contains("billing"));
        assert_eq!(parse(" "), Err(InvalidReference::Empty));
        assert_eq!(parse("a\0"), Err(InvalidReference::ControlCharacter));
        let longest = "a".repeat(SecretReference::MAX_LENGTH);
        assert!(parse(&longest).is_ok());
        assert_eq!(parse(&(longest + "a")), Err(InvalidReference::TooLong));
    }
}
