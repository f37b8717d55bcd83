//! Errors of single actions.

use std::fmt;
use std::sync::Arc;

use hookctl_api::{ApiError, ObserveError};
use hookctl_core::record::JournalError;
use hookctl_core::webhook::{Attribute, RemoteId};

/// Why an action failed, or why its outcome is unknown. Contains no token and no API key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The API refused the request, or could not be reached. The request had no effect.
    #[error(transparent)]
    Api(ApiError),
    /// A request of this action may still take effect.
    #[error("{}", unanswered(.0))]
    Unanswered(ApiError),
    /// The API confirmed the write without its result, and the list could not be read.
    #[error("the API confirmed it without its result, and the list could not be read: {0}")]
    Unread(Arc<ObserveError>),
    /// The API confirmed the create without its result, and several new webhooks match it.
    #[error(
        "the API confirmed the create, but several webhooks match it: {}",
        .0.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous(Vec<RemoteId>),
    /// The API confirmed the write without its result, and the list does not contain the webhook.
    #[error("the API confirmed it, but the webhook is missing from the list")]
    NotListed,
    /// A delete seems to have succeeded, but the list still contains the webhook.
    #[error(
        "{0}, but the webhook is still on the list: a gateway may have responded instead of the API"
    )]
    StillListed(UnclearDelete),
    /// The API confirmed the write, and stores other values than were sent.
    #[error(
        "the API did not store all fields as sent: {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NotStored(Vec<FieldMismatch>),
    /// The lease on the record was not renewed in time, so the request was not sent.
    #[error("not sent: the lease on the record could not be renewed in time")]
    LeaseLost,
    /// The token of the webhook is not among the resolved secrets.
    #[error("its token was not resolved")]
    NoSecret,
    /// The intent could not be journaled, so the request was not sent.
    #[error("not sent: could not journal the intent: {0} ({cause})", cause = .0.cause())]
    NotIntended(#[source] Arc<JournalError>),
    /// The API confirmed the write, and the record could not be updated.
    #[error("applied at the API, but not recorded: {0} ({cause})", cause = .0.cause())]
    NotRecorded(#[source] Arc<JournalError>),
    /// The request had no effect, and its intent could not be removed from the record.
    #[error("{refusal}; its end could not be recorded: {error} ({cause})", cause = .error.cause())]
    NotEnded {
        /// Why the request had no effect.
        refusal: ApiError,
        /// Why the record could not be updated.
        #[source]
        error: Arc<JournalError>,
    },
    /// An error whose text contained a secret.
    #[error("{text}")]
    Redacted {
        /// The text without the secret.
        text: String,
        /// [`ActionError::field`] of the original error.
        field: Option<String>,
        /// [`ActionError::may_replan`] of the original error.
        may_replan: bool,
    },
}

impl ActionError {
    /// Returns the name of the first field that the API refused or did not store as sent.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Api(error) | Self::NotEnded { refusal: error, .. } => match error {
                ApiError::Rejected { fields, .. } => {
                    fields.first().map(|field| field.field.as_str())
                }
                _ => None,
            },
            Self::NotStored(fields) => fields.first().map(|first| first.field.as_str()),
            Self::Redacted { field, .. } => field.as_deref(),
            _ => None,
        }
    }

    /// Returns whether a new plan from a fresh list may succeed at once: the webhook was deleted by another writer, or
    /// a gateway answered instead of the API.
    pub const fn may_replan(&self) -> bool {
        match self {
            Self::Api(error) | Self::NotEnded { refusal: error, .. } => {
                matches!(error, ApiError::Gone { .. })
            }
            Self::StillListed(_) => true,
            // The client has already retried what a failing server answered.
            Self::Unanswered(ApiError::Unexpected { status, .. }) => {
                !matches!(status, 408 | 425 | 499 | 500 | 502..=504)
            }
            Self::Redacted { may_replan, .. } => *may_replan,
            _ => false,
        }
    }

    /// Removes secrets from the text of the error: `mask` receives the text and returns it without secrets.
    pub fn redact(&mut self, mask: impl FnOnce(&str) -> String) {
        let text = self.to_string();
        let masked = mask(&text);
        if masked != text {
            *self = Self::Redacted {
                text: masked,
                field: self.field().map(str::to_owned),
                may_replan: self.may_replan(),
            };
        }
    }

    /// Returns whether no further action may start.
    pub(crate) fn stops_everything(&self) -> bool {
        match self {
            Self::Api(error) | Self::Unanswered(error) => error.stops_everything(),
            Self::NotIntended(_)
            | Self::NotRecorded(_)
            | Self::NotEnded { .. }
            | Self::LeaseLost => true,
            Self::Unread(error) => error.api_error().is_some_and(ApiError::stops_everything),
            _ => false,
        }
    }

    /// Returns whether the action may still take effect, so that only a later list shows its outcome.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::Unanswered(_) | Self::Unread(_) | Self::NotListed | Self::StillListed(_)
        )
    }
}

fn unanswered(error: &ApiError) -> String {
    match error {
        ApiError::UnknownOutcome { .. } => error.to_string(),
        _ => format!("the outcome is unknown: {error}"),
    }
}

/// The response to a DELETE of a webhook that is still on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnclearDelete {
    /// A success whose body is not the API's.
    Unconfirmed,
    /// The API knows no webhook of this id.
    NotFound,
}

impl fmt::Display for UnclearDelete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unconfirmed => "the response does not confirm the delete",
            Self::NotFound => "the API knows no webhook of this id",
        })
    }
}

/// A field that the API stores with another value than was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} was sent as {sent}, but the API stores {stored}")]
pub struct FieldMismatch {
    /// The field.
    pub field: Attribute,
    /// The value sent, on one line. `a token` or `no token` for the token.
    pub sent: String,
    /// The value stored, in the same form.
    pub stored: String,
}
