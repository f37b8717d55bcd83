//! Errors of responses.

/// Why a response does not match the contract. Contains names of fields, never their values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("it is not JSON")]
    NotJson,
    #[error("it contains no list of webhooks, only {0}")]
    NoList(String),
    #[error("its `total` is not a whole number")]
    Total,
    #[error("it contains an error and an empty list")]
    Failed,
    #[error("it contains an invalid webhook: {0}")]
    NotAWebhook(String),
}
