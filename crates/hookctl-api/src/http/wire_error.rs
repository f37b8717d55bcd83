//! What can be wrong with an answer.

/// Why an answer is not what the contract says. Holds names of fields, never their values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("it is not JSON")]
    NotJson,
    #[error("it holds no list of webhooks, only {0}")]
    NoList(String),
    #[error("its `total` is not a whole number")]
    Total,
    #[error("it holds an error beside an empty list")]
    Failed,
    #[error("a webhook in it is not as documented: {0}")]
    NotAWebhook(String),
}
