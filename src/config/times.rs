//! Times as people write them: `500ms`, `10s`, `2m`, `1h`.

use std::time::Duration;

/// A text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 500ms, 10s, 2m, or 1h")]
pub struct InvalidTime;

/// Reads a time: a whole number with the unit `ms`, `s`, `m`, or `h`; without a unit it counts seconds.
///
/// # Errors
/// [`InvalidTime`]
pub fn parse_time(text: &str) -> Result<Duration, InvalidTime> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| InvalidTime)?;
    match text.get(digits.len()..) {
        Some("ms") => Ok(Duration::from_millis(number)),
        Some("s" | "") => Ok(Duration::from_secs(number)),
        Some("m") => Ok(Duration::from_secs(number.saturating_mul(60))),
        Some("h") => Ok(Duration::from_secs(number.saturating_mul(3_600))),
        _ => Err(InvalidTime),
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
        for wrong in ["", "s", "1.5s", "-1s", "1 s", "1d", "99999999999999999999s"] {
            assert_eq!(parse_time(wrong), Err(InvalidTime), "{wrong}");
        }
    }
}
