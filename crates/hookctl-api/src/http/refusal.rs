//! Requests that failed, with responses that are not read yet.
//!
//! A response may contain any secret, and a list may be requested before the tokens of the run are known. So a failure
//! keeps the response, and becomes an error with a text only with a [`Redactor`].

use std::time::Duration;

use super::answer::{Redactor, redirect, said};
use super::options::HttpOptions;
use super::retry::Failure;
use super::transport::{Answer, Fate, NoAnswer};
use crate::ApiError;

/// Why a request failed. It has no `Debug`, since a response is untrusted.
pub(super) enum Refusal {
    /// The API rejected it.
    Rejected(Answer),
    /// The key was rejected.
    KeyRefused(Answer),
    /// A server failed.
    Failed(Answer),
    /// The response is not the API's.
    Foreign(Answer),
    /// The API throttles.
    Throttled {
        status: u16,
        blocked: Duration,
        retry_after: Option<Duration>,
    },
    /// No response arrived.
    Unreachable { reason: String, attempts: u32 },
    /// The certificate of the server is not trusted.
    Untrusted {
        reason: String,
        unknown_issuer: bool,
    },
    /// It was not permitted.
    Withheld,
    /// A POST may have taken effect.
    OutcomeUnknown(Box<Self>),
}

impl Refusal {
    /// Classifies the failure of an attempt without a response.
    pub(super) fn unanswered(error: NoAnswer, attempts: u32) -> (Failure, Self) {
        let reason = error.reason;
        let failure = match error.fate {
            Fate::Untrusted { unknown_issuer } => {
                let refusal = Self::Untrusted {
                    reason,
                    unknown_issuer,
                };
                return (Failure::Untrusted, refusal);
            }
            Fate::NeverSent => Failure::NotSent,
            Fate::Unknown => Failure::Undecided,
        };
        (failure, Self::Unreachable { reason, attempts })
    }

    /// Reads the response, and returns the error.
    pub(super) fn read(self, options: &HttpOptions, redactor: &Redactor<'_>) -> ApiError {
        match self {
            Self::Rejected(answer) => {
                let said = said(&answer, redactor);
                ApiError::Rejected {
                    status: answer.status,
                    message: said.message,
                    fields: said.fields,
                }
            }
            Self::KeyRefused(answer) => ApiError::Unauthorized {
                status: answer.status,
                key_source: options.api_key_source.clone(),
                message: said(&answer, redactor).message,
                team_headers_sent: options.team_id.is_some() && options.user_id.is_some(),
            },
            Self::Failed(answer) => unexpected(&answer, redactor.excerpt(&answer.body), redactor),
            Self::Foreign(answer) => {
                let excerpt = match answer.status {
                    300..=399 => redirect(answer.header("location"), redactor),
                    _ => redactor.excerpt(&answer.body),
                };
                unexpected(&answer, excerpt, redactor)
            }
            Self::Throttled {
                status,
                blocked,
                retry_after,
            } => ApiError::Throttled {
                status,
                blocked,
                retry_after,
            },
            Self::Unreachable { reason, attempts } => ApiError::Unreachable {
                url: options.base_url.clone(),
                reason,
                attempts,
            },
            Self::Untrusted {
                reason,
                unknown_issuer,
            } => ApiError::Untrusted {
                url: options.base_url.clone(),
                reason,
                unknown_issuer,
            },
            Self::Withheld => ApiError::Withheld,
            Self::OutcomeUnknown(cause) => outcome_unknown(cause.read(options, redactor)),
        }
    }
}

/// Returns the error of a POST with an unknown outcome.
pub(super) fn outcome_unknown(error: ApiError) -> ApiError {
    ApiError::UnknownOutcome {
        reason: match error {
            ApiError::Unreachable { reason, .. } => reason,
            other => other.to_string(),
        },
    }
}

/// Returns the error of a response outside the contract.
pub(super) fn unexpected(answer: &Answer, excerpt: String, redactor: &Redactor<'_>) -> ApiError {
    let content_type = answer.header("content-type").unwrap_or("no content type");
    ApiError::Unexpected {
        status: answer.status,
        content_type: redactor.clean(content_type, 100),
        excerpt,
    }
}
