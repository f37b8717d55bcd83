//! The lines that a watch logs: of each action, and of what stays from pass to pass. They name the target, since the logs
//! of several watches may be read together.

use std::error::Error;
use std::time::Duration;

use hookctl::apply::ApplyEvent;
use hookctl::plan::{Cause, Change, Orphan, PlannedAction};
use hookctl::render::brief;
use hookctl::report::Outcome;

use super::standing::Difference;
use crate::{hints, mask};

/// A key, and the id at the API.
pub(super) type Bound = (String, String);

/// Returns the hints for an error on one line; `None` if there are none.
pub(super) fn help(error: &(dyn Error + 'static)) -> Option<String> {
    let hints = hints::of(error);
    (!hints.is_empty()).then(|| hints.join("; "))
}

/// Returns a duration in milliseconds.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the changes of an action with their values, on one line.
pub(super) fn changes(planned: &PlannedAction) -> String {
    mask::masked(&brief(planned))
}

/// Logs one line per change. What corrects drift is a warning: another writer changed the account.
pub(super) fn acted(event: ApplyEvent<'_>, target: &str) {
    let ApplyEvent::Ended { planned, outcome } = event else {
        return;
    };
    let (key, action) = (planned.key.as_str(), planned.action.as_str());
    let cause = planned.changes.first().map(Change::cause);
    let masked = mask::masked;
    match outcome {
        Outcome::Applied { id, .. } => {
            let (changes, id) = (changes(planned), id.as_str());
            let drifted = |change: &Change| change.cause() == Cause::Drift;
            if planned.is_drift_only() || planned.changes.iter().any(drifted) {
                let cause = Cause::Drift.as_str();
                tracing::warn!(target, key, action, changes, cause, id, "drift corrected");
            } else {
                let cause = cause.map_or("", Cause::as_str);
                tracing::info!(target, key, action, changes, cause, id, "applied");
            }
        }
        Outcome::Failed(error) => {
            let (help, error) = (help(error), masked(&error.to_string()));
            tracing::error!(target, key, action, error, help, "failed");
        }
        Outcome::Pending(error) => {
            let (help, error) = (help(error), masked(&error.to_string()));
            tracing::warn!(target, key, action, error, help, "pending");
        }
        other => {
            let error = other.why();
            tracing::warn!(target, key, action, error, "{}", other.as_str());
        }
    }
}

/// Returns an orphan with its name.
pub(super) fn orphan(orphan: &Orphan) -> (Bound, String) {
    let bound = (
        orphan.key.as_str().to_owned(),
        orphan.id.as_str().to_owned(),
    );
    (bound, mask::masked(&orphan.name))
}

/// Logs the webhooks that became orphans, and those that no longer are.
pub(super) fn orphans(found: &Difference<Bound, String>, prunes: bool, target: &str) {
    for ((key, id), name) in &found.begun {
        if prunes {
            let text = "no longer declared: it is deleted once the files have been unchanged for --prune-grace";
            tracing::warn!(target, key, id, name, "orphan, {text}");
        } else {
            let help = "declare it again, or declare `state: absent` or `released`; --prune deletes orphans";
            let text = "no longer declared: it stays at the API";
            tracing::warn!(target, key, id, name, help, "orphan, {text}");
        }
    }
    for ((key, id), name) in &found.ended {
        tracing::info!(target, key, id, name, "no longer an orphan");
    }
}

/// Logs the drift that is reported and not corrected, and the end of it.
pub(super) fn drift(found: &Difference<String, String>, target: &str) {
    for (key, changes) in &found.begun {
        tracing::warn!(target, key, changes, "drift not corrected");
    }
    for (key, _) in &found.ended {
        tracing::info!(target, key, "no longer drifted");
    }
}
