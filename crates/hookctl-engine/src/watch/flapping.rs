//! Fields that another writer keeps changing. Their webhooks are held after a few corrections. Pure: times are
//! durations since the start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use hookctl_core::webhook::Key;

/// The number of corrections of a field within [`WINDOW`] after which its webhook is held.
pub const TIMES: usize = 3;
/// The period over which corrections are counted.
pub const WINDOW: Duration = Duration::from_mins(10);
/// The time for which a webhook is held, unless the files change earlier.
pub const HOLD: Duration = Duration::from_hours(1);

/// The recent corrections and the held webhooks.
#[derive(Clone, Debug, Default)]
pub struct Flapping {
    reverts: BTreeMap<(Key, &'static str), VecDeque<Duration>>,
    held: BTreeMap<Key, Duration>,
}

impl Flapping {
    /// Records that a drifted field was corrected. Returns whether its webhook is newly held.
    pub fn reverted(&mut self, key: &Key, field: &'static str, now: Duration) -> bool {
        let times = self.reverts.entry((key.clone(), field)).or_default();
        times.push_back(now);
        while times
            .front()
            .is_some_and(|first| now.saturating_sub(*first) > WINDOW)
        {
            times.pop_front();
        }
        if times.len() < TIMES {
            return false;
        }
        self.reverts.retain(|(of, _), _| of != key);
        self.held.insert(key.clone(), now + HOLD).is_none()
    }

    /// Returns the webhooks that are held now, and drops expired entries.
    pub fn held(&mut self, now: Duration) -> BTreeSet<Key> {
        self.held.retain(|_, until| now < *until);
        self.reverts.retain(|_, times| {
            times
                .back()
                .is_some_and(|last| now.saturating_sub(*last) <= WINDOW)
        });
        self.held.keys().cloned().collect()
    }

    /// Returns the webhooks that are held at a time.
    pub fn held_at(&self, now: Duration) -> BTreeSet<Key> {
        let held = self.held.iter().filter(|(_, until)| now < **until);
        held.map(|(key, _)| key.clone()).collect()
    }

    /// Releases all webhooks after a change of the files, which expresses a new intention.
    pub fn files_changed(&mut self) {
        self.held.clear();
        self.reverts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(number: u64) -> Duration {
        Duration::from_mins(number)
    }

    #[test]
    fn the_third_time_in_ten_minutes_holds_for_an_hour() {
        let key = Key::parse("a").unwrap();
        let mut flapping = Flapping::default();
        assert!(!flapping.reverted(&key, "enabled", minutes(0)));
        assert!(!flapping.reverted(&key, "enabled", minutes(5)));
        assert!(
            !flapping.reverted(&key, "name", minutes(6)),
            "another field"
        );
        assert!(
            !flapping.reverted(&key, "enabled", minutes(11)),
            "the first is outside the window"
        );
        assert!(flapping.held(minutes(11)).is_empty());
        assert!(flapping.reverted(&key, "enabled", minutes(12)));
        assert_eq!(flapping.held(minutes(71)).len(), 1);
        assert!(flapping.held(minutes(72)).is_empty());
    }

    #[test]
    fn a_change_of_the_files_ends_a_hold() {
        let key = Key::parse("a").unwrap();
        let mut flapping = Flapping::default();
        for _ in 0..TIMES {
            flapping.reverted(&key, "enabled", minutes(0));
        }
        assert_eq!(flapping.held(minutes(0)).len(), 1);
        flapping.files_changed();
        assert!(flapping.held(minutes(0)).is_empty());
    }

    #[test]
    fn old_corrections_are_dropped() {
        let mut flapping = Flapping::default();
        for number in 0..10_000_u64 {
            let key = Key::parse(&format!("key-{number}")).unwrap();
            flapping.reverted(&key, "enabled", minutes(number));
            flapping.held(minutes(number));
        }
        assert!(flapping.reverts.len() <= 11, "{}", flapping.reverts.len());
    }
}
