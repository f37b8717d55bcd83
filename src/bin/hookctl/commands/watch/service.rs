//! Notifications to a service manager: readiness, a line of status, and the watchdog. Does nothing unless
//! `NOTIFY_SOCKET` or `WATCHDOG_USEC` is set, as by systemd.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::environment::Environment;

/// The longest status, in characters. A manager shows it on one line.
const LONGEST_STATUS: usize = 240;

/// The service manager, if any.
pub(super) struct Service {
    socket: Option<String>,
    /// The interval of watchdog notifications: half the time-out.
    every: Option<Duration>,
    last_sign: Mutex<Option<Instant>>,
    is_stopping: AtomicBool,
}

impl Service {
    /// Reads the environment.
    pub(super) fn of(environment: &Environment) -> Self {
        let patience = environment
            .get("WATCHDOG_USEC")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_micros);
        Self {
            socket: environment.setting("NOTIFY_SOCKET"),
            every: patience.map(|patience| patience / 2),
            last_sign: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Notifies the manager that the watch runs. Whether the account matches the files is a matter of the status: a
    /// watch that waits for an API or a corrected file works as intended.
    pub(super) fn ready(&self, status: &str) {
        self.notify(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// Notifies the manager that the configuration is read again. [`Self::ready`] ends that.
    pub(super) fn reloading(&self) {
        // systemd compares the time with that of its request.
        #[cfg(unix)]
        let time = {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
            format!("\nMONOTONIC_USEC={microseconds}")
        };
        #[cfg(not(unix))]
        let time = "";
        self.notify(&format!("RELOADING=1{time}\nSTATUS=reading hookctl.yaml"));
    }

    /// Notifies the manager, once, that the watch ends after the requests in flight.
    pub(super) fn stopping(&self) {
        if !self.is_stopping.swap(true, Ordering::SeqCst) {
            self.notify("STOPPING=1\nSTATUS=finishing and recording the requests in flight");
        }
    }

    /// Sets the status: the last result, or what the watch waits for.
    pub(super) fn status(&self, status: &str) {
        self.notify(&format!("STATUS={}", line(status)));
    }

    /// Notifies the watchdog, if that is due. Returns the time until the next notification.
    pub(super) fn heartbeat(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        let every = self.every?;
        let mut last_sign = self
            .last_sign
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wait = last_sign.map_or(Duration::ZERO, |last| every.saturating_sub(last.elapsed()));
        if !wait.is_zero() {
            return Some(wait);
        }
        *last_sign = Some(Instant::now());
        drop(last_sign);
        self.notify("WATCHDOG=1");
        Some(every)
    }

    #[cfg(unix)]
    fn notify(&self, message: &str) {
        let Some(path) = &self.socket else { return };
        let sent = std::os::unix::net::UnixDatagram::unbound().and_then(|socket| {
            match path.strip_prefix('@') {
                #[cfg(target_os = "linux")]
                Some(name) => {
                    use std::os::linux::net::SocketAddrExt as _;
                    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                    socket.send_to_addr(message.as_bytes(), &address)
                }
                _ => socket.send_to(message.as_bytes(), path),
            }
        });
        if let Err(error) = sent {
            tracing::warn!(%error, "could not notify the service manager");
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "there is no such manager here")]
    fn notify(&self, _: &str) {}
}

/// Returns a status on one line, without what cannot be seen. A line break would begin another field.
fn line(status: &str) -> String {
    let escaped = hookctl::outside::escape(status);
    if escaped.chars().count() <= LONGEST_STATUS {
        return escaped.into_owned();
    }
    let beginning: String = escaped.chars().take(LONGEST_STATUS).collect();
    format!("{beginning}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_short_line() {
        assert_eq!(line("in sync"), "in sync");
        assert_eq!(line("a\nREADY=1"), "a\\u{a}READY=1");
        assert_eq!(line(&"x".repeat(1_000)).len(), LONGEST_STATUS + 3);
    }
}
