//! Durations as written in the configuration: `500ms`, `10s`, `2m`, `1h`, `90d`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::ranges::SETTLE_HORIZON;
use super::reader::Reader;
use crate::diagnostic::Code;
use crate::yaml::{Kind, Mapping};

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 500ms, 10s, 2m, 1h, or 90d")]
pub struct InvalidTime;

/// Parses a duration: a whole number with the unit `ms`, `s`, `m`, `h`, or `d`. Without a unit it is in seconds.
///
/// # Errors
/// Returns [`InvalidTime`] for any other text.
pub fn parse_time(text: &str) -> Result<Duration, InvalidTime> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| InvalidTime)?;
    match text.get(digits.len()..) {
        Some("ms") => Ok(Duration::from_millis(number)),
        Some("s" | "") => Ok(Duration::from_secs(number)),
        Some("m") => Ok(Duration::from_secs(number.saturating_mul(60))),
        Some("h") => Ok(Duration::from_secs(number.saturating_mul(3_600))),
        Some("d") => Ok(Duration::from_secs(number.saturating_mul(86_400))),
        _ => Err(InvalidTime),
    }
}

impl Reader<'_> {
    pub(super) fn time(
        &mut self,
        mapping: &Mapping,
        key: &str,
        range: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let node = mapping.get(key)?;
        let is_text = matches!(node.kind()?, Kind::Text | Kind::Integer);
        let text = node.as_scalar().filter(|_| is_text);
        let Some(time) = text.and_then(|text| parse_time(text.text()).ok()) else {
            self.diagnostics.push(
                node.problem(
                    Code::WrongType,
                    format!("'{key}' must be a duration"),
                    "not a duration",
                )
                .help("use a whole number with a unit, such as 500ms, 30s, or 2m"),
            );
            return None;
        };
        if range.contains(&time) {
            return Some(time);
        }
        self.diagnostics.push(
            node.problem(
                Code::OutOfRange,
                format!("'{key}' is out of range"),
                format!("must be {:?} to {:?}", range.start(), range.end()),
            )
            .help("use a whole number with a unit, such as 500ms, 30s, or 2m"),
        );
        None
    }

    pub(super) fn horizon(
        &mut self,
        mapping: &Mapping,
        request_timeout: Duration,
    ) -> Option<Duration> {
        let horizon = self.time(mapping, "settle_horizon", &SETTLE_HORIZON)?;
        if let Some(node) = mapping.get("settle_horizon")
            && horizon < request_timeout
        {
            self.diagnostics.push(
                node.problem(
                    Code::ShortHorizon,
                    "'settle_horizon' is shorter than 'request_timeout'",
                    format!("a request may take {request_timeout:?}"),
                )
                .help("increase or remove it: a create that takes effect later may be duplicated"),
            );
        }
        Some(horizon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_and_a_unit() {
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_time("10"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(parse_time("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(parse_time("90d"), Ok(Duration::from_hours(90 * 24)));
        for wrong in ["", "s", "1.5s", "-1s", "1 s", "1w", "99999999999999999999s"] {
            assert_eq!(parse_time(wrong), Err(InvalidTime), "{wrong}");
        }
    }
}
