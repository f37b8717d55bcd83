//! Messages about the results of a pass: what is not settled, and what to do about what failed.

use std::collections::BTreeMap;

use hookctl::apply::Unsettled;
use hookctl::reconcile::PassReport;
use hookctl::record::shared::SharedError;
use hookctl::record::{RecordError, RecordErrorKind};
use hookctl::render::Message;
use hookctl::report::{ActionResult, Outcome, SyncReport};
use hookctl::saved::Stale;
use hookctl::webhook::Key;

use crate::error::CommandError;
use crate::{hints, lease};

/// Returns what is not settled: another writer, and requests that may still take effect.
pub(crate) fn unsettled(report: &PassReport) -> Vec<Message> {
    let mut beside = Vec::new();
    if report.contested {
        beside.push(Message::error(
            "unsettled",
            format!(
                "another writer kept changing the webhooks for {} rounds",
                report.rounds
            ),
            Some("stop the other writer, then sync again".to_owned()),
        ));
    }
    if let Some(waits) = &report.waits {
        let keys: Vec<&str> = waits.keys.iter().map(Key::as_str).collect();
        let message = format!(
            "the outcome of the last requests for {} is unknown",
            keys.join(", ")
        );
        let help = "sync again: the outcome is known at the latest after the settle horizon";
        beside.push(Message::error("unsettled", message, Some(help.to_owned())));
    }
    if !report.unwaited.is_empty() {
        let keys: Vec<&str> = report.unwaited.iter().map(Key::as_str).collect();
        let message = format!(
            "{} did not wait for an earlier request, which may still create a duplicate or undo the change until \
             the settle horizon has passed",
            keys.join(", ")
        );
        beside.push(Message::notice("unsettled", message));
    }
    beside
}

/// Returns the webhooks that another writer created at the same time.
pub(crate) fn duplicates(results: &SyncReport) -> impl Iterator<Item = Message> {
    results
        .duplicates
        .iter()
        .map(|duplicate| CommandError::caused("doubled", duplicate).into_message())
}

/// Returns what to do about the failed actions: a message for all that a lost lease left unfinished, and one for all others
/// with the same hints.
pub(crate) fn advice(results: &SyncReport) -> Vec<Message> {
    let is_lost = results.results.iter().any(lease::is_unfinished_by_it);
    let by_the_lease = |result: &ActionResult| {
        is_lost && (lease::is_unfinished_by_it(result) || lease::is_unfinished_by_the_end(result))
    };
    let (lost, others): (Vec<_>, Vec<_>) =
        (results.results.iter()).partition(|result| by_the_lease(result));
    let mut messages = Vec::new();
    if is_lost {
        let lost_lease = RecordError::new(RecordErrorKind::Fenced, SharedError::Fenced);
        let message = format!("{lost_lease}; unfinished actions: {}", lost.len());
        messages.push(
            CommandError::new("lease-lost", message)
                .hints(hints::of(&lost_lease))
                .into_message(),
        );
    }
    messages.extend(by_hints(others));
    messages
}

fn by_hints<'a>(results: impl IntoIterator<Item = &'a ActionResult>) -> Vec<Message> {
    let mut by_hints: BTreeMap<Vec<String>, (Vec<&str>, String)> = BTreeMap::new();
    for result in results {
        if let Outcome::Failed(error) | Outcome::Pending(error) = &result.outcome {
            let hints = hints::of(error);
            if !hints.is_empty() {
                let (keys, _) = by_hints
                    .entry(hints)
                    .or_insert_with(|| (Vec::new(), error.to_string()));
                keys.push(result.planned.key.as_str());
            }
        }
    }
    let messages = by_hints.into_iter().map(|(hints, (keys, error))| {
        let message = format!("{}: {error}", keys.join(", "));
        Message::error("action-failed", message, Some(hints.join("\n")))
    });
    messages.collect()
}

/// Returns a message for each action of a saved plan that is no longer current.
pub(crate) fn stale(stale: &[Stale], skipped: bool) -> impl Iterator<Item = Message> {
    stale.iter().map(move |Stale { key, difference }| {
        if skipped {
            Message::notice("stale-action", format!("skipped '{key}': {difference}"))
        } else {
            Message::error("stale-action", format!("'{key}': {difference}"), None)
        }
    })
}

/// Returns a message for each request that may still take effect.
pub(crate) fn open_requests(unsettled: &[Unsettled]) -> impl Iterator<Item = Message> {
    unsettled.iter().map(|Unsettled { intent, remaining }| {
        let state = if intent.superseded {
            "has been retried or replaced since"
        } else {
            "has no response"
        };
        let message = format!(
            "'{}': a {} sent at {} {state}, and may still take effect for {} s; a sync waits for it where necessary",
            intent.key,
            intent.write.method(),
            intent.sent.at,
            remaining.time.as_millis().div_ceil(1_000),
        );
        Message::notice("unsettled", message)
    })
}
