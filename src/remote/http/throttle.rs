//! How many requests at once, and how many per second: one gate for every caller.
//!
//! The width starts small and grows by one with each good answer, which doubles it with each round. When
//! the API asks to slow down it halves, and grows by one with each round from then on, as TCP does.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The width at the start: what comparable APIs were seen to take without complaint.
const FIRST_WIDTH: usize = 4;

/// The gate that every request goes through.
pub(super) struct Throttle {
    state: Mutex<State>,
    freed: Notify,
    ceiling: usize,
    spacing: Option<Duration>,
}

struct State {
    width: usize,
    in_flight: usize,
    /// Whether the API never asked to slow down.
    unchecked: bool,
    good_in_a_row: usize,
    next_slot: Option<Instant>,
}

/// A place in the gate; dropping it frees the place.
pub(super) struct Place<'a>(&'a Throttle);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
        self.0.freed.notify_one();
    }
}

impl Throttle {
    /// A gate of at most `ceiling` requests at once and `per_second` requests per second.
    pub(super) fn new(ceiling: usize, per_second: Option<f64>) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            state: Mutex::new(State {
                width: FIRST_WIDTH.min(ceiling),
                in_flight: 0,
                unchecked: true,
                good_in_a_row: 0,
                next_slot: None,
            }),
            freed: Notify::new(),
            ceiling,
            spacing: per_second
                .filter(|rate| rate.is_finite() && *rate > 0.0)
                .map(|rate| Duration::from_secs_f64((1.0 / rate).min(3600.0))),
        }
    }

    /// Waits for a place, then for a slot of the rate.
    pub(super) async fn enter(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.lock();
                if state.in_flight < state.width {
                    state.in_flight += 1;
                    break;
                }
            }
            freed.await;
        }
        let place = Place(self);
        if let Some(slot) = self.slot() {
            tokio::time::sleep_until(slot).await;
        }
        place
    }

    /// Takes note of a good answer.
    pub(super) fn went_well(&self) {
        let mut state = self.lock();
        state.good_in_a_row += 1;
        let is_round = state.good_in_a_row >= state.width;
        if (state.unchecked || is_round) && state.width < self.ceiling {
            state.width += 1;
            state.good_in_a_row = 0;
            self.freed.notify_one();
        }
    }

    /// Takes note that the API asks to slow down.
    pub(super) fn slow_down(&self) {
        let mut state = self.lock();
        state.width = (state.width / 2).max(1);
        state.unchecked = false;
        state.good_in_a_row = 0;
    }

    /// When the next request may go, if there is a rate.
    fn slot(&self) -> Option<Instant> {
        let spacing = self.spacing?;
        let mut state = self.lock();
        let now = Instant::now();
        let slot = state.next_slot.map_or(now, |next| next.max(now));
        state.next_slot = Some(slot + spacing);
        Some(slot)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn width(&self) -> usize {
        self.lock().width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_width_doubles_until_it_is_halved_and_then_grows_by_rounds() {
        let throttle = Throttle::new(14, None);
        assert_eq!(throttle.width(), 4);
        (0..4).for_each(|_| throttle.went_well());
        assert_eq!(throttle.width(), 8);
        (0..50).for_each(|_| throttle.went_well());
        assert_eq!(throttle.width(), 14, "the ceiling");
        throttle.slow_down();
        assert_eq!(throttle.width(), 7);
        (0..6).for_each(|_| throttle.went_well());
        assert_eq!(throttle.width(), 7);
        throttle.went_well();
        assert_eq!(throttle.width(), 8);
        (0..8).for_each(|_| throttle.went_well());
        assert_eq!(throttle.width(), 9);
        (0..5).for_each(|_| throttle.slow_down());
        assert_eq!(throttle.width(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_enter_than_there_is_room() {
        let throttle = Throttle::new(2, None);
        let first = throttle.enter().await;
        let _second = throttle.enter().await;
        let third = tokio::time::timeout(Duration::from_secs(1), throttle.enter()).await;
        assert!(third.is_err());
        drop(first);
        let _third = tokio::time::timeout(Duration::from_secs(1), throttle.enter())
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_spaces_requests() {
        let throttle = Throttle::new(16, Some(10.0));
        let started = Instant::now();
        for _ in 0..11 {
            drop(throttle.enter().await);
        }
        let waited = started.elapsed();
        assert!(
            (Duration::from_secs(1)..Duration::from_millis(1100)).contains(&waited),
            "{waited:?}"
        );
    }
}
