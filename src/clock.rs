//! The clocks of this machine: what tells a later run how long ago a request was sent.
//!
//! A wall clock can be set back, and a monotonic clock starts anew with each boot. So a [`Stamp`] carries both, and
//! names the boot that its uptime belongs to. Time that passed on another boot, or on another machine, is
//! never computed from a wall clock. This module knows nothing of what is stamped.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::input::read_regular;

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

/// The clocks of this machine.
#[derive(Clone, Debug)]
pub struct SystemClock {
    writer: Writer,
}

impl SystemClock {
    /// Reads the names of host and boot, and draws an id for this run.
    pub fn new() -> Self {
        Self {
            writer: Writer {
                host: host(),
                boot: boot(),
                run: getrandom::u64().map_or_else(|_| String::new(), |id| format!("{id:016x}")),
            },
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        Stamp {
            at: jiff::Timestamp::now(),
            uptime_ms: uptime_ms(),
            writer: self.writer.clone(),
        }
    }
}

/// The longest boot id that is read, in bytes; Linux writes 37.
const BOOT_ID_LIMIT: u64 = 64;

/// Reads the id that Linux draws at each boot.
fn boot() -> Option<String> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = String::from_utf8(read_regular(path, BOOT_ID_LIMIT).ok()?).ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(unix)]
fn host() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    String::new()
}

#[cfg(unix)]
fn uptime_ms() -> u64 {
    // Linux's monotonic clock stands still while the machine is suspended; this one does not.
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let milliseconds = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default();
    seconds.saturating_mul(1_000).saturating_add(milliseconds)
}

/// Without a boot id the wall clock counts, and this is only shown.
#[cfg(not(unix))]
fn uptime_ms() -> u64 {
    0
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

    #[test]
    fn this_machines_clock_runs_and_tells_its_runs_apart() {
        let (one, other) = (SystemClock::new(), SystemClock::new());
        assert_ne!(one.now().writer.run, other.now().writer.run);
        assert!(one.now().elapsed(&other.now()).is_some());
    }
}
