//! Why an action failed, and what follows from it for the others.

use std::sync::Arc;

use crate::report::Outcome;
use hookctl_api::{ApiError, ObserveError};
use hookctl_core::record::JournalError;
use hookctl_core::webhook::RemoteId;

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It may still take effect.
    #[error("no answer tells whether it took effect: {0}")]
    Unknown(#[source] ApiError),
    #[error("the API confirmed it, and the list could not be read to see what it stored: {0}")]
    Undecided(Arc<ObserveError>),
    #[error("the API confirmed the create, but several webhooks match it: {}", .0.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", "))]
    Ambiguous(Vec<RemoteId>),
    #[error("the API confirmed it, but the webhook is missing from the list")]
    NotListed,
    #[error(
        "{0}, and the webhook is still on the list: perhaps a gateway answered instead of the API"
    )]
    StillListed(&'static str),
    #[error("the API did not take all of it: {message}")]
    NotTaken {
        message: String,
        field: Option<&'static str>,
    },
    #[error("its token was not resolved, so it cannot be sent")]
    NoSecret,
    #[error("it was held back before anything was sent")]
    HeldBack,
    #[error("nothing was sent, since that could not be written down first: {0} ({cause})", cause = .0.cause())]
    NotIntended(JournalError),
    #[error("done at the API, and then not recorded: {0} ({cause})", cause = .0.cause())]
    NotRecorded(#[from] JournalError),
    #[error("{refusal}; and that could not be recorded: {error} ({cause})", cause = .error.cause())]
    NotEnded {
        refusal: Box<StepError>,
        error: JournalError,
    },
}

impl StepError {
    /// Whether nothing new should start.
    pub(super) fn stops_everything(&self) -> bool {
        match self {
            Self::Api(error) | Self::Unknown(error) => error.stops_everything(),
            Self::NotIntended(_) | Self::NotRecorded(_) | Self::NotEnded { .. } => true,
            Self::Undecided(error) => error.api_error().is_some_and(ApiError::stops_everything),
            Self::Ambiguous(_)
            | Self::NotListed
            | Self::StillListed(_)
            | Self::NotTaken { .. }
            | Self::NoSecret
            | Self::HeldBack => false,
        }
    }

    /// Whether the write certainly had no effect and will have none, so that its intent is over.
    pub(super) const fn had_no_effect(&self) -> bool {
        matches!(self, Self::Api(_) | Self::HeldBack)
    }

    /// Whether the list may tell what became of it.
    const fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::Unknown(_) | Self::Undecided(_) | Self::NotListed | Self::StillListed(_)
        )
    }

    pub(super) fn into_outcome(self) -> Outcome {
        if matches!(self, Self::HeldBack) {
            return Outcome::NotAttempted;
        }
        if self.is_pending() {
            // What a failing server answered was retried already.
            let look_again = match &self {
                Self::StillListed(_) => true,
                Self::Unknown(ApiError::Unexpected { status, .. }) => {
                    !matches!(status, 408 | 425 | 499 | 500 | 502..=504)
                }
                _ => false,
            };
            return Outcome::Pending {
                error: self.to_string(),
                look_again,
            };
        }
        let refused = match &self {
            Self::NotEnded { refusal, .. } => refusal,
            other => other,
        };
        let field = match refused {
            Self::Api(ApiError::Rejected { fields, .. }) => {
                fields.first().map(|field| field.field.clone())
            }
            Self::NotTaken { field, .. } => field.map(str::to_owned),
            _ => None,
        };
        Outcome::Failed {
            gone: matches!(refused, Self::Api(ApiError::Gone { .. })),
            error: self.to_string(),
            field,
        }
    }
}
