//! The documented limits and create defaults of the API.
//!
//! Source: Interactly's API reference, "Create Workflow Webhook" and "Update Workflow Webhook". Lengths are in Unicode
//! scalar values: the reference names no unit, but the server counts like Python.

use std::ops::RangeInclusive;

/// Length of `name`, in Unicode scalar values.
pub const NAME_LENGTH: RangeInclusive<usize> = 1..=150;
/// Length of `url`, in Unicode scalar values.
pub const URL_LENGTH: RangeInclusive<usize> = 1..=2048;
/// Length of `bearer_token`, in Unicode scalar values. The reference has no minimum. Empty tokens are refused, because
/// their effect is not documented.
pub const BEARER_TOKEN_LENGTH: RangeInclusive<usize> = 1..=2000;
/// `timeout_seconds`, in seconds.
pub const TIMEOUT_SECONDS: RangeInclusive<i64> = 1..=60;
/// `max_retries`: retries after the first attempt.
pub const MAX_RETRIES: RangeInclusive<i64> = 0..=10;
/// `retry_backoff_seconds`, in seconds: the base of the exponential backoff between retries.
pub const RETRY_BACKOFF_SECONDS: RangeInclusive<i64> = 1..=300;

/// The API's create default of `enabled`.
pub const DEFAULT_ENABLED: bool = true;
/// The API's create default of `timeout_seconds`, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: i64 = 10;
/// The API's create default of `max_retries`.
pub const DEFAULT_MAX_RETRIES: i64 = 3;
/// The API's create default of `retry_backoff_seconds`, in seconds.
pub const DEFAULT_RETRY_BACKOFF_SECONDS: i64 = 10;
