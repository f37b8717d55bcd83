//! The exact content of one PATCH.

use crate::state::TokenEvidence;
use crate::webhook::{Field, FieldValue, TokenChange};

/// The fields of one PATCH: exactly those that differ, and never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    fields: Vec<(Field, FieldValue)>,
    token: TokenChange<TokenEvidence>,
}

impl Patch {
    /// A patch of these fields, in the order of [`Field::ALL`]; none if there is nothing to send.
    pub fn new(
        mut fields: Vec<(Field, FieldValue)>,
        token: TokenChange<TokenEvidence>,
    ) -> Option<Self> {
        fields.sort_by_key(|(field, _)| *field);
        (!fields.is_empty() || token != TokenChange::Keep).then_some(Self { fields, token })
    }

    /// The fields and their new values, in the order of [`Field::ALL`].
    pub fn fields(&self) -> &[(Field, FieldValue)] {
        &self.fields
    }

    /// What is done with the token.
    pub const fn token(&self) -> TokenChange<TokenEvidence> {
        self.token
    }

    /// Whether a field is among those sent.
    pub fn sends(&self, field: Field) -> bool {
        self.fields.iter().any(|(sent, _)| *sent == field)
    }
}
