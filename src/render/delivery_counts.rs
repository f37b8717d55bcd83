//! Counts of recent deliveries: those of each webhook, in total and by the hour. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::remote::{Event, Rows};

/// The hours of the period for which deliveries are counted.
const HOURS: usize = 24;

/// Counts of a webhook's deliveries, and the latest results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// Delivered.
    pub delivered: u64,
    /// Waiting for the first attempt.
    pub pending: u64,
    /// Waiting for a retry.
    pub retrying: u64,
    /// Failed after all retries.
    pub failed: u64,
    /// Time of the last delivery, in RFC 3339.
    pub last_delivered_at: Option<String>,
    /// The receiver's last HTTP status.
    pub last_status_code: Option<i64>,
    /// The error of the last failed attempt: text from outside.
    pub last_error: Option<String>,
    /// The same counts for each hour of the period, the oldest first; empty without events, or if the period is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hour>,
}

/// Counts of a webhook's deliveries in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// Delivered.
    pub delivered: u64,
    /// Waiting for the first attempt or a retry.
    pub waiting: u64,
    /// Failed after all retries.
    pub failed: u64,
}

/// The deliveries of an account since a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryCounts {
    since: String,
    is_incomplete: bool,
    of: BTreeMap<String, Deliveries>,
}

impl DeliveryCounts {
    /// Counts events, which are sorted newest first. `since` is the start of the period, in RFC 3339.
    pub fn new(since: &str, events: &Rows<Event>) -> Self {
        let read = events.rows.len() as u64;
        Self {
            since: since.to_owned(),
            is_incomplete: events.total.is_some_and(|total| total > read),
            of: by_webhook(since, &events.rows),
        }
    }

    /// Returns the start of the period.
    pub fn since(&self) -> &str {
        &self.since
    }

    /// Returns whether only the latest events were counted, because there were more than the limit.
    pub const fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Returns the deliveries of a webhook, by its id.
    pub fn of(&self, id: &str) -> Deliveries {
        self.of.get(id).cloned().unwrap_or_default()
    }
}

fn by_webhook(since: &str, events: &[Event]) -> BTreeMap<String, Deliveries> {
    let since: Option<Timestamp> = since.parse().ok();
    let mut counted: BTreeMap<&str, Deliveries> = BTreeMap::new();
    for event in events {
        let deliveries = counted.entry(event.webhook.as_str()).or_default();
        if let Some(since) = since {
            deliveries.hours.resize(HOURS, Hour::default());
            let hour = hour_of(event, since).and_then(|index| deliveries.hours.get_mut(index));
            if let Some(hour) = hour {
                *match event.status.as_str() {
                    "delivered" => &mut hour.delivered,
                    "failed" => &mut hour.failed,
                    _ => &mut hour.waiting,
                } += 1;
            }
        }
        match event.status.as_str() {
            "delivered" => {
                deliveries.delivered += 1;
                if deliveries.last_delivered_at.is_none() {
                    let at = event
                        .delivered_at
                        .clone()
                        .or_else(|| event.created_at.clone());
                    deliveries.last_delivered_at = at;
                }
            }
            "retrying" => deliveries.retrying += 1,
            "failed" => deliveries.failed += 1,
            _ => deliveries.pending += 1,
        }
        if deliveries.last_status_code.is_none() {
            deliveries.last_status_code = event.last_status_code;
        }
        if deliveries.last_error.is_none() && event.status != "delivered" {
            deliveries.last_error.clone_from(&event.last_error);
        }
    }
    let counted = counted.into_iter();
    counted.map(|(id, one)| (id.to_owned(), one)).collect()
}

/// Returns the hour of an event, counted from the start of the period. An event after its end counts in the last hour,
/// since the clock of the API may be ahead.
fn hour_of(event: &Event, since: Timestamp) -> Option<usize> {
    let at: Timestamp = event.created_at.as_deref()?.parse().ok()?;
    let hours = at.duration_since(since).as_hours();
    usize::try_from(hours)
        .ok()
        .map(|hours| hours.min(HOURS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: &str = "2026-01-01T10:00:00Z";

    fn event(webhook: &str, created_at: &str, status: &str) -> Event {
        Event {
            webhook: webhook.to_owned(),
            created_at: Some(created_at.to_owned()),
            status: status.to_owned(),
            ..Event::default()
        }
    }

    fn counts(events: Vec<Event>, total: Option<u64>) -> DeliveryCounts {
        let events = Rows {
            rows: events,
            total,
            unreadable: 0,
        };
        DeliveryCounts::new(SINCE, &events)
    }

    /// Returns the hours with events: their index, and what was delivered, waits, and failed.
    fn hours(deliveries: &Deliveries) -> Vec<(usize, [u64; 3])> {
        assert_eq!(deliveries.hours.len(), HOURS);
        let hours = deliveries.hours.iter().enumerate();
        let counted = hours.filter(|(_, hour)| **hour != Hour::default());
        counted
            .map(|(index, hour)| (index, [hour.delivered, hour.waiting, hour.failed]))
            .collect()
    }

    #[test]
    fn events_are_counted_by_webhook_and_hour() {
        let counted = counts(
            vec![
                event("a", "2026-01-02T09:59:59.999Z", "retrying"),
                event("a", "2026-01-02T09:00:00Z", "failed"),
                event("b", "2026-01-02T08:59:59Z", "delivered"),
                event("a", "2026-01-01T11:00:00+01:00", "delivered"),
                event("a", "2026-01-01T10:59:59Z", "a-new-status"),
            ],
            Some(5),
        );
        let of_a = counted.of("a");
        assert_eq!(hours(&of_a), [(0, [1, 1, 0]), (23, [0, 1, 1])]);
        let totals = (of_a.delivered, of_a.pending, of_a.retrying, of_a.failed);
        assert_eq!(totals, (1, 1, 1, 1));
        assert_eq!(hours(&counted.of("b")), [(22, [1, 0, 0])]);
        assert_eq!(counted.of("c"), Deliveries::default());
        assert!(!counted.is_incomplete());
    }

    #[test]
    fn a_clock_that_differs_moves_no_event_out_of_the_totals() {
        let counted = counts(
            vec![
                event("a", "2026-01-02T12:00:00Z", "delivered"),
                event("a", "2026-01-01T08:00:00Z", "delivered"),
                event("a", "yesterday", "delivered"),
            ],
            Some(4),
        );
        let of_a = counted.of("a");
        assert_eq!(of_a.delivered, 3);
        let expected = [(HOURS - 1, [1, 0, 0])];
        assert_eq!(hours(&of_a), expected, "no hour is made up");
        assert!(counted.is_incomplete(), "one of four was not read");
    }
}
