//! The questions about one changed webhook, one per poll, and their answers. Pure.

use jiff::{SignedDuration, Timestamp};

use super::change::Change;
use super::evidence::{Evidence, Redelivery, floor};
use super::verdict::{Judgement, Moment, Verdict, judge};
use hookctl_api::{Attempt, Event, EventQuery, Rows};

/// The number of events and attempts per page.
const PAGE: u32 = 100;

/// The most pages of events that are read in search of a decided event.
const PAGES: u32 = 10;

/// A question to the API: one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A page of events.
    Events {
        /// The filters.
        query: Box<EventQuery>,
        /// The page, from 1.
        page: u32,
        /// The size of a page.
        size: u32,
    },
    /// The attempts at an event.
    Attempts {
        /// The event.
        event_id: String,
        /// The size of the page.
        size: u32,
    },
    /// A redelivery.
    Redeliver {
        /// The document id of the event.
        document_id: String,
    },
}

/// What is asked next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The newest failed event, to request its redelivery.
    FindFailed,
    /// The redelivery of an event.
    Redeliver(Box<Event>),
    /// A page of events after the change.
    Events,
    /// The attempts at an event.
    Attempts(Box<Event>),
}

/// What was asked about one webhook, and what was answered.
#[derive(Clone, Debug)]
pub struct Inquiry {
    change: Change,
    stage: Stage,
    /// The page of events that is read next, from 1.
    page: u32,
    /// Whether a page of events was read.
    has_read: bool,
    evidence: Evidence,
    verdict: Option<Verdict>,
    unread: Option<String>,
    not_redelivered: Option<String>,
    require_traffic: bool,
    follows_up: bool,
}

impl Inquiry {
    /// Creates the inquiry about a change.
    pub fn new(change: Change, require_traffic: bool, retry_failed: bool) -> Self {
        let verdict = (!change.enabled).then_some(Verdict::Disabled);
        Self {
            change,
            stage: if retry_failed {
                Stage::FindFailed
            } else {
                Stage::Events
            },
            page: 1,
            has_read: false,
            evidence: Evidence::default(),
            verdict,
            unread: None,
            not_redelivered: None,
            require_traffic,
            follows_up: false,
        }
    }

    /// Returns the change.
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// Returns the verdict; `None` while there is none.
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Returns the event whose redelivery was requested.
    pub fn redelivered(&self) -> Option<&str> {
        let redelivery = self.evidence.redelivery.as_ref();
        redelivery.map(|one| one.event.event_id.as_str())
    }

    /// Returns why the redelivery of a failed event was refused.
    pub fn not_redelivered(&self) -> Option<&str> {
        self.not_redelivered.as_deref()
    }

    /// Returns why the last answer could not be read.
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// Returns whether the last answer asks for another question.
    pub const fn follows_up(&self) -> bool {
        self.follows_up
    }

    /// Returns the next question. `ahead` is the difference of the clocks.
    pub fn question(&self, ahead: Option<SignedDuration>) -> Question {
        let events = |query, page, size| Question::Events {
            query: Box::new(EventQuery {
                webhook: Some(self.change.id.clone()),
                ..query
            }),
            page,
            size,
        };
        match &self.stage {
            Stage::FindFailed => {
                let failed = EventQuery {
                    status: Some("failed".to_owned()),
                    ..EventQuery::default()
                };
                events(failed, 1, 1)
            }
            Stage::Redeliver(event) => Question::Redeliver {
                document_id: event.document_id.clone().unwrap_or_default(),
            },
            Stage::Events => {
                let after = EventQuery {
                    // In whole seconds, which every reader of times understands.
                    start: self.since(ahead).map(|since| floor(since).to_string()),
                    ..EventQuery::default()
                };
                events(after, self.page, PAGE)
            }
            Stage::Attempts(event) => Question::Attempts {
                event_id: event.event_id.clone(),
                size: PAGE,
            },
        }
    }

    /// Returns the moment from which events count.
    fn since(&self, ahead: Option<SignedDuration>) -> Option<Timestamp> {
        let since = self.change.since.by_api(ahead)?;
        let redelivery = self.evidence.redelivery.as_ref();
        Some(redelivery.map_or(since, |one| since.max(one.at)))
    }

    /// Takes a page of events.
    pub fn on_events(&mut self, read: Rows<Event>, ahead: Option<SignedDuration>) {
        self.unread = None;
        self.follows_up = false;
        if self.stage == Stage::FindFailed {
            let own = |event: &Event| {
                event.webhook == self.change.id.as_str()
                    && event.status == "failed"
                    && event.document_id.as_ref().is_some_and(|id| !id.is_empty())
            };
            let failed = read.rows.into_iter().find(own);
            self.follows_up = failed.is_some();
            self.stage = match failed {
                Some(event) => Stage::Redeliver(Box::new(event)),
                None => Stage::Events,
            };
            return;
        }
        self.has_read = true;
        let page = self.page;
        let since = self.since_or_machine(ahead);
        let listed = read.rows.len() + read.unreadable;
        let before = self.evidence.events.len();
        self.evidence
            .take_events(page, read.rows, &self.change, since);
        let found = if page == 1 {
            self.evidence.events.len()
        } else {
            self.evidence.events.len().saturating_sub(before)
        };
        // Newest first: a page with older events is the last one of interest.
        let continues = found == listed && listed >= PAGE as usize && page < PAGES;
        self.follows_up = continues;
        self.page = if continues { page + 1 } else { 1 };
        self.stage = match &self.evidence.redelivery {
            // The two are read in turn.
            Some(redelivery) if !continues => Stage::Attempts(Box::new(redelivery.event.clone())),
            _ => Stage::Events,
        };
    }

    /// Takes the attempts at an event.
    pub fn on_attempts(&mut self, read: Rows<Attempt>) {
        self.unread = None;
        self.follows_up = false;
        let next = Stage::Events;
        if let Stage::Attempts(event) = std::mem::replace(&mut self.stage, next) {
            let mut rows = read.rows;
            rows.retain(|attempt| attempt.event_id == event.event_id);
            self.evidence.take_attempts(&event, rows);
        }
    }

    /// Takes a redelivery that was requested, or may have been, at this moment by the clock of the API.
    pub fn on_redelivery(&mut self, at: Timestamp) {
        self.unread = None;
        self.follows_up = false;
        if let Stage::Redeliver(event) = std::mem::replace(&mut self.stage, Stage::Events) {
            self.stage = Stage::Attempts(event.clone());
            self.evidence.redelivery = Some(Redelivery { event: *event, at });
        }
    }

    /// Takes the refusal of a redelivery, which is not requested again.
    pub fn on_refusal(&mut self, reason: String) {
        self.unread = None;
        self.follows_up = true;
        self.not_redelivered = Some(reason);
        self.stage = Stage::Events;
    }

    /// Takes the failure of a question, which is asked again.
    pub fn on_failure(&mut self, reason: String) {
        self.unread = Some(reason);
        self.follows_up = false;
    }

    /// Judges what was read. Sets the verdict, or the next question.
    pub fn judge(&mut self, now: Timestamp, ahead: Option<SignedDuration>, time_is_up: bool) {
        if self.verdict.is_some() {
            return;
        }
        if matches!(self.stage, Stage::FindFailed | Stage::Redeliver(_)) && !time_is_up {
            return;
        }
        let moment = Moment {
            since: self.since_or_machine(ahead),
            now,
            time_is_up,
            require_traffic: self.require_traffic,
        };
        match judge(&self.change, &self.evidence, moment) {
            // Nothing is known of a webhook whose deliveries cannot be read.
            Judgement::Decided(Verdict::NoTraffic) if self.unread.is_some() || !self.has_read => {
                self.verdict = time_is_up.then_some(Verdict::Pending);
            }
            Judgement::Decided(verdict) => self.verdict = Some(verdict),
            Judgement::ReadAttempts(event) => {
                self.follows_up = true;
                self.stage = Stage::Attempts(event);
            }
            Judgement::Open => {}
        }
    }

    fn since_or_machine(&self, ahead: Option<SignedDuration>) -> Timestamp {
        let since = self.since(ahead);
        since.unwrap_or(self.change.since.at())
    }
}
