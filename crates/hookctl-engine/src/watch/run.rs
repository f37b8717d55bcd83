//! The loop of a watch.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::files::Look;
use super::flapping::Flapping;
use super::hints::Hints;
use super::host::{Ended, Host, Passed, WatchEvent};
use super::pass::{self, PassContext};
use super::schedule::{Due, Reason, Schedule, ScheduleSettings};
use crate::reconcile::PassReport;
use crate::report::Outcome;
use hookctl_core::plan::Cause;

/// How often files are looked at where the system reports no changes.
const POLL: Duration = Duration::from_millis(500);

/// Keeps the account of a host as its files say, until it is cancelled; what is in flight then is settled
/// and recorded. Each notification of `wake` asks for a pass at once.
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
        hints: Hints::default(),
        polls,
        is_invalid: false,
    };
    // The first look: what is there already has not changed.
    watch.look();
    while !cancellation.is_cancelled() {
        watch.run_what_is_due().await;
        let next = watch.until(watch.schedule.next());
        let next = watch.host.heartbeat().map_or(next, |sign| next.min(sign));
        tokio::select! {
            () = watch.hints.next() => {
                let now = watch.now();
                watch.schedule.hint(now);
            }
            () = tokio::time::sleep(next) => {}
            () = wake.notified() => watch.on_wake().await,
            () = cancellation.cancelled() => return,
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
    hints: Hints,
    /// Whether the files are looked at often, since nothing reports their changes.
    polls: bool,
    /// Whether the files did not validate when they last changed.
    is_invalid: bool,
}

impl<H: Host> Watch<'_, H> {
    /// The time since the start.
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
                Some(Due::Look) => {
                    if self.look_for_changes(now) {
                        self.pass(Reason::Files).await;
                    }
                }
                Some(Due::Pass(reason)) => self.pass(reason).await,
            }
        }
    }

    fn look_for_changes(&mut self, now: Duration) -> bool {
        let changed = self.look() == Look::Changed;
        if changed {
            self.schedule.files_changed(now);
            self.flapping.files_changed();
        }
        changed
    }

    /// Reads the files.
    fn look(&mut self) -> Look {
        // Watched first and read then, so that no change falls in between.
        self.arm();
        let files = self.host.watched().files.to_vec();
        let look = self.host.look();
        if self.host.watched().files != files {
            self.arm();
        }
        if look == Look::Invalid {
            self.host.on_event(WatchEvent::Invalid);
            self.is_invalid = true;
        }
        if look == Look::Changed && std::mem::take(&mut self.is_invalid) {
            self.host.on_event(WatchEvent::Valid);
        }
        look
    }

    /// Sees to it that the next change of the files is reported.
    fn arm(&mut self) {
        if self.polls {
            return;
        }
        let watched = self.host.watched();
        if let Err(error) = self.hints.watch(watched.root, watched.files) {
            self.host.on_event(WatchEvent::NoHints(&error));
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
        let succeeded = match pass::run(&*self.host, context).await {
            Ok(None) => true,
            Ok(Some((report, left))) => {
                self.learn(&report);
                let ended = if report.is_complete() {
                    Ended::Well
                } else {
                    Ended::Badly
                };
                let held = self.flapping.held(self.now()).len();
                self.host.on_event(WatchEvent::Passed(&Passed {
                    reason,
                    report,
                    left,
                    held,
                    ended,
                    took: started.elapsed(),
                }));
                ended == Ended::Well
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
    }

    /// Learns which fields were set back, so that none is fought over for ever.
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
            // It may wait for a program that prints a key, and that ends with it.
            () = self.cancellation.cancelled() => return,
            () = self.host.on_wake() => {}
        }
        let now = self.now();
        self.look_for_changes(now);
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
