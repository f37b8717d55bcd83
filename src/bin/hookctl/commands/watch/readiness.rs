//! Readiness of a watch: the answer of `/readyz`.
//!
//! While files are invalid, the last valid state stays applied, so a short mistake is no outage. A longer one is:
//! edits no longer reach the API.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long files may be invalid before the watch is not ready: time to notice and undo a mistake.
const INVALID_GRACE: Duration = Duration::from_mins(1);

/// An input that may be invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Input {
    /// The declarations.
    Declarations,
    /// hookctl.yaml.
    Configuration,
}

impl Input {
    pub(super) const ALL: [Self; 2] = [Self::Declarations, Self::Configuration];

    /// Returns the name of the input, for labels and messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Declarations => "declarations",
            Self::Configuration => "configuration",
        }
    }
}

/// The state that readiness depends on.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    has_passed: bool,
    /// Whether another watch makes the passes.
    stands_by: bool,
    invalid_since: BTreeMap<Input, Instant>,
}

impl Readiness {
    /// Records a successful pass.
    pub(super) fn passed(&self) {
        self.lock().has_passed = true;
    }

    /// Records whether another watch makes the passes. This one is then ready to take over.
    pub(super) fn stands_by(&self, stands_by: bool) {
        self.lock().stands_by = stands_by;
    }

    /// Records whether an input is valid. The first of several failures in a row counts.
    pub(super) fn read(&self, input: Input, is_valid: bool, now: Instant) {
        let mut state = self.lock();
        if is_valid {
            state.invalid_since.remove(&input);
        } else {
            state.invalid_since.entry(input).or_insert(now);
        }
    }

    /// Returns whether an input is valid. One that was not read yet counts as valid.
    pub(super) fn is_valid(&self, input: Input) -> bool {
        !self.lock().invalid_since.contains_key(&input)
    }

    /// Returns why the watch is not ready, or `None` if it is.
    pub(super) fn obstacle(&self, now: Instant) -> Option<String> {
        let state = self.lock();
        if !state.has_passed && !state.stands_by {
            return Some("no pass has succeeded yet".to_owned());
        }
        state.invalid_since.iter().find_map(|(input, since)| {
            let invalid_for = now.saturating_duration_since(*since);
            (invalid_for >= INVALID_GRACE).then(|| {
                let verb = match input {
                    Input::Declarations => "have",
                    Input::Configuration => "has",
                };
                let (input, seconds) = (input.as_str(), invalid_for.as_secs());
                format!("the {input} {verb} been invalid for {seconds} s")
            })
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_files_end_readiness_after_a_while_and_valid_ones_restore_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let readiness = Readiness::default();
        assert_eq!(
            readiness.obstacle(at(0)).as_deref(),
            Some("no pass has succeeded yet")
        );
        readiness.passed();
        assert_eq!(readiness.obstacle(at(0)), None);
        readiness.read(Input::Declarations, false, at(0));
        readiness.read(Input::Declarations, false, at(50));
        assert_eq!(readiness.obstacle(at(59)), None);
        assert_eq!(
            readiness.obstacle(at(61)).as_deref(),
            Some("the declarations have been invalid for 61 s")
        );
        readiness.read(Input::Declarations, true, at(62));
        assert_eq!(readiness.obstacle(at(200)), None);
        readiness.read(Input::Configuration, false, at(200));
        assert_eq!(
            readiness.obstacle(at(300)).as_deref(),
            Some("the configuration has been invalid for 100 s")
        );
    }
}
