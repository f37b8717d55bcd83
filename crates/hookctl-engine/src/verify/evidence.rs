//! What was read about the deliveries of one webhook. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::change::Change;
use hookctl_api::{Attempt, Event};

/// The events and attempts of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its events after the change, newest first.
    pub events: Vec<Event>,
    /// The attempts that were read, by event.
    pub attempts: BTreeMap<String, ReadAttempts>,
    /// The requested redelivery.
    pub redelivery: Option<Redelivery>,
}

/// The attempts at an event, as of one reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadAttempts {
    /// The attempts.
    pub rows: Vec<Attempt>,
    /// The state of the event for which they were read: its status, and its number of attempts.
    pub state: (String, Option<u64>),
}

/// A requested redelivery of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redelivery {
    /// The event as it was before.
    pub event: Event,
    /// The moment of the request, by the clock of the API.
    pub at: Timestamp,
}

impl Redelivery {
    /// Returns whether an attempt at the event was made after the request.
    pub fn is_fresh(&self, attempt: &Attempt) -> bool {
        if self
            .event
            .attempts
            .is_some_and(|before| attempt.attempt_number > before)
        {
            return true;
        }
        // The API may count from 1 again.
        let at = moment(attempt.created_at.as_deref());
        match moment(self.event.last_attempt_at.as_deref()) {
            Some(last) => at.is_some_and(|at| at > last && at >= floor(self.at)),
            None => at.is_some_and(|at| at >= floor(self.at)),
        }
    }
}

/// Returns the beginning of the second.
pub(super) fn floor(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

impl Evidence {
    /// Replaces the events by those of a page that concern the change. Returns whether the page reaches back to the change.
    pub fn take_events(&mut self, page: u32, rows: Vec<Event>, change: &Change, since: Timestamp) {
        if page == 1 {
            self.events.clear();
        }
        self.events.extend(rows.into_iter().filter(|event| {
            event.webhook == change.id.as_str() && created(event).is_some_and(|at| at >= since)
        }));
        // A new event moves the older ones to the next page.
        self.events.sort_by(|one, other| {
            (created(other), &other.event_id).cmp(&(created(one), &one.event_id))
        });
        self.events
            .dedup_by(|one, other| one.event_id == other.event_id);
    }

    /// Returns the attempts at an event, if they were read for its present state.
    pub fn attempts_at(&self, event: &Event) -> Option<&[Attempt]> {
        let read = self.attempts.get(&event.event_id)?;
        (read.state == state(event)).then_some(read.rows.as_slice())
    }

    /// Returns the attempts at the redelivered event that were made after the request.
    pub fn redelivered(&self) -> impl Iterator<Item = &Attempt> {
        let redelivery = self.redelivery.as_ref();
        let read = redelivery.and_then(|one| self.attempts.get(&one.event.event_id));
        let rows = read.map_or(&[][..], |read| read.rows.as_slice());
        let is_fresh =
            move |attempt: &&Attempt| redelivery.is_some_and(|one| one.is_fresh(attempt));
        rows.iter().filter(is_fresh)
    }
}

/// Returns the state of an event that decides whether its attempts must be read again.
pub(super) fn state(event: &Event) -> (String, Option<u64>) {
    (event.status.clone(), event.attempts)
}

/// Returns the moment of an event, by the clock of the API.
pub(super) fn created(event: &Event) -> Option<Timestamp> {
    moment(event.created_at.as_deref())
}

/// Parses a time of the API. A time without an offset is UTC.
pub(super) fn moment(text: Option<&str>) -> Option<Timestamp> {
    let text = text?;
    let zoned: Result<Timestamp, _> = text.parse();
    zoned.ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|at| at.timestamp())
    })
}
