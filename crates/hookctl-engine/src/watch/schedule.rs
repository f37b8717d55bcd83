//! When to look at the files, and when to run a pass. Pure: times are durations since the start.

use std::time::Duration;

/// How long nothing must happen before the files are read: an editor writes several times, a checkout
/// thousands.
const QUIET: Duration = Duration::from_millis(100);
/// How long a look is put off while something keeps happening.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The pause after a first failed pass; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failed pass.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How a watch is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// How often drift is looked for; each time up to half longer.
    pub interval: Duration,
    /// How often the files are looked at without a hint.
    pub rescan: Duration,
    /// How long the files must stay as they are before something is pruned.
    pub grace: Duration,
}

impl Default for ScheduleSettings {
    /// Five minutes, half a minute, half a minute.
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
    /// It is time to look for drift.
    Interval,
    /// The last one failed.
    Retry,
    /// The files have stayed as they are for long enough to prune.
    Grace,
    /// Somebody asked for it.
    Request,
}

impl Reason {
    /// In a word, for logs and metrics.
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

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The files may have changed: look, and run a pass if they did.
    Look,
    /// Run a pass.
    Pass(Reason),
}

/// What is due when.
#[derive(Clone, Debug)]
pub struct Schedule {
    settings: ScheduleSettings,
    /// The first and the last hint that no look has followed.
    hints: Option<(Duration, Duration)>,
    next_look: Duration,
    next_pass: (Duration, Reason),
    /// When the files will have been as they are for long enough.
    stable_at: Option<Duration>,
    failures: u32,
}

impl Schedule {
    /// A schedule whose first pass is due at once.
    pub const fn new(settings: ScheduleSettings) -> Self {
        Self {
            next_look: settings.rescan,
            settings,
            hints: None,
            next_pass: (Duration::ZERO, Reason::Start),
            // A watch may have been started in the middle of a checkout.
            stable_at: Some(settings.grace),
            failures: 0,
        }
    }

    /// Times things otherwise from now on.
    pub fn retime(&mut self, settings: ScheduleSettings, now: Duration) {
        self.settings = settings;
        self.next_look = self.next_look.min(now + settings.rescan);
    }

    /// Takes note that the files may have changed.
    pub fn hint(&mut self, now: Duration) {
        let first = self.hints.map_or(now, |(first, _)| first);
        self.hints = Some((first, now));
    }

    /// Takes note that a pass is wanted at once.
    pub const fn request(&mut self, now: Duration) {
        self.next_pass = (now, Reason::Request);
    }

    /// When something will be due.
    pub fn next(&self) -> Duration {
        let settled = self
            .hints
            .map(|(first, last)| (last + QUIET).min(first + LONGEST_WAIT));
        [
            Some(self.next_pass.0),
            Some(self.next_look),
            settled,
            self.stable_at,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(self.next_look)
    }

    /// What is due now, if anything. A look is due before a pass, since it may change what the pass does.
    pub fn due(&mut self, now: Duration) -> Option<Due> {
        let settled = self
            .hints
            .is_some_and(|(first, last)| now >= (last + QUIET).min(first + LONGEST_WAIT));
        if settled || now >= self.next_look {
            self.hints = None;
            self.next_look = now + self.settings.rescan;
            return Some(Due::Look);
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

    /// Takes note that the files are not what they were.
    pub fn files_changed(&mut self, now: Duration) {
        self.stable_at = Some(now + self.settings.grace);
        self.failures = 0;
    }

    /// Whether the files have been as they are for long enough to prune.
    pub fn may_prune(&self) -> bool {
        self.stable_at.is_none()
    }

    /// Takes note that a pass ended. `random` is in 0..=1.
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
            // At least half of it, so that many who failed at once do not come back at once.
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
        // The grace of the start is over.
        schedule.stable_at = None;
        schedule
    }

    #[test]
    fn a_look_follows_a_quiet_moment() {
        let mut schedule = started();
        schedule.hint(ms(1_000));
        schedule.hint(ms(1_050));
        assert_eq!(schedule.next(), ms(1_150));
        assert_eq!(schedule.due(ms(1_149)), None);
        assert_eq!(schedule.due(ms(1_150)), Some(Due::Look));
        assert_eq!(schedule.due(ms(1_151)), None);
    }

    #[test]
    fn constant_writing_puts_a_look_off_by_a_second() {
        let mut schedule = started();
        let mut looks = Vec::new();
        for time in (1_000..4_000).step_by(10) {
            schedule.hint(ms(time));
            if schedule.due(ms(time)) == Some(Due::Look) {
                looks.push(time);
            }
        }
        assert_eq!(looks, [2_000, 3_010]);
    }

    #[test]
    fn files_are_looked_at_without_a_hint() {
        let mut schedule = started();
        assert_eq!(schedule.next(), ms(30_000));
        assert_eq!(schedule.due(ms(30_000)), Some(Due::Look));
        assert_eq!(schedule.next(), ms(60_000));
    }

    #[test]
    fn drift_is_looked_for_every_interval_and_up_to_half_later() {
        for (random, expected) in [(0.0, 300_000), (1.0, 450_000)] {
            let mut schedule = started();
            schedule.ended(ms(0), true, random);
            schedule.next_look = ms(900_000);
            assert_eq!(schedule.next(), ms(expected));
            let due = schedule.due(ms(expected));
            assert_eq!(due, Some(Due::Pass(Reason::Interval)));
        }
    }

    #[test]
    fn failures_are_retried_for_ever_with_growing_pauses() {
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
            "new files, new luck"
        );
    }

    #[test]
    fn nothing_is_pruned_before_the_files_have_stayed_for_a_while() {
        let mut schedule = started();
        schedule.files_changed(ms(1_000));
        assert!(!schedule.may_prune());
        assert_eq!(schedule.due(ms(30_000)), Some(Due::Look));
        assert_eq!(schedule.due(ms(31_000)), Some(Due::Pass(Reason::Grace)));
        assert!(schedule.may_prune());
    }

    #[test]
    fn the_grace_begins_at_the_first_look_also_at_a_start() {
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
            schedule.hint(now);
            while schedule.due(now + ms(100)).is_some() {
                schedule.ended(now + ms(100), round % 3 != 0, 0.5);
            }
        }
        // A schedule holds no list of anything.
        assert!(size_of::<Schedule>() < 256);
    }
}
