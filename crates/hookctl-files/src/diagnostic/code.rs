//! The stable codes of diagnostics.

use std::fmt;

/// The severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Prevents planning.
    Error,
    /// Deserves attention, but prevents nothing.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
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
        /// The stable code of a kind of diagnostic, for filters and for `docs/diagnostics.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the code in kebab case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the severity that applies unless a setting changes it.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }
        }
    };
}

codes! {
    /// A file or folder could not be read.
    Unreadable = "unreadable", Error;
    /// A link among the declarations leads out of the repository.
    LinkOutside = "link-outside", Error;
    /// The folder of the declarations does not exist.
    MissingFolder = "missing-folder", Error;
    /// The path of the declarations is not a folder.
    NotAFolder = "not-a-folder", Error;
    /// There are more files than the limit.
    TooManyFiles = "too-many-files", Error;
    /// The files together exceed the size limit.
    FilesTooLarge = "files-too-large", Error;
    /// A file exceeds the size limit.
    FileTooLarge = "file-too-large", Error;
    /// A file is not UTF-8 text.
    NotUtf8 = "not-utf8", Error;
    /// A control character that is not allowed in YAML, or in a name.
    ControlCharacter = "control-character", Error;
    /// The text is not YAML.
    Syntax = "syntax", Error;
    /// Lists and mappings are nested too deeply.
    TooDeep = "too-deep", Error;
    /// A file has too many values, including those repeated by aliases.
    TooManyNodes = "too-many-nodes", Error;
    /// A file has too many documents.
    TooManyDocuments = "too-many-documents", Error;
    /// A mapping has a key twice.
    RepeatedKey = "repeated-key", Error;
    /// A key is a list or a mapping.
    ComplexKey = "complex-key", Error;
    /// An alias has no anchor before it.
    UnknownAlias = "unknown-alias", Error;
    /// An alias refers to a value that contains it.
    RecursiveAlias = "recursive-alias", Error;
    /// A merge key has a value other than mappings.
    InvalidMerge = "invalid-merge", Error;
    /// A tag is not supported.
    UnknownTag = "unknown-tag", Error;
    /// A value has the wrong type.
    WrongType = "wrong-type", Error;
    /// A number is outside its limits.
    OutOfRange = "out-of-range", Error;
    /// A field is unknown, perhaps misspelt.
    UnknownField = "unknown-field", Error;
    /// A required field is missing.
    MissingField = "missing-field", Error;
    /// A field has no meaning in its place.
    FieldNotAllowed = "field-not-allowed", Error;
    /// A file has more than one `defaults`.
    RepeatedDefaults = "repeated-defaults", Error;
    /// A text is shorter or longer than allowed.
    InvalidLength = "invalid-length", Error;
    /// A list is empty that needs items.
    EmptyList = "empty-list", Error;
    /// A list has an item twice.
    RepeatedValue = "repeated-value", Error;
    /// A value is not one of the known ones.
    UnknownValue = "unknown-value", Error;
    /// A text is not a valid key.
    InvalidKey = "invalid-key", Error;
    /// A key is declared twice.
    DuplicateKey = "duplicate-key", Error;
    /// Two declarations pin the same id.
    DuplicateId = "duplicate-id", Error;
    /// A text is not a valid id.
    InvalidId = "invalid-id", Error;
    /// An id does not have the documented form.
    UnusualId = "unusual-id", Warning;
    /// A text is not a valid address of a webhook or of the API.
    InvalidUrl = "invalid-url", Error;
    /// A name begins or ends with white space.
    SpaceAroundName = "space-around-name", Warning;
    /// An action is unknown to the API.
    UnknownAction = "unknown-action", Error;
    /// A folder named in the configuration is not below the configuration file.
    InvalidFolder = "invalid-folder", Error;
    /// A text is not a valid name of a target.
    InvalidTarget = "invalid-target", Error;
    /// A target is not configured.
    UnknownTarget = "unknown-target", Error;
    /// A required variable has no value.
    UndefinedVariable = "undefined-variable", Error;
    /// A public field does not read this environment variable.
    VariableNotRead = "variable-not-read", Warning;
    /// The values of variables or of `defaults` expand to more text than allowed.
    ExpansionTooLarge = "expansion-too-large", Error;
    /// A `$` does not begin a variable, or `${` is used where variables have no meaning.
    InvalidTemplate = "invalid-template", Error;
    /// A value does not name exactly one source of a secret.
    InvalidSecretSource = "invalid-secret-source", Error;
    /// The relative path of a secret leaves the repository.
    SecretOutsideRepository = "secret-outside-repository", Error;
    /// A secret could not be resolved.
    SecretUnresolved = "secret-unresolved", Error;
    /// A secret in plain text must not be sent: it is empty, a placeholder, or contains control characters.
    UnusableSecret = "unusable-secret", Error;
    /// A file contains a part of a secret in plain text. An error if `plaintext_secrets` is `deny`.
    PlaintextSecret = "plaintext-secret", Warning;
    /// A token has the same source as a key of the API.
    KeyAsToken = "key-as-token", Error;
    /// A token begins with `Bearer `, which the API adds itself.
    TokenScheme = "token-scheme", Warning;
    /// An address contains a user name, a password, or a token.
    PasswordInUrl = "password-in-url", Error;
    /// The settle horizon is below the request time-out.
    ShortHorizon = "short-horizon", Warning;
    /// An address does not use TLS.
    PlainHttp = "plain-http", Warning;
    /// An address is reachable only from the same host or network.
    PrivateHost = "private-host", Warning;
    /// Two enabled webhooks deliver the same events to one address.
    DuplicateDelivery = "duplicate-delivery", Warning;
    /// One token is sent to two hosts.
    SharedToken = "shared-token", Warning;
    /// Retries may go on for more than an hour.
    LongRetrySchedule = "long-retry-schedule", Warning;
    /// Two webhooks have the same name, and can be distinguished only by the record.
    AmbiguousName = "ambiguous-name", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
