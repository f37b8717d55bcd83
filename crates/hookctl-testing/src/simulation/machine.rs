//! A machine: its clock, its pauses, and what it can reach.

use std::sync::Mutex;
use std::time::Duration;

use hookctl_core::clock::{Clock, Stamp, Writer};
use tokio::time::{Instant, sleep_until};

use super::Dice;

/// A machine.
#[derive(Debug)]
pub struct Machine {
    name: String,
    started: Instant,
    offset: Duration,
    /// The speed of its clock, in thousandths of the true speed.
    speed: u32,
    /// Whether its uptime stands still during a pause, as that of a suspended machine may. Its wall clock continues.
    suspends: bool,
    until: Mutex<Until>,
}

/// The ends of what disturbs a machine.
#[derive(Clone, Copy, Debug)]
struct Until {
    paused: Instant,
    /// How long all pauses last.
    all_pauses: Duration,
    store_cut: Instant,
    api_cut: Instant,
    /// The end of the last trouble that can cost a lease: a pause, or a cut from the store.
    troubled: Instant,
}

impl Machine {
    /// Returns a machine whose clock is ahead by an offset, and has a speed in thousandths of the true speed.
    pub fn new(name: impl Into<String>, offset: Duration, speed: u32) -> Self {
        let now = Instant::now();
        Self {
            name: name.into(),
            started: now,
            offset,
            speed,
            suspends: false,
            until: Mutex::new(Until {
                paused: now,
                all_pauses: Duration::ZERO,
                store_cut: now,
                api_cut: now,
                troubled: now,
            }),
        }
    }

    /// Returns a machine with a true clock.
    pub fn steady(name: impl Into<String>) -> Self {
        Self::new(name, Duration::ZERO, 1000)
    }

    /// Returns a machine with a random clock, up to 3 % too slow or too fast.
    pub fn random(name: impl Into<String>, dice: &Dice) -> Self {
        let offset = dice.millis(100_000_000);
        let speed = 970 + u32::try_from(dice.below(60)).unwrap();
        Self::new(name, offset, speed)
    }

    /// Returns the machine, with an uptime that stands still during a pause.
    #[must_use]
    pub fn suspending(self, suspends: bool) -> Self {
        Self { suspends, ..self }
    }

    fn until(&self) -> Until {
        *self.until.lock().unwrap()
    }

    /// Stops the machine for a time.
    pub fn pause(&self, time: Duration) {
        let now = Instant::now();
        let end = now + time;
        let mut until = self.until.lock().unwrap();
        let since = now.max(until.paused);
        until.all_pauses += end.saturating_duration_since(since);
        until.paused = until.paused.max(end);
        until.troubled = until.troubled.max(end);
    }

    /// Cuts the machine off from the object store for a time.
    pub fn cut_store(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut until = self.until.lock().unwrap();
        until.store_cut = until.store_cut.max(end);
        until.troubled = until.troubled.max(end);
    }

    /// Cuts the machine off from the API for a time.
    pub fn cut_api(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut until = self.until.lock().unwrap();
        until.api_cut = until.api_cut.max(end);
    }

    /// Returns whether the machine cannot reach the object store now.
    pub fn is_store_cut(&self) -> bool {
        Instant::now() < self.until().store_cut
    }

    /// Returns whether the machine cannot reach the API now.
    pub fn is_api_cut(&self) -> bool {
        Instant::now() < self.until().api_cut
    }

    /// Returns whether a pause or a cut from the store lasted beyond a point in time.
    pub fn was_troubled_after(&self, then: Instant) -> bool {
        self.until().troubled > then
    }

    /// Returns the end of the current pause; `None` if the machine runs.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        let paused = self.until().paused;
        (Instant::now() < paused).then_some(paused)
    }

    /// Waits for the end of a pause.
    pub async fn until_running(&self) {
        while let Some(end) = self.paused_until() {
            sleep_until(end).await;
        }
    }
}

impl Clock for Machine {
    /// A task that becomes ready during a pause runs after it, so it reads the time of the end.
    fn now(&self) -> Stamp {
        let now = self.paused_until().unwrap_or_else(Instant::now);
        let by_its_clock = |time: Duration| time * self.speed / 1000 + self.offset;
        let passed = by_its_clock(now - self.started);
        let uptime = if self.suspends {
            by_its_clock(now - (self.started + self.until().all_pauses))
        } else {
            passed
        };
        Stamp {
            at: jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(passed).unwrap(),
            uptime_ms: uptime.as_millis().try_into().unwrap(),
            writer: Writer {
                host: self.name.clone(),
                boot: Some("boot".to_owned()),
                run: String::new(),
            },
        }
    }
}
