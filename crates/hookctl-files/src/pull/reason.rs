//! Why a value is not written into the files, and what to do instead.

use std::fmt;

use hookctl_core::webhook::FieldValue;

/// Why a value is not written into the files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The declared value comes from variables.
    Variable {
        /// Their names.
        names: Vec<String>,
    },
    /// Other webhooks share the declared value, by an anchor or an alias.
    Shared,
    /// The value cannot be edited in place.
    Form {
        /// The value at the API.
        value: FieldValue,
    },
    /// No declaration can have the value at the API.
    Undeclarable {
        /// The problem of the value.
        why: String,
    },
    /// With the value, the files would be invalid.
    Invalid {
        /// The first error.
        why: String,
    },
    /// The value contains a secret of this run.
    Secret,
    /// The file and the API both changed.
    Conflict,
    /// The file changed, and the API did not.
    Edited,
    /// It is the token, which the API never returns.
    Token,
    /// The webhook was deleted at the API.
    Deleted,
    /// The webhook has not been created yet.
    NotCreated,
    /// A write without a response may still take effect.
    Unsettled,
    /// The declaration was rolled back, and a sync leaves the webhook alone.
    Held,
}

impl Reason {
    /// Returns whether the API has a change that the files lack. An edit of the files, and a webhook that is new in them,
    /// only wait for a sync.
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Edited | Self::NotCreated)
    }

    /// Returns the name for documents, in snake case.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Variable { .. } => "variable",
            Self::Shared => "shared",
            Self::Form { .. } => "form",
            Self::Undeclarable { .. } => "undeclarable",
            Self::Invalid { .. } => "invalid",
            Self::Secret => "secret",
            Self::Conflict => "conflict",
            Self::Edited => "edited",
            Self::Token => "token",
            Self::Deleted => "deleted",
            Self::NotCreated => "not_created",
            Self::Unsettled => "unsettled",
            Self::Held => "held",
        }
    }

    /// Returns what to do instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Variable { names } => format!(
                "change {} where it is set, or write the value in place of the variable",
                names.join(" and ")
            ),
            Self::Shared => "give this webhook a value of its own".to_owned(),
            Self::Form { value } => format!("write {value} into the file"),
            Self::Undeclarable { .. } | Self::Invalid { .. } | Self::Secret => {
                "`hookctl sync` reverts it; `ignore_changes` leaves it alone".to_owned()
            }
            Self::Conflict => {
                "add --overwrite-edits to take the value of the API; `hookctl sync` writes that of the file".to_owned()
            }
            Self::Edited => "`hookctl sync` writes it to the API".to_owned(),
            Self::Token => "`hookctl sync` writes what the file declares".to_owned(),
            Self::Deleted => {
                "`hookctl sync` creates it again; to accept the deletion, remove the declaration".to_owned()
            }
            Self::NotCreated => "`hookctl sync` creates it".to_owned(),
            Self::Unsettled => "`hookctl sync` settles it; pull again afterwards".to_owned(),
            Self::Held => {
                "add --overwrite-edits to take the value of the API; `hookctl sync --retry-held` writes that of the file".to_owned()
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { names } => {
                let noun = if names.len() == 1 {
                    "variable"
                } else {
                    "variables"
                };
                write!(formatter, "it comes from the {noun} {}", names.join(", "))
            }
            Self::Shared => formatter.write_str("an anchor or alias shares it with other values"),
            Self::Form { .. } => {
                formatter.write_str("it is written in a form that cannot be edited in place")
            }
            Self::Undeclarable { why } => {
                write!(
                    formatter,
                    "a file cannot declare the value of the API: {why}"
                )
            }
            Self::Invalid { why } => write!(formatter, "the files would be invalid: {why}"),
            Self::Secret => {
                formatter.write_str("the value of the API contains a secret of this run")
            }
            Self::Conflict => formatter.write_str("the file and the API both changed"),
            Self::Edited => formatter.write_str("the file changed, and the API did not"),
            Self::Token => formatter.write_str("a token is never pulled"),
            Self::Deleted => formatter.write_str("it was deleted at the API"),
            Self::NotCreated => formatter.write_str("it is not at the API yet"),
            Self::Unsettled => {
                formatter.write_str("a write without a response may still take effect")
            }
            Self::Held => formatter
                .write_str("it is held: its change was rolled back after its deliveries failed"),
        }
    }
}
