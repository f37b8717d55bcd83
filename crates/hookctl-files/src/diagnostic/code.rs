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
    /// A link of the declarations leads out of the repository.
    LinkOutside = "link-outside", Error;
    /// The folder of the declarations does not exist.
    MissingFolder = "missing-folder", Error;
    /// The path of the declarations is not a folder.
    NotAFolder = "not-a-folder", Error;
    /// There are more files than may be read.
    TooManyFiles = "too-many-files", Error;
    /// All files together are larger than they may be.
    FilesTooLarge = "files-too-large", Error;
    /// A file is larger than it may be.
    FileTooLarge = "file-too-large", Error;
    /// The bytes of a file are not UTF-8 text.
    NotUtf8 = "not-utf8", Error;
    /// A control character that may not stand in YAML, or in a name.
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
    /// A field that is required is not there.
    MissingField = "missing-field", Error;
    /// A field that has no meaning where it stands.
    FieldNotAllowed = "field-not-allowed", Error;
    /// A second `defaults` in one file.
    RepeatedDefaults = "repeated-defaults", Error;
    /// A text that is shorter or longer than it may be.
    InvalidLength = "invalid-length", Error;
    /// A list without items that needs some.
    EmptyList = "empty-list", Error;
    /// An item that stands twice in one list.
    RepeatedValue = "repeated-value", Error;
    /// A word that is none of those that are known there.
    UnknownValue = "unknown-value", Error;
    /// A text that is not the key of a webhook.
    InvalidKey = "invalid-key", Error;
    /// A key that is declared twice.
    DuplicateKey = "duplicate-key", Error;
    /// An id that two declarations pin.
    DuplicateId = "duplicate-id", Error;
    /// A text that is not an id.
    InvalidId = "invalid-id", Error;
    /// An id that does not have the documented form.
    UnusualId = "unusual-id", Warning;
    /// A text that is not the address of a webhook or of the API.
    InvalidUrl = "invalid-url", Error;
    /// White space around a name.
    SpaceAroundName = "space-around-name", Warning;
    /// An action that the API does not know.
    UnknownAction = "unknown-action", Error;
    /// A folder of the configuration that is not below its file.
    InvalidFolder = "invalid-folder", Error;
    /// A text that is not the name of a target.
    InvalidTarget = "invalid-target", Error;
    /// A target that is not configured.
    UnknownTarget = "unknown-target", Error;
    /// A variable that is needed and has no value.
    UndefinedVariable = "undefined-variable", Error;
    /// A variable of the environment that a public field does not read.
    VariableNotRead = "variable-not-read", Warning;
    /// The values of variables, or of `defaults`, make more text than is read.
    ExpansionTooLarge = "expansion-too-large", Error;
    /// A `$` that begins no variable, or `${` where variables have no meaning.
    InvalidTemplate = "invalid-template", Error;
    /// A value that does not say where one secret comes from.
    InvalidSecretSource = "invalid-secret-source", Error;
    /// A secret's relative path that leaves the repository.
    SecretOutsideRepository = "secret-outside-repository", Error;
    /// A secret whose source leads nowhere.
    SecretUnresolved = "secret-unresolved", Error;
    /// A secret in plain text that must never be sent: empty, a placeholder, with control characters.
    UnusableSecret = "unusable-secret", Error;
    /// A secret of which a part stands in a file in plain text. An error where `plaintext_secrets` is `deny`.
    PlaintextSecret = "plaintext-secret", Warning;
    /// A token from the place that a key of the API comes from.
    KeyAsToken = "key-as-token", Error;
    /// A token that begins with `Bearer `, which the API adds by itself.
    TokenScheme = "token-scheme", Warning;
    /// User info in an address: a user name, a password, or a token.
    PasswordInUrl = "password-in-url", Error;
    /// A settle horizon below the request time-out.
    ShortHorizon = "short-horizon", Warning;
    /// An address without TLS.
    PlainHttp = "plain-http", Warning;
    /// An address that only the own machine or network can reach.
    PrivateHost = "private-host", Warning;
    /// Two enabled webhooks that deliver the same events to one address.
    DuplicateDelivery = "duplicate-delivery", Warning;
    /// One token that is sent to two hosts.
    SharedToken = "shared-token", Warning;
    /// Retries that may go on for more than an hour.
    LongRetrySchedule = "long-retry-schedule", Warning;
    /// Two webhooks with one name, which cannot be told apart without a record.
    AmbiguousName = "ambiguous-name", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
