//! Errors of the API.

use std::time::Duration;

use hookctl_core::webhook::RemoteId;

/// An error of a request to the API. No variant contains a secret: responses are quoted without what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// 401 or 403: the API key is not accepted. The run stops.
    #[error(
        "the API does not accept the API key from {key_source} (status {status}{})",
        detail(message)
    )]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// The source of the key.
        key_source: String,
        /// The message of the API.
        message: String,
        /// Whether `teamid` and `uuid` were sent.
        team_headers_sent: bool,
    },
    /// 404 on a webhook: it does not exist.
    #[error("the webhook {id} no longer exists")]
    Gone {
        /// The id of the webhook.
        id: RemoteId,
    },
    /// 404 or 405 on the list: the host does not serve this API.
    #[error("{url} answers {status}: this host does not serve the workflow webhooks API")]
    NotServed {
        /// The URL of the list.
        url: String,
        /// The status.
        status: u16,
    },
    /// 400, 409, 413, or 422: the API rejected the request.
    #[error(
        "the API rejected the request (status {status}): {}",
        refused(message, fields)
    )]
    Rejected {
        /// The status.
        status: u16,
        /// The message of the API.
        message: String,
        /// The errors of single fields.
        fields: Vec<FieldError>,
    },
    /// 429 or 503: the API throttles requests, for longer than a run waits.
    #[error("the API throttles requests (status {status}), and accepted none for {} s{}", blocked.as_secs(), wait_hint(*retry_after))]
    Throttled {
        /// The status.
        status: u16,
        /// The time without an accepted request.
        blocked: Duration,
        /// The pause that the API requested.
        retry_after: Option<Duration>,
    },
    /// Connections or responses failed, and no retries are left.
    #[error("could not reach the API at {url} ({reason}){}", tries(*attempts))]
    Unreachable {
        /// The base URL.
        url: String,
        /// The error of the last attempt.
        reason: String,
        /// The number of attempts.
        attempts: u32,
    },
    /// The certificate of the server is not trusted. The run stops, and nothing was sent.
    #[error("the certificate of {url} is not trusted ({reason})")]
    Untrusted {
        /// The base URL.
        url: String,
        /// Why it is not trusted.
        reason: String,
        /// Whether the authority that issued the certificate is unknown.
        unknown_issuer: bool,
    },
    /// The request was not sent, because the run was interrupted, or an earlier error stopped it.
    #[error("the run stopped before the request was sent")]
    Withheld,
    /// The request may have taken effect, and cannot be retried safely.
    #[error("the outcome is unknown: no usable response from the API ({reason})")]
    UnknownOutcome {
        /// The error in place of a response.
        reason: String,
    },
    /// The response is outside the contract: a redirect, another status, or other content.
    #[error("unexpected response from the API: status {status}, {content_type}: {excerpt}")]
    Unexpected {
        /// The status.
        status: u16,
        /// The content type, or `no content type`.
        content_type: String,
        /// The problem, or the first 200 characters of the body.
        excerpt: String,
    },
}

impl ApiError {
    /// Returns whether other requests would fail in the same way, so the run stops.
    pub const fn stops_everything(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. }
                | Self::NotServed { .. }
                | Self::Throttled { .. }
                | Self::Untrusted { .. }
        )
    }
}

/// An error of a field, as the API reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the field.
    pub field: String,
    /// The message of the API.
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
        format!("; it requests a pause of {} s", wait.as_secs())
    })
}

fn tries(attempts: u32) -> String {
    if attempts > 1 {
        format!(" in {attempts} attempts")
    } else {
        String::new()
    }
}
