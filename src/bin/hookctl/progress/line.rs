//! What the progress line says. Pure: the time and the width are arguments.

use std::time::{Duration, Instant};

use hookctl::render::{columns, cut};

/// From this time on, a phase without a count shows how long it takes.
const LONG: Duration = Duration::from_secs(2);

/// A rate is shown once it is measured over this time.
const MEASURED: Duration = Duration::from_secs(1);

/// The cells of the bar, which a narrow terminal has no room for.
const BAR: usize = 20;

/// From this width on, the line has a bar.
const WIDE: usize = 70;

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Reads the declarations.
    Files,
    /// Resolves secrets. Programs may use the terminal meanwhile.
    Secrets {
        /// The number of sources.
        sources: usize,
    },
    /// Opens the record.
    Record,
    /// Reads the list of webhooks.
    List,
    /// Reads events.
    Events,
    /// Waits for deliveries.
    Deliveries {
        /// When it ends.
        until: Instant,
        /// The number of webhooks without a verdict.
        open: usize,
    },
    /// Waits for earlier requests.
    Settle {
        /// When none can take effect any more.
        until: Instant,
        /// The keys of the requests.
        keys: String,
    },
    /// Applies a plan.
    Apply {
        /// The number of actions.
        actions: usize,
    },
}

/// Why nothing happens for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A request is sent again.
    Retry {
        /// When.
        until: Instant,
        /// The status, or that there was no response.
        reason: String,
    },
    /// Another run writes the record.
    Run {
        /// Until when this is known.
        until: Instant,
        /// Its process.
        holder: Option<u32>,
    },
}

/// What the line shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) phase: Option<Phase>,
    /// When the phase began.
    since: Option<Instant>,
    /// How many of what the phase counts are done.
    pub(super) done: usize,
    /// The requests that ended in this phase.
    pub(super) requests: usize,
    /// The requests without a response so far.
    pub(super) in_flight: usize,
    pub(super) wait: Option<Wait>,
    pub(super) stopping: bool,
}

impl Shown {
    /// Begins a phase.
    pub(super) fn begin(&mut self, phase: Phase, now: Instant) {
        self.phase = Some(phase);
        self.since = Some(now);
        (self.done, self.requests) = (0, 0);
    }

    /// Returns whether the line is redrawn by itself.
    pub(super) const fn moves(&self) -> bool {
        !matches!(self.phase, None | Some(Phase::Secrets { .. }))
    }

    /// Renders the line in at most `room` columns. Returns `None` between phases.
    pub(super) fn text(&self, now: Instant, room: usize) -> Option<String> {
        let phase = self.phase.as_ref()?;
        let took = self
            .since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let mut parts = self.phase_parts(phase, took, now, room);
        if self.stopping && self.in_flight == 0 {
            parts.push("stopping".to_owned());
        } else if self.stopping {
            parts.push(format!("stopping, {} in flight", self.in_flight));
        } else {
            parts.extend(self.wait.as_ref().and_then(|wait| wait.text(now)));
        }
        // What is waited for matters more than the rate, which is left out first.
        while parts.len() > 2 && columns(&parts.join(" · ")) > room {
            parts.remove(1);
        }
        Some(cut(&parts.join(" · "), room))
    }

    fn phase_parts(&self, phase: &Phase, took: Duration, now: Instant, room: usize) -> Vec<String> {
        let timed = |what: String| {
            let mut parts = vec![what];
            if took >= LONG {
                parts.push(seconds(took));
            }
            parts
        };
        match phase {
            Phase::Files => timed("Reading files".to_owned()),
            Phase::Secrets { sources } => {
                vec![format!("Resolving secrets {}/{sources}", self.done)]
            }
            Phase::Record => timed("Opening the record".to_owned()),
            Phase::List if self.requests > 1 => timed(format!(
                "Reading the list of webhooks, {} pages",
                self.requests
            )),
            Phase::List => timed("Reading the list of webhooks".to_owned()),
            Phase::Events => timed("Reading events".to_owned()),
            Phase::Deliveries { until, open } => vec![format!(
                "Waiting up to {} for deliveries of {open} webhook{}",
                seconds(until.saturating_duration_since(now)),
                if *open == 1 { "" } else { "s" }
            )],
            Phase::Settle { until, keys } => vec![format!(
                "Waiting up to {} for the outcome of {keys}",
                seconds(until.saturating_duration_since(now) + Duration::from_secs(1))
            )],
            Phase::Apply { actions } => {
                let bar = if room >= WIDE {
                    bar(self.done, *actions) + " "
                } else {
                    String::new()
                };
                let mut parts = vec![format!("Applying {bar}{}/{actions}", self.done)];
                if took >= MEASURED && !self.stopping {
                    parts.extend(pace(self.done, *actions, took));
                }
                parts
            }
        }
    }
}

impl Wait {
    /// Renders the wait. Returns `None` after its end.
    fn text(&self, now: Instant) -> Option<String> {
        match self {
            Self::Retry { until, reason } => {
                let left = until.checked_duration_since(now)?;
                Some(format!("retrying in {}: {reason}", seconds(left)))
            }
            Self::Run { until, holder } => {
                until.checked_duration_since(now)?;
                Some(match holder {
                    Some(id) => format!("waiting for another run (process {id})"),
                    None => "waiting for another run".to_owned(),
                })
            }
        }
    }
}

/// Renders the rate so far, and the time that the rest takes at this rate.
fn pace(done: usize, actions: usize, took: Duration) -> Vec<String> {
    let took = took.as_millis();
    let (done, left) = (done as u128, actions.saturating_sub(done) as u128);
    let Some(left) = (took * left).checked_div(done) else {
        return Vec::new();
    };
    let per_second = done * 1_000 / took.max(1);
    let rate = match per_second {
        0 => format!("{}/min", done * 60_000 / took.max(1)),
        rate => format!("{rate}/s"),
    };
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
    vec![rate, format!("{} left", seconds(left))]
}

fn bar(done: usize, actions: usize) -> String {
    let full = (done.min(actions) * BAR).checked_div(actions).unwrap_or(0);
    format!("{}{}", "━".repeat(full), "┄".repeat(BAR - full))
}

/// Renders a time in whole seconds, rounded up, or in minutes.
fn seconds(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1_000);
    if seconds < 100 {
        format!("{seconds} s")
    } else {
        format!("{} min", seconds.div_ceil(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applying(done: usize) -> (Shown, Instant) {
        let now = Instant::now();
        let mut shown = Shown::default();
        shown.begin(Phase::Apply { actions: 500 }, now);
        shown.done = done;
        (shown, now + Duration::from_secs(5))
    }

    #[test]
    fn an_apply_shows_its_count_rate_and_time_left() {
        let (shown, now) = applying(100);
        assert_eq!(
            shown.text(now, 80).unwrap(),
            "Applying ━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ 100/500 · 20/s · 20 s left"
        );
        assert_eq!(
            shown.text(now, 39).unwrap(),
            "Applying 100/500 · 20/s · 20 s left"
        );
        assert_eq!(applying(0).0.text(now, 39).unwrap(), "Applying 0/500");
    }

    #[test]
    fn the_reason_of_a_wait_stays_where_there_is_little_room_and_ends_with_it() {
        let (mut shown, now) = applying(100);
        shown.wait = Some(Wait::Retry {
            until: now + Duration::from_millis(1_900),
            reason: "503".to_owned(),
        });
        let narrow = shown.text(now, 39).unwrap();
        assert_eq!(narrow, "Applying 100/500 · retrying in 2 s: 503");
        let later = now + Duration::from_secs(2);
        assert!(!shown.text(later, 80).unwrap().contains("503"));
    }

    #[test]
    fn a_run_that_stops_says_what_it_waits_for() {
        let (mut shown, now) = applying(114);
        (shown.stopping, shown.in_flight) = (true, 16);
        assert_eq!(
            shown.text(now, 39).unwrap(),
            "Applying 114/500 · stopping, 16 in fli…"
        );
    }

    #[test]
    fn other_phases_show_their_time_once_they_are_long() {
        let now = Instant::now();
        let mut shown = Shown::default();
        assert_eq!(shown.text(now, 80), None);
        shown.begin(Phase::List, now);
        assert_eq!(shown.text(now, 80).unwrap(), "Reading the list of webhooks");
        let later = now + Duration::from_secs(3);
        assert_eq!(
            shown.text(later, 80).unwrap(),
            "Reading the list of webhooks · 3 s"
        );
        shown.begin(Phase::Secrets { sources: 7 }, now);
        shown.done = 2;
        assert_eq!(shown.text(later, 80).unwrap(), "Resolving secrets 2/7");
        assert!(!shown.moves(), "a program may ask at the terminal");
    }
}
