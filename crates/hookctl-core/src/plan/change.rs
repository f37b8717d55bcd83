//! What changes and why, as people read it. Once the plan is made, nothing branches on it.

use std::fmt;

use serde::Serialize;

use crate::webhook::{Field, FieldValue};

/// Why a field changes. For people: once the plan is made, nothing branches on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// We changed the file.
    Edited,
    /// Somebody changed the remote.
    Drift,
    /// Both.
    Conflict,
    /// There is no record to tell by.
    Unrecorded,
    /// A secret that cannot be compared.
    Unverified,
}

impl Cause {
    /// The word for it.
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

/// One change of one field, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A comparable field.
    Field {
        /// Which.
        field: Field,
        /// What it is now; none if the webhook is not there yet.
        from: Option<FieldValue>,
        /// What it will be.
        to: FieldValue,
        /// Why.
        cause: Cause,
    },
    /// The token.
    Token {
        /// What is known of it now.
        from: TokenShown,
        /// What it will be.
        to: TokenShown,
        /// Why.
        cause: Cause,
    },
}

impl Change {
    /// Why it changes.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Field { cause, .. } | Self::Token { cause, .. } => *cause,
        }
    }

    /// The field's name.
    pub const fn field_name(&self) -> &'static str {
        match self {
            Self::Field { field, .. } => field.as_str(),
            Self::Token { .. } => "bearer_token",
        }
    }
}

/// All that may be shown of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenShown {
    /// There is none.
    None,
    /// There is one, and it is the one that we know.
    Secret,
    /// There is one, and which one cannot be told.
    Unknown,
}

impl TokenShown {
    /// The text that stands for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "(none)",
            Self::Secret => "(secret)",
            Self::Unknown => "(unknown)",
        }
    }
}
