//! Faults by request: the lever of the tests.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The connection is closed without an answer, and nothing happened.
    CloseBefore,
    /// It happens, and the connection is closed without an answer.
    CloseAfter,
    /// No answer ever comes, and nothing happens.
    Hang,
    /// It happens, and no answer ever comes.
    HangAfter,
    /// It happens, and the connection is closed after half the answer.
    HalfAnswer,
    /// Nothing happens, and this is the answer.
    Answer {
        /// The status.
        status: u16,
        /// Headers beside the content type, which is JSON unless given.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// It happens, and this is the answer.
    AnswerAfter {
        /// The status.
        status: u16,
        /// Headers beside the content type, which is JSON unless given.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Somebody else edits a webhook just before: the fields of this object are laid over the one of
    /// that id or name. All goes well apart from that.
    Edit {
        /// The id or the name.
        webhook: String,
        /// The fields.
        fields: Value,
    },
    /// Somebody else deletes the webhook of that id or name just before.
    Remove {
        /// The id or the name.
        webhook: String,
    },
    /// All goes well, after a while.
    Delay(Duration),
    /// It happens after a while, whatever becomes of its sender, who hears something else at once.
    Late {
        /// How long after its arrival it happens.
        after: Duration,
        /// What the sender hears.
        hears: Hears,
    },
}

/// What the sender of a late request hears at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Nothing: the connection stays open without an answer.
    Nothing,
    /// The connection is closed.
    Close,
    /// A gateway's 504, in HTML.
    GatewayTimeout,
}

/// Which request a fault is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The request of this number, over all, from 1.
    Request(usize),
    /// The request of this number among those of a method, from 1.
    Nth {
        /// `GET`, `POST`, `PATCH`, or `DELETE`.
        method: &'static str,
        /// From 1.
        number: usize,
    },
}

/// The faults to come, each used once.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<(When, Fault)>);

impl Faults {
    pub(super) fn add(&mut self, when: When, fault: Fault) {
        self.0.push_back((when, fault));
    }

    /// Takes the faults of a request, in the order in which they were added.
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
