//! The ranges of times.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Of `request_timeout`.
pub(super) const REQUEST_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_mins(10);
/// Of the history: a day to ten years.
pub(super) const HISTORY_KEEP: RangeInclusive<Duration> =
    Duration::from_hours(24)..=Duration::from_hours(24 * 3_650);
/// Of `settle_horizon`.
pub(super) const SETTLE_HORIZON: RangeInclusive<Duration> =
    Duration::ZERO..=Duration::from_hours(1);
/// Of the lease of a shared record.
pub(super) const LEASE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
