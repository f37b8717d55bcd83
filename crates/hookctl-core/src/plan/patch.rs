//! The content of a PATCH request.

use crate::state::TokenEvidence;
use crate::webhook::{Field, FieldValue, TokenChange};

/// The fields of a PATCH request: exactly those that differ, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    fields: Vec<(Field, FieldValue)>,
    token: TokenChange<TokenEvidence>,
}

impl Patch {
    /// Creates a patch with fields in the order of [`Field::ALL`], or `None` if there is nothing to send.
    pub fn new(
        mut fields: Vec<(Field, FieldValue)>,
        token: TokenChange<TokenEvidence>,
    ) -> Option<Self> {
        fields.sort_by_key(|(field, _)| *field);
        (!fields.is_empty() || token != TokenChange::Keep).then_some(Self { fields, token })
    }

    /// Returns the fields and their new values, in the order of [`Field::ALL`].
    pub fn fields(&self) -> &[(Field, FieldValue)] {
        &self.fields
    }

    /// Returns the change of the token.
    pub const fn token(&self) -> TokenChange<TokenEvidence> {
        self.token
    }

    /// Returns whether a field is sent.
    pub fn sends(&self, field: Field) -> bool {
        self.fields.iter().any(|(sent, _)| *sent == field)
    }
}
