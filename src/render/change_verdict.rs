//! The verdict on the last change of a webhook, in the status of a watch that verifies its changes.

use jiff::Timestamp;
use serde::Serialize;

use super::verification::VerdictRow;
use crate::verify::{Verdict, Verified};

/// The verdict on the last change of a webhook. Part of `schemas/status-v1.schema.json`.
///
/// It contains no description of a failure by the API: an attempt may have sent a token, and once a pass has ended, a watch
/// no longer knows the tokens that it would have to mask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeVerdict {
    /// `proven`, `rejected`, `failing`, `no_traffic`, `disabled`, or `pending`.
    pub verdict: &'static str,
    /// The moment from which events count. `None` until the first verdict on the change.
    pub since: Option<Timestamp>,
    /// The event that decided.
    pub event_id: Option<String>,
    /// The status of the receiver's response, if it decided.
    pub status: Option<i64>,
    /// The evidence as one sentence.
    pub evidence: String,
}

impl ChangeVerdict {
    /// Creates the state of a change whose deliveries are still read.
    pub fn waiting() -> Self {
        Self {
            verdict: Verdict::Pending.as_str(),
            since: None,
            event_id: None,
            status: None,
            evidence: "waiting for a delivery".to_owned(),
        }
    }

    /// Creates a verdict. `mask` receives the id of the event and returns it without secrets.
    pub fn of(verified: &Verified, mask: impl Fn(&str) -> String) -> Self {
        let mut row = VerdictRow::of(verified);
        row.error = None;
        row.event_id = row.event_id.as_deref().map(mask);
        let is_unread = row.unread.is_some() && verified.verdict == Verdict::Pending;
        let evidence = if is_unread {
            "its deliveries could not be read".to_owned()
        } else {
            row.evidence()
        };
        Self {
            verdict: row.verdict,
            since: Some(row.since),
            event_id: row.event_id,
            status: row.status,
            evidence,
        }
    }

    /// Returns whether deliveries fail.
    pub fn is_failure(&self) -> bool {
        matches!(self.verdict, "failing" | "rejected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Failure;
    use crate::webhook::{Key, RemoteId};

    fn verified(verdict: Verdict) -> Verified {
        Verified {
            key: Key::parse("billing").unwrap(),
            id: RemoteId::parse("5eb7cf5a86d9755df3a6c593").unwrap(),
            since: "2026-01-01T12:00:00Z".parse().unwrap(),
            verdict,
            redelivered: None,
            not_redelivered: None,
            unread: None,
        }
    }

    #[test]
    fn no_description_of_the_api_is_shown() {
        let verdict = Verdict::Failing {
            event_id: "evt-s3cr3t".to_owned(),
            reason: Failure {
                status: Some(503),
                error: Some("s3cr3t".to_owned()),
            },
        };
        let failing = ChangeVerdict::of(&verified(verdict), |text| text.replace("s3cr3t", "***"));
        assert_eq!(failing.evidence, "event evt-***: status 503");
        assert_eq!(failing.event_id.as_deref(), Some("evt-***"));
        assert!(failing.is_failure());
        let unread = Verified {
            unread: Some("s3cr3t".to_owned()),
            ..verified(Verdict::Pending)
        };
        let unread = ChangeVerdict::of(&unread, str::to_owned);
        assert_eq!(unread.evidence, "its deliveries could not be read");
        assert!(!unread.is_failure());
    }
}
