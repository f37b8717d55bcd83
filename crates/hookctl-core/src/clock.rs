//! Moments: what tells a later run how long ago a request was sent.
//!
//! A wall clock can be set back, and a monotonic clock starts anew with each boot. So a [`Stamp`] carries both, and
//! names the boot that its uptime belongs to. Time that passed on another boot, or on another machine, is
//! never computed from a wall clock. This module knows nothing of what is stamped, and reads no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The process that made a [`Stamp`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The host's name; empty where the system does not tell.
    pub host: String,
    /// The id of the boot; `None` where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// A random id of the run, so that two runs of one boot can be told apart.
    pub run: String,
}

/// A moment, as its writer's clocks showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The wall clock.
    pub at: jiff::Timestamp,
    /// The time since the boot in milliseconds, time spent in suspend included where the system counts it.
    pub uptime_ms: u64,
    /// The process whose clocks these are.
    pub writer: Writer,
}

impl Stamp {
    /// Returns the time that has surely passed between this moment and `now`, or `None` if the two clocks
    /// cannot be compared: another host, another boot, or an uptime that ran backwards.
    ///
    /// Where neither names its boot, the wall clock of the same host counts.
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
    /// Returns the current moment.
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
