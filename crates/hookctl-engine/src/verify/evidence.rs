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
    /// How often they were read for that state.
    pub readings: u32,
}

/// The most readings of attempts that are fewer than the event counts. They may be listed later than the event's status.
const READINGS: u32 = 5;

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
    /// Adds the events of a page that concern the change. The first page replaces those that were read before.
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

    /// Adds the attempts that were read at an event.
    pub fn take_attempts(&mut self, event: &Event, rows: Vec<Attempt>) {
        let earlier = self.attempts.remove(&event.event_id);
        let earlier = earlier.filter(|read| read.state == state(event));
        let read = ReadAttempts {
            rows,
            state: state(event),
            readings: earlier.map_or(0, |read| read.readings) + 1,
        };
        self.attempts.insert(event.event_id.clone(), read);
    }

    /// Returns the attempts at an event, if all of them were read for its present state.
    pub fn attempts_at(&self, event: &Event) -> Option<&[Attempt]> {
        let read = self.attempts.get(&event.event_id)?;
        let is_complete = read.rows.len() as u64 >= event.attempts.unwrap_or(1);
        let is_current = read.state == state(event);
        let counts = is_current && (is_complete || read.readings >= READINGS);
        counts.then_some(read.rows.as_slice())
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
fn state(event: &Event) -> (String, Option<u64>) {
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
