//! When a delivery is tried again. Pure.
//!
//! The vendor's two guides differ. The later one retries only what may pass: a missing response, and some statuses. It
//! waits longer each time: the base doubles, with jitter, up to half an hour.

use std::time::Duration;

use super::options::Outcome;
use crate::contract::Webhook;

/// The longest pause between two attempts, without its jitter.
const LONGEST: Duration = Duration::from_mins(30);

/// How much longer a pause may be by chance.
const JITTER: f64 = 0.1;

/// The statuses after which a delivery is tried again.
const RETRIED: [u16; 8] = [408, 409, 425, 429, 500, 502, 503, 504];

/// The timing of the deliveries of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) timeout: Duration,
    pub(super) max_retries: u64,
    /// The pause before the first retry.
    pub(super) base: Duration,
}

impl Timing {
    /// Returns the timing of a webhook. `base` replaces its own back-off.
    pub(super) fn of(webhook: &Webhook, base: Option<Duration>) -> Self {
        let seconds = |count: i64| Duration::from_secs(u64::try_from(count).unwrap_or(0));
        Self {
            timeout: seconds(webhook.timeout_seconds.max(1)),
            max_retries: u64::try_from(webhook.max_retries).unwrap_or(0),
            base: base.unwrap_or_else(|| seconds(webhook.retry_backoff_seconds)),
        }
    }
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: the receiver accepted the event.
    Delivered,
    /// Nothing: no attempt is left, or none would help.
    Failed,
    /// Another attempt after a pause.
    Retry(Duration),
}

/// Returns whether the receiver accepted the event.
pub(super) fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered { status, .. } if (200..300).contains(status))
}

/// Decides what follows an attempt. `tries` counts the attempts so far, with this one. `chance` is from 0 to 1.
pub(super) fn next(timing: Timing, tries: u64, outcome: &Outcome, chance: f64) -> Next {
    let may_pass = match outcome {
        _ if is_success(outcome) => return Next::Delivered,
        Outcome::Answered { status, .. } => RETRIED.contains(status),
        Outcome::Unanswered { .. } => true,
        Outcome::NotSent { .. } => false,
    };
    if !may_pass || tries > timing.max_retries {
        return Next::Failed;
    }
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
    let pause = timing.base.saturating_mul(factor).min(LONGEST);
    Next::Retry(pause.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        timeout: Duration::from_secs(10),
        max_retries: 3,
        base: Duration::from_secs(10),
    };

    fn answered(status: u16) -> Outcome {
        let body = String::new();
        Outcome::Answered { status, body }
    }

    fn pauses(timing: Timing, outcome: &Outcome, chance: f64) -> Vec<f64> {
        (1..)
            .map_while(|tries| match next(timing, tries, outcome, chance) {
                Next::Retry(pause) => Some(pause.as_secs_f64()),
                Next::Delivered | Next::Failed => None,
            })
            .collect()
    }

    #[test]
    fn pauses_double_from_the_base_up_to_half_an_hour() {
        assert_eq!(pauses(TIMING, &answered(500), 0.0), [10.0, 20.0, 40.0]);
        assert_eq!(pauses(TIMING, &answered(500), 1.0), [11.0, 22.0, 44.0]);
        let longest = Timing {
            max_retries: 10,
            base: Duration::from_mins(5),
            ..TIMING
        };
        let pauses = pauses(longest, &answered(503), 0.0);
        assert_eq!(pauses.len(), 10);
        assert_eq!(pauses[..4], [300.0, 600.0, 1200.0, 1800.0]);
        assert!(pauses[4..].iter().all(|pause| *pause <= 1800.0));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [200, 201, 204, 299] {
            assert_eq!(next(TIMING, 1, &answered(status), 0.0), Next::Delivered);
        }
        for status in [100, 301, 302, 400, 401, 403, 404, 410, 422, 501, 505] {
            assert_eq!(next(TIMING, 1, &answered(status), 0.0), Next::Failed);
        }
        for status in RETRIED {
            let retry = Next::Retry(Duration::from_secs(10));
            assert_eq!(next(TIMING, 1, &answered(status), 0.0), retry);
            assert_eq!(next(TIMING, 4, &answered(status), 0.0), Next::Failed);
        }
        let error = String::new();
        let unanswered = Outcome::Unanswered { error };
        assert_eq!(pauses(TIMING, &unanswered, 0.0).len(), 3);
        let once = Timing {
            max_retries: 0,
            ..TIMING
        };
        assert_eq!(next(once, 1, &unanswered, 0.0), Next::Failed);
        let error = String::new();
        assert_eq!(
            next(TIMING, 1, &Outcome::NotSent { error }, 0.0),
            Next::Failed
        );
    }
}
