//! What can go wrong at the API, by meaning.

use std::time::Duration;

use hookctl_core::webhook::RemoteId;

/// What went wrong. No variant holds a secret: answers are quoted only after what was sent has been
/// removed from them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 401 or 403: the key is not accepted. Everything stops.
    #[error(
        "the API does not accept the API key from {key_source} (status {status}{})",
        detail(message)
    )]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// Where the key comes from.
        key_source: String,
        /// What the API says.
        message: String,
        /// Whether `teamid` and `uuid` were sent.
        team_headers_sent: bool,
    },
    /// 404 on a webhook: it is gone.
    #[error("the webhook {id} is gone")]
    Gone {
        /// Its id.
        id: RemoteId,
    },
    /// The host does not serve this API: 404 or 405 on the list.
    #[error("{url} answers {status}: this host does not serve the workflow webhooks API")]
    NotServed {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
    },
    /// 400, 409, 413, or 422: the API refuses what was sent.
    #[error("the API refuses it (status {status}): {}", refused(message, fields))]
    Rejected {
        /// The status.
        status: u16,
        /// What the API says.
        message: String,
        /// What it says of single fields.
        fields: Vec<FieldError>,
    },
    /// 429 or 503, and nothing got through for longer than a run waits.
    #[error("the API asks to slow down (status {status}), and nothing got through for {} s{}", blocked.as_secs(), wait_hint(*retry_after))]
    Throttled {
        /// The status.
        status: u16,
        /// For how long nothing got through.
        blocked: Duration,
        /// How long the API asked to wait.
        retry_after: Option<Duration>,
    },
    /// No answer came, and the budget of retries is spent.
    #[error("the API at {url} could not be reached ({reason}){}", tries(*attempts))]
    Unreachable {
        /// The base URL.
        url: String,
        /// Why.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Nothing may be sent any more: the run was interrupted, or something before stopped it.
    #[error("it was held back before it was sent")]
    Withheld,
    /// The request may or may not have had its effect.
    #[error("the API gave no usable answer ({reason}), so whether it happened is not known")]
    UnknownOutcome {
        /// What came instead.
        reason: String,
    },
    /// An answer outside the contract: a redirect, another status, another content.
    #[error(
        "the API gave an answer that cannot be understood: status {status}, {content_type}: {excerpt}"
    )]
    Unexpected {
        /// The status.
        status: u16,
        /// The content type, or `no content type`.
        content_type: String,
        /// What is wrong with it, or its first 200 characters.
        excerpt: String,
    },
}

impl ApiError {
    /// Whether nothing else should be tried either.
    pub const fn stops_everything(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. } | Self::NotServed { .. } | Self::Throttled { .. }
        )
    }
}

/// What the API says of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

fn detail(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn refused(message: &str, fields: &[FieldError]) -> String {
    if fields.is_empty() {
        return message.to_owned();
    }
    fields
        .iter()
        .map(|field| format!("{}: {}", field.field, field.message))
        .collect::<Vec<_>>()
        .join("; ")
}

fn wait_hint(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!("; it asks for {} seconds", wait.as_secs())
    })
}

fn tries(attempts: u32) -> String {
    if attempts > 1 {
        format!(" in {attempts} tries")
    } else {
        String::new()
    }
}
