//! Follows deliveries until each has ended, and describes each attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use hookctl::remote::http::HttpApi;
use hookctl::remote::{
    ApiError, Attempt, DeliveryApi as _, Event, EventQuery, PAGE_SIZE, read_events,
};
use hookctl::render::sanitize;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::mask;

/// The pauses between two readings.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// The most events that are read at once: more than webhooks that a sandbox has.
const MOST_EVENTS: usize = 100_000;

/// An event, and its attempts so far, oldest first.
struct Delivery {
    event: Event,
    attempts: Vec<Attempt>,
    /// The number of attempts that were there before.
    earlier: u64,
    is_over: bool,
}

/// Reads events again until each is delivered or has failed.
pub(crate) struct Watcher<'a> {
    api: &'a HttpApi,
    query: EventQuery,
    deliveries: Vec<Delivery>,
    names: BTreeMap<String, String>,
}

impl<'a> Watcher<'a> {
    /// Follows these events, which the query finds. `names` are the keys of webhooks by id.
    pub(crate) fn new(
        api: &'a HttpApi,
        query: EventQuery,
        events: Vec<Event>,
        names: BTreeMap<String, String>,
    ) -> Self {
        let delivery = |event: Event| Delivery {
            earlier: event.attempts.unwrap_or(0),
            event,
            attempts: Vec::new(),
            is_over: false,
        };
        Self {
            api,
            query,
            deliveries: events.into_iter().map(delivery).collect(),
            names,
        }
    }

    /// Waits until each delivery has ended. Describes each attempt on a line.
    pub(crate) async fn follow(
        &mut self,
        cancellation: &CancellationToken,
        show: &mut dyn FnMut(&str),
    ) -> Result<Deliveries, CommandError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let read = tokio::select! {
                read = self.read(show) => read,
                () = cancellation.cancelled() => return Err(self.interrupted()),
            };
            read.map_err(|error| CommandError::caused("api", &error))?;
            if self.deliveries.iter().all(|one| one.is_over) {
                return Ok(self.ended());
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancellation.cancelled() => return Err(self.interrupted()),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn read(&mut self, show: &mut dyn FnMut(&str)) -> Result<(), ApiError> {
        let read = mask::events(read_events(self.api, &self.query, MOST_EVENTS).await?);
        for delivery in self.deliveries.iter_mut().filter(|one| !one.is_over) {
            let mut rows = read.rows.iter();
            let Some(event) = rows.find(|row| row.event_id == delivery.event.event_id) else {
                // The sandbox dropped it in favor of later ones.
                delivery.is_over = true;
                continue;
            };
            let seen = delivery.earlier + delivery.attempts.len() as u64;
            if event.attempts.unwrap_or(0) > seen {
                let page = self.api.attempts(&event.event_id, 1, PAGE_SIZE).await?;
                let mut rows = page.rows;
                rows.retain(|row| row.attempt_number > seen);
                rows.sort_by_key(|row| row.attempt_number);
                rows.iter_mut().for_each(mask::attempt);
                let name = self.names.get(&event.webhook);
                let name = name.map_or(event.webhook.as_str(), String::as_str);
                let last = rows.len().saturating_sub(1);
                for (index, attempt) in rows.iter().enumerate() {
                    let event = (index == last).then_some(event);
                    show(&line(name, attempt, event));
                }
                delivery.attempts.extend(rows);
            }
            delivery.is_over = matches!(event.status.as_str(), "delivered" | "failed");
            delivery.event = event.clone();
        }
        Ok(())
    }

    fn interrupted(&self) -> CommandError {
        let open = self.deliveries.iter().filter(|one| !one.is_over);
        let ids: Vec<_> = open.map(|one| one.event.event_id.as_str()).collect();
        let message = format!("interrupted with {} of the deliveries open", ids.len());
        let error = CommandError::new("interrupted", message).status(ExitStatus::Interrupted);
        match ids.first() {
            Some(id) => error.hint(format!("`hookctl retry {}` sends it again", sanitize(id))),
            None => error,
        }
    }

    fn ended(&self) -> Deliveries {
        let rows = self.deliveries.iter().map(|one| {
            let mut row = json!(one.event);
            if let Some(row) = row.as_object_mut() {
                let key = self.names.get(&one.event.webhook);
                row.insert("key".to_owned(), json!(key));
            }
            json!({ "event": row, "attempts": one.attempts })
        });
        let delivered = self.deliveries.iter();
        let delivered = delivered.filter(|one| one.event.status == "delivered");
        let attempts = self.deliveries.iter().flat_map(|one| &one.attempts);
        Deliveries {
            delivered: delivered.count(),
            not_sent: attempts.filter(|one| was_not_sent(one)).count(),
            rows: rows.collect(),
        }
    }
}

/// Describes an attempt. `event` is the state of its event, if no later attempt is known.
fn line(name: &str, attempt: &Attempt, event: Option<&Event>) -> String {
    let number = attempt.attempt_number;
    let took = attempt.latency_ms;
    let took = took.map_or_else(String::new, |time| format!(" in {time} ms"));
    if attempt.success {
        let code = attempt.response_status_code.unwrap_or_default();
        return format!("{name}: delivered by attempt {number}: {code}{took}\n");
    }
    let error = attempt.error_message.as_deref().unwrap_or("unknown error");
    let next = event.and_then(|event| event.next_retry_at.as_deref());
    let next = next.and_then(|next| pause(attempt, next));
    let next = match (next, event) {
        (Some(pause), _) => format!("; next attempt in {pause}"),
        (None, Some(_)) => "; no further attempt".to_owned(),
        (None, None) => String::new(),
    };
    let error = sanitize(error);
    if was_not_sent(attempt) {
        return format!("{name}: not sent: {error}\n");
    }
    format!("{name}: attempt {number} failed: {error}{took}{next}\n")
}

/// Returns whether an attempt ended before anything was sent.
fn was_not_sent(attempt: &Attempt) -> bool {
    !attempt.success && attempt.latency_ms.is_none() && attempt.response_status_code.is_none()
}

/// Returns the pause between the end of an attempt and the next one.
fn pause(attempt: &Attempt, next: &str) -> Option<String> {
    let began: Timestamp = attempt.created_at.as_deref()?.parse().ok()?;
    let took = i128::from(attempt.latency_ms.unwrap_or(0));
    let next: Timestamp = next.parse().ok()?;
    let milliseconds = next.duration_since(began).as_millis() - took;
    if milliseconds < 1_000 {
        return Some(format!("{} ms", milliseconds.max(0)));
    }
    Some(format!("{} s", (milliseconds + 500) / 1_000))
}

/// Deliveries that have ended.
pub(crate) struct Deliveries {
    delivered: usize,
    /// The number of attempts that ended before anything was sent.
    not_sent: usize,
    rows: Vec<Value>,
}

impl Deliveries {
    /// Returns how many were delivered, as a line.
    pub(crate) fn summary(&self) -> String {
        let all = self.rows.len();
        let s = if all == 1 { "" } else { "s" };
        match all - self.delivered {
            0 => format!("Delivered: {all} event{s}.\n"),
            failed => format!("Failed: {failed} of {all} deliveries.\n"),
        }
    }

    /// Returns whether something was held back, such as a delivery to a host elsewhere.
    pub(crate) const fn were_held_back(&self) -> bool {
        self.not_sent > 0
    }

    /// Returns the events with their attempts.
    pub(crate) fn to_json(&self) -> &[Value] {
        &self.rows
    }

    /// Returns how the command exits.
    pub(crate) const fn status(&self) -> ExitStatus {
        if self.delivered == self.rows.len() {
            ExitStatus::Success
        } else {
            ExitStatus::DeliveriesFail
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(status: Option<i64>, error: Option<&str>) -> Attempt {
        Attempt {
            attempt_number: 2,
            created_at: Some("2026-01-02T03:04:05.000Z".to_owned()),
            success: error.is_none(),
            response_status_code: status,
            latency_ms: Some(12),
            error_message: error.map(str::to_owned),
            ..Attempt::default()
        }
    }

    #[test]
    fn each_attempt_is_one_line() {
        let event = |next: Option<&str>| Event {
            next_retry_at: next.map(str::to_owned),
            ..Event::default()
        };
        assert_eq!(
            line("billing", &attempt(Some(204), None), None),
            "billing: delivered by attempt 2: 204 in 12 ms\n"
        );
        let failed = attempt(None, Some("no response\u{1b}[2J"));
        let soon = event(Some("2026-01-02T03:04:05.312Z"));
        let shown = line("billing", &failed, Some(&soon));
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(shown.ends_with("; next attempt in 300 ms\n"), "{shown}");
        let later = event(Some("2026-01-02T03:04:15.912Z"));
        let shown = line("billing", &failed, Some(&later));
        assert!(shown.ends_with("; next attempt in 11 s\n"), "{shown}");
        let shown = line("billing", &failed, Some(&event(None)));
        assert!(shown.ends_with("; no further attempt\n"), "{shown}");
    }
}
