//! The stable codes of diagnostics.

use std::fmt;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is planned while it stands.
    Error,
    /// Worth a look; nothing is stopped.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $severity:ident;)+) => {
        /// The stable code of a kind of diagnostic: what tools filter by, and what the docs explain.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as it is shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The severity that it has unless a setting says otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }
        }
    };
}

codes! {
    /// A file or folder could not be read.
    Unreadable = "unreadable", Error;
    /// A file is larger than it may be.
    FileTooLarge = "file-too-large", Error;
    /// The bytes of a file are not UTF-8 text.
    NotUtf8 = "not-utf8", Error;
    /// A control character that may not stand in YAML.
    ControlCharacter = "control-character", Error;
    /// The text is not YAML.
    Syntax = "syntax", Error;
    /// Lists and mappings are nested too deep.
    TooDeep = "too-deep", Error;
    /// A file has too many values, repeats by alias counted.
    TooManyNodes = "too-many-nodes", Error;
    /// A file has too many documents.
    TooManyDocuments = "too-many-documents", Error;
    /// A key stands twice in one mapping.
    RepeatedKey = "repeated-key", Error;
    /// A list or mapping stands where a key should.
    ComplexKey = "complex-key", Error;
    /// An alias without an anchor before it.
    UnknownAlias = "unknown-alias", Error;
    /// An alias to a value that it is part of.
    RecursiveAlias = "recursive-alias", Error;
    /// A merge key with something else than mappings.
    InvalidMerge = "invalid-merge", Error;
    /// A tag that has no meaning here.
    UnknownTag = "unknown-tag", Error;
    /// A value of another type than is wanted.
    WrongType = "wrong-type", Error;
    /// A number outside its limits.
    OutOfRange = "out-of-range", Error;
    /// A field that is not known, misspelt perhaps.
    UnknownField = "unknown-field", Error;
    /// A `$` that begins no variable.
    InvalidTemplate = "invalid-template", Error;
    /// A value that does not say where one secret comes from.
    InvalidSecretSource = "invalid-secret-source", Error;
    /// A secret's relative path that leaves the repository.
    SecretOutsideRepository = "secret-outside-repository", Error;
    /// A secret in plain text that must never be sent: empty, a placeholder, with control characters.
    UnusableSecret = "unusable-secret", Error;
    /// A secret in plain text. An error where `plaintext_secrets` is `deny`.
    PlaintextSecret = "plaintext-secret", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
