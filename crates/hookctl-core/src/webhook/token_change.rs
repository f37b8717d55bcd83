//! What one write does with the token.

use serde::{Deserialize, Serialize};

/// What one write does with the token: at most one thing, so that setting and clearing can never go out together.
///
/// What is known of a token that is set depends on where this stands: the secret itself on its way to the API, a
/// fingerprint of it in an intent, nothing where only the outcome counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChange<T> {
    /// Leaves the token as it is: no field is sent.
    Keep,
    /// Sets the token: `bearer_token`.
    Set(T),
    /// Clears the token: `clear_bearer_token: true`.
    Clear,
}

impl<T> TokenChange<T> {
    /// Returns the same change with something else known of the token.
    pub fn map<U>(self, known: impl FnOnce(T) -> U) -> TokenChange<U> {
        match self {
            Self::Keep => TokenChange::Keep,
            Self::Set(token) => TokenChange::Set(known(token)),
            Self::Clear => TokenChange::Clear,
        }
    }

    /// Returns the same change with something else known of the token, if that can be found out.
    ///
    /// # Errors
    /// What `known` returns.
    pub fn try_map<U, E>(self, known: impl FnOnce(T) -> Result<U, E>) -> Result<TokenChange<U>, E> {
        Ok(match self {
            Self::Keep => TokenChange::Keep,
            Self::Set(token) => TokenChange::Set(known(token)?),
            Self::Clear => TokenChange::Clear,
        })
    }

    /// Returns what is known of the token if one is set.
    pub fn set(self) -> Option<T> {
        match self {
            Self::Set(token) => Some(token),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Returns whether the token is left as it is.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}
