//! The pauses between polls. Pure.

use std::time::Duration;

/// The first pause, and the pause before a question that the last answer asks for.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15);

/// The pauses between the polls of one verification.
#[derive(Clone, Debug)]
pub struct Schedule {
    timeout: Duration,
    next: Duration,
}

impl Schedule {
    /// Creates the schedule of a verification that ends after `timeout`.
    pub const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            next: FIRST,
        }
    }

    /// Returns the pause before the next poll; `None` once the time is up. The last poll is at the end of the time.
    /// `follows_up` is whether an answer asks for another question, which does not wait for longer than the first pause.
    pub fn pause(&mut self, elapsed: Duration, follows_up: bool) -> Option<Duration> {
        let left = self.timeout.checked_sub(elapsed)?;
        if left.is_zero() {
            return None;
        }
        let pause = if follows_up {
            FIRST
        } else {
            let pause = self.next;
            self.next = self.next.saturating_mul(2).min(LONGEST);
            pause
        };
        Some(pause.min(left))
    }
}
