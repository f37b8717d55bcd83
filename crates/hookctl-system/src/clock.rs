//! The clocks of this machine.

use std::path::Path;
use std::sync::Arc;

use hookctl_core::clock::{Clock, Stamp, Writer};

use crate::input::read_regular;

/// The clocks of this machine, for one run.
#[derive(Clone, Debug)]
pub struct SystemClock {
    writer: Writer,
}

impl SystemClock {
    /// Reads the host name and the boot id, and generates a random id for this run.
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

impl SystemClock {
    /// Returns the clock as the parts of a pass share it.
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::new())
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

/// The maximum length of a boot id, in bytes. That of Linux has 37.
const BOOT_ID_LIMIT: u64 = 64;

/// Reads the random id that Linux generates at each boot.
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
    // The monotonic clock of Linux stops while the machine is suspended. `Boottime` does not.
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let milliseconds = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default();
    seconds.saturating_mul(1_000).saturating_add(milliseconds)
}

/// Unused for durations without a boot id, where the wall clock is used.
#[cfg(not(unix))]
fn uptime_ms() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_clock_runs_and_tells_its_runs_apart() {
        let (one, other) = (SystemClock::new(), SystemClock::new());
        assert_ne!(one.now().writer.run, other.now().writer.run);
        assert!(one.now().elapsed(&other.now()).is_some());
    }
}
