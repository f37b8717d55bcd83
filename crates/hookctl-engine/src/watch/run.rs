//! The loop of a watch.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::files::ScanResult;
use super::flapping::Flapping;
use super::fs_events::FsEvents;
use super::host::{Ended, Host, Passed, WatchEvent};
use super::pass::{self, PassContext};
use super::schedule::{Due, Reason, Schedule, ScheduleSettings};
use crate::reconcile::PassReport;
use crate::report::Outcome;
use hookctl_core::plan::Cause;

/// The time between two scans where the system reports no file events.
const POLL: Duration = Duration::from_millis(500);

/// The shortest time between two heartbeats during a pass.
const SHORTEST_BEAT: Duration = Duration::from_millis(10);

/// Syncs the account of a host with its files until the watch is cancelled. Requests in flight are then settled and
/// recorded. Each notification of `wake` requests a pass at once.
///
/// # Cancel safety
/// If the future is dropped in a pass, it is as after a crash: the next pass settles what was sent, and creates nothing twice.
pub async fn watch<H: Host>(host: &mut H, wake: &Notify, cancellation: &CancellationToken) {
    let options = host.options();
    let polls = options.poll;
    let settings = ScheduleSettings {
        interval: options.interval,
        rescan: if polls { POLL } else { options.rescan },
        grace: options.grace,
    };
    let mut watch = Watch {
        host,
        cancellation,
        started: Instant::now(),
        settings,
        schedule: Schedule::new(settings),
        flapping: Flapping::default(),
        events: FsEvents::default(),
        polls,
        is_invalid: false,
    };
    // The first scan: content that exists at the start is not a change.
    watch.scan();
    while !cancellation.is_cancelled() {
        watch.run_what_is_due().await;
        let next = watch.until(watch.schedule.next());
        let next = watch.host.heartbeat().map_or(next, |sign| next.min(sign));
        tokio::select! {
            () = watch.events.next() => {
                let now = watch.now();
                watch.schedule.on_fs_event(now);
            }
            () = tokio::time::sleep(next) => {}
            () = wake.notified() => watch.on_wake().await,
            () = cancellation.cancelled() => return,
        }
    }
}

/// Runs a pass, which may wait longer for the API than a service manager waits for a heartbeat.
async fn with_heartbeats<H: Host, T>(host: &H, mut pass: impl Future<Output = T> + Unpin) -> T {
    loop {
        let Some(next) = host.heartbeat() else {
            return pass.await;
        };
        tokio::select! {
            biased;
            made = &mut pass => return made,
            () = tokio::time::sleep(next.max(SHORTEST_BEAT)) => {}
        }
    }
}

struct Watch<'a, H> {
    host: &'a mut H,
    cancellation: &'a CancellationToken,
    started: Instant,
    settings: ScheduleSettings,
    schedule: Schedule,
    flapping: Flapping,
    events: FsEvents,
    /// Whether the files are polled, since the system reports no file events.
    polls: bool,
    /// Whether the files were invalid after their last change.
    is_invalid: bool,
}

impl<H: Host> Watch<'_, H> {
    /// Returns the time since the start.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn until(&self, time: Duration) -> Duration {
        let left = time.saturating_sub(self.now());
        if self.polls { left.min(POLL) } else { left }
    }

    async fn run_what_is_due(&mut self) {
        while !self.cancellation.is_cancelled() {
            let now = self.now();
            match self.schedule.due(now) {
                None => return,
                Some(Due::Scan) => {
                    if self.scan_for_changes(now) {
                        self.pass(Reason::Files).await;
                    }
                }
                Some(Due::Pass(reason)) => self.pass(reason).await,
            }
        }
    }

    fn scan_for_changes(&mut self, now: Duration) -> bool {
        let changed = self.scan() == ScanResult::Changed;
        if changed {
            self.schedule.files_changed(now);
            self.flapping.files_changed();
        }
        changed
    }

    /// Reads the files.
    fn scan(&mut self) -> ScanResult {
        // Watches before it reads, so that no change is missed in between.
        self.arm();
        let files = self.host.watched().files.to_vec();
        let result = self.host.scan();
        if self.host.watched().files != files {
            self.arm();
        }
        if result == ScanResult::Invalid {
            self.host.on_event(WatchEvent::Invalid);
            self.is_invalid = true;
        }
        if result == ScanResult::Changed && std::mem::take(&mut self.is_invalid) {
            self.host.on_event(WatchEvent::Valid);
        }
        result
    }

    /// Watches the current paths; polls them if the system reports no events.
    fn arm(&mut self) {
        if self.polls {
            return;
        }
        let watched = self.host.watched();
        if let Err(error) = self.events.watch(watched.root, watched.files) {
            self.host.on_event(WatchEvent::NoFsEvents(&error));
            self.polls = true;
            self.settings.rescan = POLL;
            let now = self.now();
            self.schedule.retime(self.settings, now);
        }
    }

    async fn pass(&mut self, reason: Reason) {
        let started = Instant::now();
        let now = self.now();
        let context = PassContext {
            reason,
            held: self.flapping.held(now),
            may_prune: self.schedule.may_prune(),
            cancellation: self.cancellation,
        };
        let host = &*self.host;
        let succeeded = match with_heartbeats(host, Box::pin(pass::run(host, context))).await {
            Ok(None) => true,
            Ok(Some((report, left))) => {
                self.learn(&report);
                let ended = if report.is_complete() {
                    Ended::Complete
                } else {
                    Ended::Incomplete
                };
                let held = self.flapping.held(self.now());
                self.host.on_event(WatchEvent::Passed(&Passed {
                    reason,
                    report,
                    left,
                    held,
                    ended,
                    took: started.elapsed(),
                }));
                ended == Ended::Complete
            }
            Err(failure) => {
                self.host.on_event(WatchEvent::Failed {
                    reason,
                    failure: &failure,
                    took: started.elapsed(),
                });
                false
            }
        };
        let random = getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
        let now = self.now();
        self.schedule.ended(now, succeeded, random);
        let (at, reason) = self.schedule.next_pass();
        self.host.on_event(WatchEvent::Scheduled {
            after: at.saturating_sub(now),
            reason,
        });
    }

    /// Records which fields were corrected, so that none is corrected forever.
    fn learn(&mut self, report: &PassReport) {
        let now = self.now();
        for result in report.results() {
            if !matches!(result.outcome, Outcome::Applied { .. }) {
                continue;
            }
            let key = &result.planned.key;
            for change in &result.planned.changes {
                let field = change.field_name();
                if change.cause() == Cause::Drift && self.flapping.reverted(key, field, now) {
                    self.host.on_event(WatchEvent::Held { key, field });
                }
            }
        }
    }

    async fn on_wake(&mut self) {
        tokio::select! {
            // The host may run a program that prints a key; dropping the future ends it.
            () = self.cancellation.cancelled() => return,
            () = self.host.on_wake() => {}
        }
        let now = self.now();
        self.scan_for_changes(now);
        self.schedule.request(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles if a runtime may move a watch between its threads.
    #[expect(dead_code, reason = "it only has to compile")]
    fn a_watch_can_be_spawned<H: Host>(host: &mut H, wake: &Notify, end: &CancellationToken) {
        fn is_send(_: impl Send) {}
        is_send(watch(host, wake, end));
    }
}
