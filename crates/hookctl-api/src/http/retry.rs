//! The retry policy. Pure.
//!
//! A 429 means that the request was not processed. GET, PATCH, and DELETE are idempotent, and may be retried after any
//! failure. A POST may be retried only if it was certainly not processed.

use std::time::Duration;

/// The number of attempts, and the waits between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The number of attempts, including the first. At least 1.
    pub attempts: u32,
    /// The upper bound of the first wait. It doubles with each attempt.
    pub base: Duration,
    /// The upper bound of every wait, except those that the API requests.
    pub cap: Duration,
    /// The time limit of a throttled request without any accepted one in between, and of a pause that the API requests.
    /// Zero waits for no pause.
    pub patience: Duration,
}

impl RetryPolicy {
    /// A single attempt, which waits for nothing.
    pub const ONCE: Self = Self {
        attempts: 1,
        base: Duration::ZERO,
        cap: Duration::ZERO,
        patience: Duration::ZERO,
    };
}

impl Default for RetryPolicy {
    /// Returns a policy of five attempts with waits of at most 7.5 s (0.5 + 1 + 2 + 4), and two minutes of patience
    /// without progress, which is acceptable in CI.
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            patience: Duration::from_mins(2),
        }
    }
}

/// The effect of repeating a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Idempotent: GET, PATCH, DELETE.
    Repeatable,
    /// Not idempotent, since a repeated POST may create a duplicate.
    OnceOnly,
}

/// The failure of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The API throttles requests: 429, or 503 with `Retry-After`.
    Throttled {
        /// The time without an accepted request.
        blocked: Duration,
        /// The pause that the API requests.
        asked: Option<Duration>,
        /// Whether the request may have been processed. `false` for a 429.
        undecided: bool,
    },
    /// The connection failed, so the request was not sent.
    NotSent,
    /// The certificate of the server is not trusted, so the request was not sent, and would not be.
    Untrusted,
    /// 5xx, a time-out, a lost connection, or a partial response: the request may have been processed.
    Undecided,
}

impl Failure {
    /// Returns whether the request may have been processed.
    pub(super) const fn is_undecided(self) -> bool {
        match self {
            Self::Throttled { undecided, .. } => undecided,
            Self::NotSent | Self::Untrusted => false,
            Self::Undecided => true,
        }
    }
}

/// The decision after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Retry after this wait.
    Wait(Duration),
    /// Retry once the throttle permits it. Does not count as an attempt.
    WhenOpen,
    /// Return the error: no attempts or no patience are left.
    GiveUp,
    /// The request may have taken effect, and must not be retried.
    OutcomeUnknown,
}

/// Decides after the failed attempt number `attempt` (from 1). `random` is in 0..=1.
pub(super) fn decide(
    policy: &RetryPolicy,
    effect: Effect,
    failure: Failure,
    attempt: u32,
    random: f64,
) -> Decision {
    if failure.is_undecided() && effect == Effect::OnceOnly {
        return Decision::OutcomeUnknown;
    }
    if let Failure::Throttled { blocked, asked, .. } = failure {
        let too_long = asked.is_some_and(|asked| asked > policy.patience);
        return if too_long || blocked > policy.patience || policy.patience.is_zero() {
            Decision::GiveUp
        } else {
            Decision::WhenOpen
        };
    }
    if failure == Failure::Untrusted || attempt >= policy.attempts {
        return Decision::GiveUp;
    }
    let doubled = policy
        .base
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    Decision::Wait(doubled.min(policy.cap).mul_f64(random.clamp(0.0, 1.0)))
}

/// Parses `Retry-After`: a number of seconds, or an HTTP date. `now` is the time of the response by the clock of its
/// sender.
pub(super) fn retry_after(header: &str, now: jiff::Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(header)?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// Parses an HTTP date.
pub(super) fn http_date(header: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(header.trim())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(effect: Effect, failure: Failure, attempt: u32) -> Decision {
        decide(&RetryPolicy::default(), effect, failure, attempt, 1.0)
    }

    const fn throttled(blocked: u64, asked: u64, undecided: bool) -> Failure {
        Failure::Throttled {
            blocked: Duration::from_secs(blocked),
            asked: Some(Duration::from_secs(asked)),
            undecided,
        }
    }

    #[test]
    fn a_post_is_repeated_only_if_it_was_certainly_not_processed() {
        let post = |failure| after(Effect::OnceOnly, failure, 1);
        assert_eq!(post(Failure::Undecided), Decision::OutcomeUnknown);
        assert_eq!(post(throttled(0, 1, true)), Decision::OutcomeUnknown);
        assert_eq!(post(throttled(0, 1, false)), Decision::WhenOpen);
        assert_eq!(
            post(Failure::NotSent),
            Decision::Wait(Duration::from_millis(500))
        );
    }

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_budget() {
        let repeatable = |attempt| after(Effect::Repeatable, Failure::Undecided, attempt);
        assert_eq!(repeatable(1), Decision::Wait(Duration::from_millis(500)));
        assert_eq!(repeatable(4), Decision::Wait(Duration::from_secs(4)));
        assert_eq!(repeatable(5), Decision::GiveUp);
        let patient = RetryPolicy {
            attempts: 100,
            ..RetryPolicy::default()
        };
        let late = |random| decide(&patient, Effect::Repeatable, Failure::Undecided, 60, random);
        assert_eq!(late(1.0), Decision::Wait(Duration::from_secs(30)));
        assert_eq!(late(0.0), Decision::Wait(Duration::ZERO));
    }

    #[test]
    fn throttling_costs_no_try_until_nothing_got_through_for_too_long() {
        let throttled = |blocked, asked, attempt| {
            after(
                Effect::Repeatable,
                throttled(blocked, asked, false),
                attempt,
            )
        };
        assert_eq!(throttled(0, 7, 1_000), Decision::WhenOpen);
        assert_eq!(throttled(120, 120, 1), Decision::WhenOpen);
        assert_eq!(throttled(121, 1, 1), Decision::GiveUp);
        assert_eq!(throttled(0, 121, 1), Decision::GiveUp);
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_refused_at_once() {
        for effect in [Effect::Repeatable, Effect::OnceOnly] {
            assert_eq!(after(effect, Failure::Untrusted, 1), Decision::GiveUp);
        }
    }

    #[test]
    fn a_single_attempt_is_repeated_after_no_failure() {
        for failure in [
            Failure::NotSent,
            Failure::Undecided,
            throttled(0, 0, false),
            throttled(0, 0, true),
            Failure::Throttled {
                blocked: Duration::ZERO,
                asked: None,
                undecided: false,
            },
        ] {
            let decision = decide(&RetryPolicy::ONCE, Effect::Repeatable, failure, 1, 1.0);
            assert_eq!(decision, Decision::GiveUp, "{failure:?}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: jiff::Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        assert_eq!(retry_after("30", now), Some(Duration::from_secs(30)));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("soon", now), None);
    }
}
