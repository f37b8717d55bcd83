//! Faults of single requests, for tests.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

/// A fault of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The connection is closed without a response. The request has no effect.
    CloseBefore,
    /// The request takes effect, and the connection is closed without a response.
    CloseAfter,
    /// No response is sent. The request has no effect.
    Hang,
    /// The request takes effect, and no response is sent.
    HangAfter,
    /// The request takes effect, and the connection is closed after half of the response.
    HalfAnswer,
    /// This response is sent. The request has no effect.
    Answer {
        /// The status.
        status: u16,
        /// Further headers. The content type is JSON unless given.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The request takes effect, and this response is sent.
    AnswerAfter {
        /// The status.
        status: u16,
        /// Further headers. The content type is JSON unless given.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Another writer edits a webhook just before the request, which itself succeeds: the fields are merged into the
    /// webhook.
    Edit {
        /// The id or name of the webhook.
        webhook: String,
        /// The fields.
        fields: Value,
    },
    /// Another writer deletes a webhook just before the request.
    Remove {
        /// The id or name of the webhook.
        webhook: String,
    },
    /// The response is delayed.
    Delay(Duration),
    /// The request takes effect later, even if its sender is no longer running. The sender receives another reaction at once.
    Late {
        /// The time between the request and its effect.
        after: Duration,
        /// The reaction that the sender receives.
        hears: Hears,
    },
}

/// The immediate reaction to a late request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// The connection stays open without a response.
    Nothing,
    /// The connection is closed.
    Close,
    /// A gateway responds with 504, in HTML.
    GatewayTimeout,
}

/// The request that a fault affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The request with this number, from 1.
    Request(usize),
    /// The request with this number among those of a method.
    Nth {
        /// `GET`, `POST`, `PATCH`, or `DELETE`.
        method: &'static str,
        /// The number, from 1.
        number: usize,
    },
}

/// The pending faults. Each occurs once.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<(When, Fault)>);

impl Faults {
    pub(super) fn add(&mut self, when: When, fault: Fault) {
        self.0.push_back((when, fault));
    }

    /// Removes and returns the faults of a request, in order of addition.
    pub(super) fn take(&mut self, number: usize, method: &str, of_method: usize) -> Vec<Fault> {
        let mut taken = Vec::new();
        self.0.retain(|(when, fault)| {
            let hit = match when {
                When::Request(wanted) => *wanted == number,
                When::Nth {
                    method: wanted,
                    number,
                } => *wanted == method && *number == of_method,
            };
            if hit {
                taken.push(fault.clone());
            }
            !hit
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_its_request_once() {
        let mut faults = Faults::default();
        faults.add(When::Request(2), Fault::Hang);
        faults.add(
            When::Nth {
                method: "POST",
                number: 1,
            },
            Fault::CloseAfter,
        );
        assert_eq!(faults.take(1, "GET", 1), []);
        assert_eq!(faults.take(2, "POST", 1), [Fault::Hang, Fault::CloseAfter]);
        assert_eq!(faults.take(2, "POST", 1), []);
    }
}
