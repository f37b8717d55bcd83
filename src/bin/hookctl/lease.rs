//! The loss of the lease on a shared record, in the errors that it causes.

use std::error::Error;

use hookctl::record::shared::SharedError;
use hookctl::record::{RecordError, RecordErrorKind};
use hookctl::report::{ActionError, ActionResult, Outcome};

/// Returns whether an error is that of a lost lease, or was caused by it.
pub(crate) fn was_lost(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| {
        let of_record = error.downcast_ref::<RecordError>();
        let of_action = error.downcast_ref::<ActionError>();
        of_record.is_some_and(|error| error.kind() == RecordErrorKind::Fenced)
            || matches!(of_action, Some(ActionError::LeaseLost))
    })
}

/// Returns whether an action failed, or has an unknown outcome, because the lease was lost.
pub(crate) fn is_unfinished_by_it(result: &ActionResult) -> bool {
    unfinished(result).is_some_and(|error| was_lost(error))
}

/// Returns whether an action failed, or has an unknown outcome, because the log of the record had ended. If the lease was lost,
/// that ended it.
pub(crate) fn is_unfinished_by_the_end(result: &ActionResult) -> bool {
    unfinished(result).is_some_and(|error| {
        chain(error).any(|error| {
            let of_record = error.downcast_ref::<RecordError>();
            let cause = of_record.and_then(|error| error.cause().downcast_ref());
            matches!(cause, Some(SharedError::Ended))
        })
    })
}

fn unfinished(result: &ActionResult) -> Option<&ActionError> {
    match &result.outcome {
        Outcome::Failed(error) | Outcome::Pending(error) => Some(error),
        _ => None,
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookctl::reconcile::PassError;
    use hookctl::record::JournalError;
    use hookctl::webhook::Key;

    use super::*;

    #[test]
    fn a_lost_lease_is_found_behind_other_errors() {
        let of = |kind| RecordError::new(kind, "the store says so");
        let journal = |kind| JournalError {
            key: Key::parse("a").unwrap(),
            source: Box::new(of(kind)),
        };
        let fenced = RecordErrorKind::Fenced;
        assert!(was_lost(&of(fenced)));
        assert!(was_lost(&PassError::Record(of(fenced))));
        assert!(was_lost(&PassError::Journal(journal(fenced))));
        assert!(was_lost(&ActionError::LeaseLost));
        let not_intended = |kind| ActionError::NotIntended(Arc::new(journal(kind)));
        assert!(was_lost(&not_intended(fenced)));
        assert!(!was_lost(&not_intended(RecordErrorKind::Unavailable)));
        assert!(!was_lost(&PassError::Interrupted));
    }
}
