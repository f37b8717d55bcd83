//! What a client counts: requests, retries, outcomes, and the difference of the clocks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::options::RequestStats;
use super::retry::http_date;
use super::transport::Answer;

/// The number of requests by method and status. The status is `None` for those without a response.
type Outcomes = BTreeMap<(&'static str, Option<u16>), u64>;

/// The counts of a client.
#[derive(Default)]
pub(super) struct Tally {
    requests: AtomicU64,
    retries: AtomicU64,
    outcomes: Mutex<Outcomes>,
    clock_difference: Mutex<Option<SignedDuration>>,
}

impl Tally {
    /// Counts a request that is about to be sent.
    pub(super) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a retry.
    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the outcome of a request.
    pub(super) fn end(&self, verb: &'static str, answer: Option<&Answer>) {
        let status = answer.map(|answer| answer.status);
        *locked(&self.outcomes).entry((verb, status)).or_default() += 1;
        let date = answer.and_then(|answer| answer.header("date"));
        if let Some(sent) = date.and_then(http_date) {
            *locked(&self.clock_difference) = Some(sent.duration_since(Timestamp::now()));
        }
    }

    /// Returns the number of requests and retries.
    pub(super) fn stats(&self) -> RequestStats {
        RequestStats {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// Returns the number of requests by method and status.
    pub(super) fn outcomes(&self) -> Outcomes {
        locked(&self.outcomes).clone()
    }

    /// Returns how far the clock of the API is ahead of this machine's, by the last `Date`.
    pub(super) fn clock_difference(&self) -> Option<SignedDuration> {
        *locked(&self.clock_difference)
    }
}

/// No code that holds these locks can panic half-way through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
