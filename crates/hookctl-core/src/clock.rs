//! Time stamps from which a later run computes how long ago a request was sent.
//!
//! A wall clock can be set back, and a monotonic clock restarts with each boot. A [`Stamp`] therefore carries both,
//! and names the boot of its uptime. Time that passed on another boot or machine is never computed from a wall clock.
//! This module reads no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The process that made a [`Stamp`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The host's name; empty if the system does not provide it.
    pub host: String,
    /// The id of the boot; `None` if the system does not provide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// A random id of the run, which distinguishes two runs of one boot.
    pub run: String,
}

/// A point in time by its writer's clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The wall clock.
    pub at: jiff::Timestamp,
    /// The time since the boot in milliseconds. Includes time in suspend if the system counts it.
    pub uptime_ms: u64,
    /// The process that read the clocks.
    pub writer: Writer,
}

impl Stamp {
    /// Returns the time that has certainly passed between this stamp and `now`. Returns `None` if the clocks cannot
    /// be compared: another host, another boot, or an uptime that ran backwards.
    ///
    /// If neither names its boot, the wall clock of the same host counts.
    pub fn elapsed(&self, now: &Self) -> Option<Duration> {
        let (then, this) = (&self.writer, &now.writer);
        if then.host != this.host {
            return None;
        }
        match (&then.boot, &this.boot) {
            (Some(then), Some(this)) if then == this => now
                .uptime_ms
                .checked_sub(self.uptime_ms)
                .map(Duration::from_millis),
            (None, None) => Duration::try_from(now.at.duration_since(self.at)).ok(),
            _ => None,
        }
    }
}

/// Reads the clocks.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Stamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(host: &str, boot: Option<&str>, uptime_ms: u64, at: &str) -> Stamp {
        Stamp {
            at: at.parse().unwrap(),
            uptime_ms,
            writer: Writer {
                host: host.to_owned(),
                boot: boot.map(str::to_owned),
                run: String::new(),
            },
        }
    }

    const NOON: &str = "2026-01-01T12:00:00Z";
    const LATER: &str = "2026-01-01T12:00:05Z";

    #[test]
    fn time_passes_by_the_uptime_of_one_boot_and_never_by_its_wall_clock() {
        let then = stamp("a", Some("x"), 1_000, LATER);
        let elapsed = |host, boot, uptime| then.elapsed(&stamp(host, boot, uptime, NOON));
        assert_eq!(
            elapsed("a", Some("x"), 4_000),
            Some(Duration::from_secs(3)),
            "the wall clock was set back"
        );
        assert_eq!(elapsed("a", Some("x"), 999), None, "another time namespace");
        assert_eq!(elapsed("a", Some("y"), 4_000), None, "another boot");
        assert_eq!(elapsed("b", Some("x"), 4_000), None, "another host");
        assert_eq!(elapsed("a", None, 4_000), None);
    }

    #[test]
    fn without_boot_ids_the_wall_clock_counts_forwards() {
        let (then, now) = (stamp("a", None, 0, NOON), stamp("a", None, 0, LATER));
        assert_eq!(then.elapsed(&now), Some(Duration::from_secs(5)));
        assert_eq!(now.elapsed(&then), None, "it was set back");
    }
}
