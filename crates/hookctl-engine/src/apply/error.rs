//! How a step ends early.

use std::sync::Arc;

use crate::action_error::ActionError;
use crate::report::Outcome;
use hookctl_core::record::JournalError;

/// Why a step ended before its action was applied.
#[derive(Debug)]
pub(super) enum StepError {
    /// The stop gate closed before anything was sent.
    HeldBack,
    /// The action failed, or its outcome is unknown.
    Action(ActionError),
}

impl From<ActionError> for StepError {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        ActionError::NotRecorded(Arc::new(error)).into()
    }
}

impl From<StepError> for Outcome {
    fn from(error: StepError) -> Self {
        match error {
            StepError::HeldBack => Self::NotAttempted,
            StepError::Action(error) if error.is_pending() => Self::Pending(error),
            StepError::Action(error) => Self::Failed(error),
        }
    }
}
