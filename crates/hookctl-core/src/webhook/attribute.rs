//! The attributes of a webhook: its fields and its token.

use std::fmt;

use super::Field;

/// A comparable field of a webhook, or its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// A comparable field.
    Field(Field),
    /// `bearer_token`
    BearerToken,
}

impl Attribute {
    /// Returns the spelling of the API and of declarations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Field(field) => field.as_str(),
            Self::BearerToken => "bearer_token",
        }
    }
}

impl From<Field> for Attribute {
    fn from(field: Field) -> Self {
        Self::Field(field)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
