//! The effect of a write on the token.

use serde::{Deserialize, Serialize};

/// The effect of a write on the token. One value, so that no request can both set and clear the token.
///
/// `T` represents the token: the secret itself in a request, its fingerprint in an intent, `()` where only the effect
/// matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChange<T> {
    /// Leaves the token unchanged: no field is sent.
    Keep,
    /// Sets the token: `bearer_token`.
    Set(T),
    /// Clears the token: `clear_bearer_token: true`.
    Clear,
}

impl<T> TokenChange<T> {
    /// Returns the change with another representation of the token.
    pub fn map<U>(self, known: impl FnOnce(T) -> U) -> TokenChange<U> {
        match self {
            Self::Keep => TokenChange::Keep,
            Self::Set(token) => TokenChange::Set(known(token)),
            Self::Clear => TokenChange::Clear,
        }
    }

    /// Returns the change with another representation of the token, if `known` succeeds.
    ///
    /// # Errors
    /// Returns the error of `known`.
    pub fn try_map<U, E>(self, known: impl FnOnce(T) -> Result<U, E>) -> Result<TokenChange<U>, E> {
        Ok(match self {
            Self::Keep => TokenChange::Keep,
            Self::Set(token) => TokenChange::Set(known(token)?),
            Self::Clear => TokenChange::Clear,
        })
    }

    /// Returns the token to set, if any.
    pub fn set(self) -> Option<T> {
        match self {
            Self::Set(token) => Some(token),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Returns whether the token is left unchanged.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}
