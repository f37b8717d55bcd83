//! Bodies of writes. The same value is sent and shown.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use hookctl_core::webhook::{Field, FieldValue, TokenChange, WebhookSpec};

/// The body of a POST or PATCH. `T` represents the token: the secret in a request, a mark in output.
#[derive(Clone, Debug)]
pub struct WriteBody<'a, T> {
    fields: Cow<'a, [(Field, FieldValue)]>,
    token: TokenChange<T>,
}

impl<'a, T> WriteBody<'a, T> {
    /// Returns the body of a POST: every field, and the token, if any.
    pub fn create(spec: &WebhookSpec, token: Option<T>) -> Self {
        Self {
            fields: Field::ALL
                .map(|field| (field, spec.get(field)))
                .to_vec()
                .into(),
            token: token.map_or(TokenChange::Keep, TokenChange::Set),
        }
    }

    /// Returns the body of a PATCH: exactly these fields.
    pub const fn patch(fields: &'a [(Field, FieldValue)], token: TokenChange<T>) -> Self {
        Self {
            fields: Cow::Borrowed(fields),
            token,
        }
    }

    /// Serializes the body, with each value mapped by `value`, and the token by `token`.
    ///
    /// # Errors
    /// Returns the error of the serializer.
    pub fn serialize_with<'s, S: Serializer, V: Serialize, W: Serialize>(
        &'s self,
        serializer: S,
        value: impl Fn(&'s FieldValue) -> V,
        token: impl Fn(&'s T) -> W,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (field, to) in self.fields.iter() {
            map.serialize_entry(field.as_str(), &value(to))?;
        }
        match &self.token {
            TokenChange::Keep => {}
            TokenChange::Set(secret) => map.serialize_entry("bearer_token", &token(secret))?,
            TokenChange::Clear => map.serialize_entry("clear_bearer_token", &true)?,
        }
        map.end()
    }
}
