//! Changes and their causes, for display. Decisions never depend on them once the plan is made.

use std::fmt;

use serde::Serialize;

use crate::webhook::{Field, FieldValue};

/// Why a field changes. For display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The file was edited.
    Edited,
    /// The remote webhook was edited.
    Drift,
    /// Both were edited.
    Conflict,
    /// Unknown, since there is no record.
    Unrecorded,
    /// Unknown, since the secret cannot be compared.
    Unverified,
}

impl Cause {
    /// Returns the name of the cause.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Drift => "drift",
            Self::Conflict => "conflict",
            Self::Unrecorded => "unrecorded",
            Self::Unverified => "unverified",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A change of one field, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A comparable field.
    Field {
        /// The field.
        field: Field,
        /// The current value. `None` if the webhook does not exist.
        from: Option<FieldValue>,
        /// The new value.
        to: FieldValue,
        /// Why it changes.
        cause: Cause,
    },
    /// The token.
    Token {
        /// What is known of the current token.
        from: TokenShown,
        /// The new token.
        to: TokenShown,
        /// Why.
        cause: Cause,
    },
}

impl Change {
    /// Returns why the field changes.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Field { cause, .. } | Self::Token { cause, .. } => *cause,
        }
    }

    /// Returns the name of the field.
    pub const fn field_name(&self) -> &'static str {
        match self {
            Self::Field { field, .. } => field.as_str(),
            Self::Token { .. } => "bearer_token",
        }
    }
}

/// What may be shown of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenShown {
    /// No token.
    None,
    /// A known token.
    Secret,
    /// An unknown token.
    Unknown,
}

impl TokenShown {
    /// Returns the text to show.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "(none)",
            Self::Secret => "(secret)",
            Self::Unknown => "(unknown)",
        }
    }
}
