//! Notifications to a service manager: readiness and watchdog. Does nothing unless `NOTIFY_SOCKET` or
//! `WATCHDOG_USEC` is set, as by systemd.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::environment::Environment;

/// The service manager, if any.
pub(super) struct Service {
    socket: Option<String>,
    /// The interval of watchdog notifications: half the time-out.
    every: Option<Duration>,
    last_sign: Option<Instant>,
    is_ready: AtomicBool,
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
            last_sign: None,
            is_ready: AtomicBool::new(false),
        }
    }

    /// Notifies the manager, once, that the first pass succeeded.
    pub(super) fn ready(&self) {
        if !self.is_ready.swap(true, Ordering::SeqCst) {
            self.notify("READY=1");
        }
    }

    /// Notifies the watchdog, if that is due.
    pub(super) fn heartbeat(&mut self) {
        let due = self.next_sign().is_some_and(|wait| wait.is_zero());
        if due {
            self.last_sign = Some(Instant::now());
            self.notify("WATCHDOG=1");
        }
    }

    /// Returns the time until the next watchdog notification.
    pub(super) fn next_sign(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        let every = self.every?;
        Some(match self.last_sign {
            None => Duration::ZERO,
            Some(last) => every.saturating_sub(last.elapsed()),
        })
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
