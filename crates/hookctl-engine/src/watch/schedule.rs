//! When to scan the files, and when to run a pass. Pure: times are durations since the start.

use std::time::Duration;

/// The quiet period before a scan: an editor writes several times, a checkout thousands of times.
const QUIET: Duration = Duration::from_millis(100);
/// The longest delay of a scan while events keep arriving.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The pause after the first failed pass; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failed pass.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The times of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// The time between two checks for drift. Each is extended by up to half, at random.
    pub interval: Duration,
    /// The time after which the files are scanned even without an event.
    pub rescan: Duration,
    /// The time for which the files must be unchanged before a pass prunes.
    pub grace: Duration,
}

impl Default for ScheduleSettings {
    /// An interval of 5 minutes, and 30 seconds each for rescan and grace.
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(5),
            rescan: Duration::from_secs(30),
            grace: Duration::from_secs(30),
        }
    }
}

/// Why a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The first one.
    Start,
    /// The files changed.
    Files,
    /// The interval has passed.
    Interval,
    /// The last pass failed.
    Retry,
    /// The files have been unchanged for long enough to prune.
    Grace,
    /// The program requested it.
    Request,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::Start,
        Self::Files,
        Self::Interval,
        Self::Retry,
        Self::Grace,
        Self::Request,
    ];

    /// Returns the reason as one word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Files => "files",
            Self::Interval => "interval",
            Self::Retry => "retry",
            Self::Grace => "grace",
            Self::Request => "request",
        }
    }
}

/// A task that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Scan the files, and run a pass if they changed.
    Scan,
    /// Run a pass.
    Pass(Reason),
}

/// The times of the next scan and the next pass.
#[derive(Clone, Debug)]
pub struct Schedule {
    settings: ScheduleSettings,
    /// The first and the last event since the last scan.
    events: Option<(Duration, Duration)>,
    next_scan: Duration,
    next_pass: (Duration, Reason),
    /// When the files will have been unchanged for long enough to prune.
    stable_at: Option<Duration>,
    failures: u32,
}

impl Schedule {
    /// Returns a schedule whose first pass is due at once.
    pub const fn new(settings: ScheduleSettings) -> Self {
        Self {
            next_scan: settings.rescan,
            settings,
            events: None,
            next_pass: (Duration::ZERO, Reason::Start),
            // The watch may have started in the middle of a checkout.
            stable_at: Some(settings.grace),
            failures: 0,
        }
    }

    /// Changes the times from now on.
    pub fn retime(&mut self, settings: ScheduleSettings, now: Duration) {
        self.settings = settings;
        self.next_scan = self.next_scan.min(now + settings.rescan);
    }

    /// Records a file event.
    pub fn on_fs_event(&mut self, now: Duration) {
        let first = self.events.map_or(now, |(first, _)| first);
        self.events = Some((first, now));
    }

    /// Makes a pass due at once.
    pub const fn request(&mut self, now: Duration) {
        self.next_pass = (now, Reason::Request);
    }

    /// Returns when the next task is due.
    pub fn next(&self) -> Duration {
        let settled = self
            .events
            .map(|(first, last)| (last + QUIET).min(first + LONGEST_WAIT));
        [
            Some(self.next_pass.0),
            Some(self.next_scan),
            settled,
            self.stable_at,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(self.next_scan)
    }

    /// Returns when the next pass is due, and why it runs. Changed files bring one earlier.
    pub fn next_pass(&self) -> (Duration, Reason) {
        match self.stable_at {
            Some(at) if at < self.next_pass.0 => (at, Reason::Grace),
            _ => self.next_pass,
        }
    }

    /// Returns the task that is due now, if any. A scan comes before a pass, since its result affects the pass.
    pub fn due(&mut self, now: Duration) -> Option<Due> {
        let settled = self
            .events
            .is_some_and(|(first, last)| now >= (last + QUIET).min(first + LONGEST_WAIT));
        if settled || now >= self.next_scan {
            self.events = None;
            self.next_scan = now + self.settings.rescan;
            return Some(Due::Scan);
        }
        if now >= self.next_pass.0 {
            return Some(Due::Pass(self.next_pass.1));
        }
        if self.stable_at.is_some_and(|at| now >= at) {
            self.stable_at = None;
            return Some(Due::Pass(Reason::Grace));
        }
        None
    }

    /// Records that the content of the files changed.
    pub fn files_changed(&mut self, now: Duration) {
        self.stable_at = Some(now + self.settings.grace);
        self.failures = 0;
    }

    /// Returns whether the files have been unchanged for long enough to prune.
    pub fn may_prune(&self) -> bool {
        self.stable_at.is_none()
    }

    /// Records that a pass ended, and schedules the next one. `random` is in 0..=1.
    pub fn ended(&mut self, now: Duration, succeeded: bool, random: f64) {
        let random = random.clamp(0.0, 1.0);
        if succeeded {
            self.failures = 0;
            let jitter = self.settings.interval.mul_f64(random / 2.0);
            self.next_pass = (now + self.settings.interval + jitter, Reason::Interval);
        } else {
            let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures));
            let pause = doubled.min(LONGEST_PAUSE);
            self.failures = self.failures.saturating_add(1);
            // At least half of the pause, so that many processes that failed together do not retry together.
            let jittered = pause.mul_f64(0.5 + random / 2.0);
            self.next_pass = (now + jittered, Reason::Retry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn started() -> Schedule {
        let mut schedule = Schedule::new(ScheduleSettings::default());
        assert_eq!(schedule.due(ms(0)), Some(Due::Pass(Reason::Start)));
        schedule.ended(ms(0), true, 0.0);
        // The grace period of the start has passed.
        schedule.stable_at = None;
        schedule
    }

    #[test]
    fn a_scan_follows_a_quiet_period() {
        let mut schedule = started();
        schedule.on_fs_event(ms(1_000));
        schedule.on_fs_event(ms(1_050));
        assert_eq!(schedule.next(), ms(1_150));
        assert_eq!(schedule.due(ms(1_149)), None);
        assert_eq!(schedule.due(ms(1_150)), Some(Due::Scan));
        assert_eq!(schedule.due(ms(1_151)), None);
    }

    #[test]
    fn the_next_pass_is_the_earlier_of_the_interval_and_the_grace() {
        let mut schedule = started();
        assert_eq!(schedule.next_pass(), (ms(300_000), Reason::Interval));
        schedule.files_changed(ms(1_000));
        assert_eq!(schedule.next_pass(), (ms(31_000), Reason::Grace));
        schedule.ended(ms(1_000), false, 1.0);
        assert_eq!(schedule.next_pass(), (ms(2_000), Reason::Retry));
    }

    #[test]
    fn constant_writing_delays_a_scan_by_a_second() {
        let mut schedule = started();
        let mut scans = Vec::new();
        for time in (1_000..4_000).step_by(10) {
            schedule.on_fs_event(ms(time));
            if schedule.due(ms(time)) == Some(Due::Scan) {
                scans.push(time);
            }
        }
        assert_eq!(scans, [2_000, 3_010]);
    }

    #[test]
    fn files_are_scanned_without_an_event() {
        let mut schedule = started();
        assert_eq!(schedule.next(), ms(30_000));
        assert_eq!(schedule.due(ms(30_000)), Some(Due::Scan));
        assert_eq!(schedule.next(), ms(60_000));
    }

    #[test]
    fn drift_is_checked_every_interval_and_up_to_half_later() {
        for (random, expected) in [(0.0, 300_000), (1.0, 450_000)] {
            let mut schedule = started();
            schedule.ended(ms(0), true, random);
            schedule.next_scan = ms(900_000);
            assert_eq!(schedule.next(), ms(expected));
            let due = schedule.due(ms(expected));
            assert_eq!(due, Some(Due::Pass(Reason::Interval)));
        }
    }

    #[test]
    fn failures_are_retried_without_limit_with_growing_pauses() {
        let mut schedule = started();
        let mut now = ms(0);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            schedule.ended(now, false, 1.0);
            pauses.push(schedule.next_pass.0.saturating_sub(now).as_secs());
            now = schedule.next_pass.0;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        schedule.files_changed(now);
        schedule.ended(now, false, 1.0);
        assert_eq!(
            schedule.next_pass.0.saturating_sub(now).as_secs(),
            1,
            "new files start over"
        );
    }

    #[test]
    fn nothing_is_pruned_before_the_files_have_stayed_for_a_while() {
        let mut schedule = started();
        schedule.files_changed(ms(1_000));
        assert!(!schedule.may_prune());
        assert_eq!(schedule.due(ms(30_000)), Some(Due::Scan));
        assert_eq!(schedule.due(ms(31_000)), Some(Due::Pass(Reason::Grace)));
        assert!(schedule.may_prune());
    }

    #[test]
    fn the_grace_period_begins_with_the_first_scan() {
        let mut schedule = Schedule::new(ScheduleSettings {
            grace: ms(10_000),
            ..ScheduleSettings::default()
        });
        assert!(!schedule.may_prune());
        assert_eq!(schedule.due(ms(0)), Some(Due::Pass(Reason::Start)));
        schedule.ended(ms(0), true, 0.0);
        assert_eq!(schedule.next(), ms(10_000));
        assert_eq!(schedule.due(ms(10_000)), Some(Due::Pass(Reason::Grace)));
        assert!(schedule.may_prune());
    }

    #[test]
    fn ten_thousand_passes_leave_no_trace() {
        let mut schedule = started();
        for round in 1..=10_000_u64 {
            let now = ms(round * 400_000);
            schedule.on_fs_event(now);
            while schedule.due(now + ms(100)).is_some() {
                schedule.ended(now + ms(100), round % 3 != 0, 0.5);
            }
        }
        // A schedule holds no collection.
        assert!(size_of::<Schedule>() < 256);
    }
}
