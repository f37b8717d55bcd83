//! The exact content of one PATCH.

use crate::state::TokenEvidence;
use crate::webhook::{Field, FieldValue};

/// The fields of one PATCH: exactly those that differ, and never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    fields: Vec<(Field, FieldValue)>,
    token: TokenPatch,
}

/// What one PATCH does with the token: at most one thing, so that setting and clearing can never go
/// out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPatch {
    /// Nothing is sent.
    Keep,
    /// `bearer_token` with the secret of that fingerprint.
    Set(TokenEvidence),
    /// `clear_bearer_token: true`.
    Clear,
}

impl Patch {
    /// A patch of these fields, in the order of [`Field::ALL`]; none if there is nothing to send.
    pub fn new(mut fields: Vec<(Field, FieldValue)>, token: TokenPatch) -> Option<Self> {
        fields.sort_by_key(|(field, _)| *field);
        (!fields.is_empty() || token != TokenPatch::Keep).then_some(Self { fields, token })
    }

    /// The fields and their new values, in the order of [`Field::ALL`].
    pub fn fields(&self) -> &[(Field, FieldValue)] {
        &self.fields
    }

    /// What is done with the token.
    pub const fn token(&self) -> TokenPatch {
        self.token
    }

    /// Whether a field is among those sent.
    pub fn sends(&self, field: Field) -> bool {
        self.fields.iter().any(|(sent, _)| *sent == field)
    }
}
