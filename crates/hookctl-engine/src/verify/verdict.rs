//! The verdict on a change, from what was read of its deliveries. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::change::Change;
use super::evidence::Evidence;
use hookctl_api::{Attempt, Event};

/// How long a webhook may be without an event before there is no traffic.
pub const QUIET: Duration = Duration::from_mins(1);

/// What the deliveries after a change show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An event was delivered to the declared address.
    Proven {
        /// The event.
        event_id: String,
    },
    /// The receiver does not accept the token.
    Rejected {
        /// The event.
        event_id: String,
        /// 401 or 403.
        status: i64,
    },
    /// Deliveries to the declared address fail.
    Failing {
        /// The event.
        event_id: String,
        /// The last failure.
        reason: Failure,
    },
    /// There is no event.
    NoTraffic,
    /// The webhook is disabled, so there are no events.
    Disabled,
    /// No event is decided.
    Pending,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status of the receiver's response. `None` after a timeout or without a connection.
    pub status: Option<i64>,
    /// The API's description. Untrusted text.
    pub error: Option<String>,
}

impl Verdict {
    /// Returns the name of the verdict in documents.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proven { .. } => "proven",
            Self::Rejected { .. } => "rejected",
            Self::Failing { .. } => "failing",
            Self::NoTraffic => "no_traffic",
            Self::Disabled => "disabled",
            Self::Pending => "pending",
        }
    }

    /// The names of all verdicts.
    pub const NAMES: [&str; 6] = [
        "proven",
        "rejected",
        "failing",
        "no_traffic",
        "disabled",
        "pending",
    ];

    /// Returns whether deliveries fail.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Failing { .. })
    }

    /// Returns whether the traffic that was required is missing.
    pub const fn lacks_traffic(&self) -> bool {
        matches!(self, Self::NoTraffic | Self::Pending)
    }
}

/// When a change is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The moment of the change, by the clock of the API.
    pub since: Timestamp,
    /// The present, by the clock of the API.
    pub now: Timestamp,
    /// Whether nothing more is read.
    pub time_is_up: bool,
    /// Whether traffic is waited for until the time is up.
    pub require_traffic: bool,
}

/// The result of a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There is a verdict.
    Decided(Verdict),
    /// The attempts at this event decide.
    ReadAttempts(Box<Event>),
    /// Nothing is decided yet.
    Open,
}

/// Judges a change.
pub fn judge(change: &Change, evidence: &Evidence, moment: Moment) -> Judgement {
    if !change.enabled {
        return Judgement::Decided(Verdict::Disabled);
    }
    let mut failing = None;
    match redelivery(change, evidence) {
        Some(Finding::Final(verdict)) => return Judgement::Decided(verdict),
        Some(Finding::SoFar(verdict)) => failing = Some(verdict),
        None => {}
    }
    let mut events = evidence.events.iter();
    for event in events.clone().filter(|event| is_final(event)) {
        let Some(attempts) = evidence.attempts_at(event) else {
            if moment.time_is_up {
                continue;
            }
            return Judgement::ReadAttempts(Box::new(event.clone()));
        };
        if let Some(verdict) = ended(change, event, attempts) {
            return Judgement::Decided(verdict);
        }
    }
    if let Some(event) = events.find(|event| event.status == "retrying") {
        match evidence.attempts_at(event) {
            None if !moment.time_is_up => return Judgement::ReadAttempts(Box::new(event.clone())),
            read => {
                let last = last(change, read.unwrap_or_default().iter());
                let verdict = last.and_then(|attempt| failure(&event.event_id, attempt));
                match verdict {
                    Some(verdict @ Verdict::Rejected { .. }) => return Judgement::Decided(verdict),
                    verdict => failing = failing.or(verdict),
                }
            }
        }
    }
    let has_traffic = !evidence.events.is_empty() || evidence.redelivered().next().is_some();
    if moment.time_is_up {
        return Judgement::Decided(match failing {
            Some(verdict) => verdict,
            None if has_traffic => Verdict::Pending,
            None => Verdict::NoTraffic,
        });
    }
    let quiet_since = evidence
        .redelivery
        .as_ref()
        .map_or(moment.since, |one| one.at.max(moment.since));
    let quiet = Duration::try_from(moment.now.duration_since(quiet_since)).unwrap_or_default();
    if !has_traffic && !moment.require_traffic && quiet >= QUIET {
        return Judgement::Decided(Verdict::NoTraffic);
    }
    Judgement::Open
}

fn is_final(event: &Event) -> bool {
    matches!(event.status.as_str(), "delivered" | "failed")
}

/// Returns the verdict of an event that is delivered or failed. Returns `None` if no attempt went to the declared address.
fn ended(change: &Change, event: &Event, attempts: &[Attempt]) -> Option<Verdict> {
    let event_id = &event.event_id;
    if event.status == "delivered" {
        let mut attempts = attempts.iter();
        let proves = attempts.any(|attempt| counts(change, attempt) && is_success(attempt));
        return proves.then(|| Verdict::Proven {
            event_id: event_id.clone(),
        });
    }
    failure(event_id, last(change, attempts.iter())?)
}

/// What the attempts at the redelivered event show.
enum Finding {
    Final(Verdict),
    SoFar(Verdict),
}

fn redelivery(change: &Change, evidence: &Evidence) -> Option<Finding> {
    let event_id = &evidence.redelivery.as_ref()?.event.event_id;
    let fresh = || evidence.redelivered().filter(|one| counts(change, one));
    if fresh().any(is_success) {
        return Some(Finding::Final(Verdict::Proven {
            event_id: event_id.clone(),
        }));
    }
    let last = last(change, fresh())?;
    let verdict = failure(event_id, last)?;
    let is_retried = match last.response_status_code {
        None => true,
        Some(status) => matches!(status, 408 | 409 | 425 | 429 | 500..=599),
    };
    let made = fresh().count() as u64;
    Some(if is_retried && made <= change.max_retries {
        Finding::SoFar(verdict)
    } else {
        Finding::Final(verdict)
    })
}

/// Returns whether an attempt went to the declared address.
fn counts(change: &Change, attempt: &Attempt) -> bool {
    let url = attempt.request_url.as_deref();
    url.is_some_and(|url| change.declares(url))
}

/// Returns the last attempt to the declared address.
fn last<'a>(change: &Change, attempts: impl Iterator<Item = &'a Attempt>) -> Option<&'a Attempt> {
    attempts
        .filter(|attempt| counts(change, attempt))
        .max_by_key(|attempt| attempt.attempt_number)
}

fn is_success(attempt: &Attempt) -> bool {
    attempt.success
        && attempt
            .response_status_code
            .is_none_or(|status| (200..300).contains(&status))
}

/// Returns the verdict of a failed attempt. Returns `None` for a successful one.
fn failure(event_id: &str, attempt: &Attempt) -> Option<Verdict> {
    if attempt.success {
        return None;
    }
    let event_id = event_id.to_owned();
    Some(match attempt.response_status_code {
        Some(status @ (401 | 403)) => Verdict::Rejected { event_id, status },
        status => Verdict::Failing {
            event_id,
            reason: Failure {
                status,
                error: attempt.error_message.clone(),
            },
        },
    })
}
