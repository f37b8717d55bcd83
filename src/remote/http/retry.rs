//! The one budget of retries. Pure but for the wait itself.
//!
//! What may be sent again depends on what is known: a refusal for too many requests was not processed;
//! a list, a PATCH, and a DELETE may be repeated whatever happened, since all they set is absolute; a
//! POST may be repeated only if it was certainly never processed.

use std::time::Duration;

/// How often and how fast is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included; at least 1.
    pub attempts: u32,
    /// The upper bound of the first wait; it doubles with each try.
    pub base: Duration,
    /// The upper bound of every wait that we choose.
    pub cap: Duration,
    /// The longest wait that the API may ask for; if it asks for more, that is an error at once.
    pub longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// Five tries over at most 7.5 s of our own waits (0.5 + 1 + 2 + 4), and at most two minutes where
    /// the API asks for them: what a person waits for in CI.
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            longest_retry_after: Duration::from_mins(2),
        }
    }
}

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Repeating it changes nothing: GET, PATCH, DELETE.
    Repeatable,
    /// Repeating it may double something: POST.
    OnceOnly,
}

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// 429: it was not processed.
    TooManyRequests,
    /// The connection was never made: it was not sent.
    NotSent,
    /// 5xx, a time-out, a lost connection, half an answer: it may have been processed.
    Undecided,
}

/// What to do after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Wait, then try again.
    Wait(Duration),
    /// The budget is spent, or the API asks for too much patience.
    GiveUp,
    /// It may have happened, and must not be sent again.
    OutcomeUnknown,
}

/// Decides after the failed try number `attempt` (from 1). `random` is in 0..=1.
pub(super) fn decide(
    policy: &RetryPolicy,
    effect: Effect,
    failure: Failure,
    attempt: u32,
    retry_after: Option<Duration>,
    random: f64,
) -> Decision {
    if effect == Effect::OnceOnly && failure == Failure::Undecided {
        return Decision::OutcomeUnknown;
    }
    if attempt >= policy.attempts
        || retry_after.is_some_and(|wait| wait > policy.longest_retry_after)
    {
        return Decision::GiveUp;
    }
    let doubled = policy
        .base
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let jittered = doubled.min(policy.cap).mul_f64(random.clamp(0.0, 1.0));
    Decision::Wait(retry_after.unwrap_or_default().max(jittered))
}

/// Reads `Retry-After`: a number of seconds or an HTTP date. `now` is the time of the answer.
pub(super) fn retry_after(header: &str, now: jiff::Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(header)
        .ok()?;
    let wait = date.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(effect: Effect, failure: Failure, attempt: u32, retry_after: Option<u64>) -> Decision {
        let retry_after = retry_after.map(Duration::from_secs);
        decide(
            &RetryPolicy::default(),
            effect,
            failure,
            attempt,
            retry_after,
            1.0,
        )
    }

    #[test]
    fn a_post_is_repeated_only_if_it_was_certainly_not_processed() {
        let post = |failure| after(Effect::OnceOnly, failure, 1, None);
        assert_eq!(post(Failure::Undecided), Decision::OutcomeUnknown);
        assert_eq!(
            post(Failure::TooManyRequests),
            Decision::Wait(Duration::from_millis(500))
        );
        assert_eq!(
            post(Failure::NotSent),
            Decision::Wait(Duration::from_millis(500))
        );
    }

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_budget() {
        let repeatable = |attempt| after(Effect::Repeatable, Failure::Undecided, attempt, None);
        assert_eq!(repeatable(1), Decision::Wait(Duration::from_millis(500)));
        assert_eq!(repeatable(4), Decision::Wait(Duration::from_secs(4)));
        assert_eq!(repeatable(5), Decision::GiveUp);
        let patient = RetryPolicy {
            attempts: 100,
            ..RetryPolicy::default()
        };
        assert_eq!(
            decide(
                &patient,
                Effect::Repeatable,
                Failure::Undecided,
                60,
                None,
                1.0
            ),
            Decision::Wait(Duration::from_secs(30))
        );
        assert_eq!(
            decide(
                &patient,
                Effect::Repeatable,
                Failure::Undecided,
                3,
                None,
                0.0
            ),
            Decision::Wait(Duration::ZERO)
        );
    }

    #[test]
    fn what_the_api_asks_for_is_kept_unless_it_is_too_much() {
        let asked = |seconds| {
            after(
                Effect::Repeatable,
                Failure::TooManyRequests,
                1,
                Some(seconds),
            )
        };
        assert_eq!(asked(7), Decision::Wait(Duration::from_secs(7)));
        assert_eq!(asked(121), Decision::GiveUp);
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
