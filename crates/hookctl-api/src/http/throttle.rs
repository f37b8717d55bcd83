//! The throttle: limits concurrent requests and their rate, and pauses all of them.
//!
//! The concurrency starts small and grows by one with each success, which doubles it with each round. A success while few
//! requests wait, usually that of the list, opens it to 16, so that a small plan is one round. When the API throttles, it halves, and from
//! then on grows by one with each round, like TCP. Once a rate is learned, a 429 changes only the rate.
//!
//! A `Retry-After` pauses all requests. Between two of them, a limiter's bucket goes from empty to empty, so the requests
//! accepted in between show the allowed rate. The throttle learns this rate, lowers it slightly, and raises it slowly
//! until the API throttles again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The initial concurrency, which comparable APIs accept without throttling.
const FIRST_WIDTH: usize = 4;

/// The concurrency after a success while no more requests than this wait. A small plan is then one round, and a large one
/// begins with this many. A limiter counts requests in a time, so it accepts as many of so few in one round as in two.
const OPEN_WIDTH: usize = 16;

/// The maximum time between two throttled responses from which a rate is learned.
const MEMORY: Duration = Duration::from_mins(2);

/// The factor that lowers a learned rate, so that a limiter's bucket does not empty at once.
const CAUTION: f64 = 0.97;

/// The increase of a learned rate with each success, in requests per second: about 1 % each second.
const RAISE: f64 = 0.01;

/// The time without throttling after which the rate rises twice as fast, in seconds. After twice the time, it rises three
/// times as fast, and so on.
const RAISE_FASTER_AFTER: f64 = 10.0;

/// The minimum of a learned rate, in requests per second.
const SLOWEST: f64 = 0.05;

/// The first pause after a 429 without `Retry-After`. It doubles with each consecutive one.
const UNNAMED_PAUSE: Duration = Duration::from_millis(500);

/// The maximum pause after a 429 without `Retry-After`.
const LONGEST_UNNAMED_PAUSE: Duration = Duration::from_secs(30);

/// Limits all requests of a client.
#[derive(Debug)]
pub(super) struct Throttle {
    state: Mutex<State>,
    freed: Notify,
    ceiling: usize,
    limit: Option<f64>,
}

#[derive(Debug)]
struct State {
    width: usize,
    in_flight: usize,
    /// How many requests wait for a permit.
    waiting: usize,
    /// Whether the API has not throttled yet.
    unchecked: bool,
    good_in_a_row: usize,
    next_slot: Option<Instant>,
    /// When the current pause ends.
    opens_at: Option<Instant>,
    /// The number of pauses. A throttled request that was sent before the last pause adds no information.
    closings: u64,
    /// The learned rate, in requests per second.
    learned: Option<f64>,
    /// When the API last throttled, and the number of successes since.
    last_throttled: Option<(Instant, u64)>,
    /// Since when the API throttles without a success, and how often.
    blocked: Option<(Instant, u32)>,
}

/// A permit to send one request, released on drop.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    throttle: &'a Throttle,
    closings: u64,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.throttle.lock().in_flight -= 1;
        self.throttle.freed.notify_one();
    }
}

/// A request that waits for a permit.
struct Waiting<'a>(&'a Throttle);

impl<'a> Waiting<'a> {
    fn begin(throttle: &'a Throttle) -> Self {
        throttle.lock().waiting += 1;
        Self(throttle)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

impl Throttle {
    /// Creates a throttle of at most `ceiling` concurrent requests and `per_second` requests per second.
    pub(super) fn new(ceiling: usize, per_second: Option<f64>) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            state: Mutex::new(State {
                width: FIRST_WIDTH.min(ceiling),
                in_flight: 0,
                waiting: 0,
                unchecked: true,
                good_in_a_row: 0,
                next_slot: None,
                opens_at: None,
                closings: 0,
                learned: None,
                last_throttled: None,
                blocked: None,
            }),
            freed: Notify::new(),
            ceiling,
            limit: per_second.filter(|rate| *rate > 0.0),
        }
    }

    /// Waits for a permit, then for a slot of the rate, then for the end of a pause.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        let waiting = Waiting::begin(self);
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
        drop(waiting);
        let mut permit = Permit {
            throttle: self,
            closings: 0,
        };
        while let Some(slot) = self.slot() {
            tokio::time::sleep_until(slot).await;
            let is_open = |state: &State| state.opens_at.is_none_or(|at| at <= Instant::now());
            if is_open(&self.lock()) {
                break;
            }
        }
        permit.closings = self.lock().closings;
        permit
    }

    /// Returns for how long the current pause still lasts.
    pub(super) fn closed_for(&self) -> Duration {
        let opens_at = self.lock().opens_at;
        opens_at.map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// Records a success.
    pub(super) fn on_success(&self) {
        let mut state = self.lock();
        state.blocked = None;
        if let Some((since, accepted)) = &mut state.last_throttled {
            *accepted += 1;
            let quiet = since.elapsed().as_secs_f64();
            if let Some(rate) = &mut state.learned {
                *rate += RAISE * (1.0 + quiet / RAISE_FASTER_AFTER);
            }
        }
        state.good_in_a_row += 1;
        let is_round = state.good_in_a_row >= state.width;
        if (state.unchecked || is_round) && state.width < self.ceiling {
            let before = state.width;
            state.width += 1;
            if state.unchecked && state.waiting <= OPEN_WIDTH {
                state.width = state.width.max(OPEN_WIDTH.min(self.ceiling));
            }
            state.good_in_a_row = 0;
            (before..state.width).for_each(|_| self.freed.notify_one());
        }
    }

    /// Records that the API is overloaded, without a `Retry-After`.
    pub(super) fn on_overload(&self, permit: &Permit<'_>) {
        let mut state = self.lock();
        if permit.closings == state.closings {
            state.narrow();
        }
    }

    /// Records that the API throttles, and pauses all requests: for the named pause, or for an increasing one with jitter
    /// by `random` (0..=1). Returns the time since the last success.
    pub(super) fn on_throttled(
        &self,
        permit: &Permit<'_>,
        named: Option<Duration>,
        random: f64,
    ) -> Duration {
        // A shorter pause would be a busy loop.
        let named = named.filter(|named| *named >= UNNAMED_PAUSE);
        let now = Instant::now();
        let mut state = self.lock();
        let (since, times) = state.blocked.unwrap_or((now, 0));
        let is_news = permit.closings == state.closings;
        if is_news {
            state.blocked = Some((since, times.saturating_add(1)));
            state.closings += 1;
            if state.learned.is_none() {
                state.narrow();
            }
            state.learn(now);
        }
        let pause = named.unwrap_or_else(|| {
            let doubled = UNNAMED_PAUSE.saturating_mul(2_u32.saturating_pow(times));
            let longest = doubled.min(LONGEST_UNNAMED_PAUSE);
            longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
        });
        let opens_at = now + pause;
        if (is_news || named.is_some()) && state.opens_at.is_none_or(|at| at < opens_at) {
            state.opens_at = Some(opens_at);
            state.next_slot = None;
        }
        now.duration_since(since)
    }

    /// Returns when the next request may be sent. Returns `None` if it may be sent at once.
    fn slot(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        let opens_at = state.opens_at.filter(|at| *at > now);
        let rate = match (self.limit, state.learned) {
            (Some(limit), Some(learned)) => Some(limit.min(learned)),
            (limit, learned) => limit.or(learned),
        };
        let Some(rate) = rate else { return opens_at };
        let earliest = opens_at.unwrap_or(now);
        let slot = state.next_slot.map_or(earliest, |next| next.max(earliest));
        state.next_slot = Some(slot + Duration::from_secs_f64(1.0 / rate.max(SLOWEST)));
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

impl State {
    fn narrow(&mut self) {
        self.width = (self.width / 2).max(1);
        self.unchecked = false;
        self.good_in_a_row = 0;
    }

    /// Learns the rate from the requests accepted since the API last throttled.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of requests of one run is far below 2^52"
    )]
    fn learn(&mut self, now: Instant) {
        if let Some((since, accepted)) = self.last_throttled
            && accepted > 0
        {
            let elapsed = now.duration_since(since);
            if elapsed < MEMORY && !elapsed.is_zero() {
                let rate = accepted as f64 / elapsed.as_secs_f64();
                self.learned = Some((rate * CAUTION).max(SLOWEST));
            }
        }
        self.last_throttled = Some((now, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A limiter with a burst and a rate per second.
    struct Bucket {
        tokens: f64,
        burst: f64,
        rate: f64,
        filled: Instant,
        rejected: u32,
    }

    impl Bucket {
        fn new(burst: f64, rate: f64) -> Self {
            Self {
                tokens: burst,
                burst,
                rate,
                filled: Instant::now(),
                rejected: 0,
            }
        }

        fn take(&mut self) -> bool {
            let gained = self.filled.elapsed().as_secs_f64() * self.rate;
            self.tokens = (self.tokens + gained).min(self.burst);
            self.filled = Instant::now();
            let accepted = self.tokens >= 1.0;
            if accepted {
                self.tokens -= 1.0;
            } else {
                self.rejected += 1;
            }
            accepted
        }
    }

    /// Sends requests through the throttle until `accepted` succeed. Returns the time, and the number of rejections.
    async fn through(bucket: Bucket, count: usize, latency: Duration) -> (Duration, u32) {
        let throttle = Throttle::new(16, None);
        let bucket = Mutex::new(bucket);
        let started = Instant::now();
        let requests = (0..count).map(|_| async {
            loop {
                let permit = throttle.acquire().await;
                tokio::time::sleep(latency).await;
                if bucket.lock().unwrap().take() {
                    throttle.on_success();
                    return;
                }
                throttle.on_throttled(&permit, Some(Duration::from_secs(1)), 1.0);
            }
        });
        futures_util::future::join_all(requests).await;
        (started.elapsed(), bucket.into_inner().unwrap().rejected)
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_learned_and_used_to_the_full() {
        for (latency, least_used) in [(2, 0.95), (20, 0.95), (200, 0.9)] {
            let latency = Duration::from_millis(latency);
            for burst in [10.0, 20.0] {
                let (took, rejected) = through(Bucket::new(burst, 10.0), 500, latency).await;
                let least = (500.0 - burst) / 10.0;
                let used = least / took.as_secs_f64();
                assert!(
                    used > least_used,
                    "{used} of the limit, {latency:?}, burst {burst}"
                );
                assert!(
                    rejected < 25,
                    "{rejected} rejected, {latency:?}, burst {burst}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_objection_is_no_limit() {
        let throttle = Throttle::new(16, None);
        let permit = throttle.acquire().await;
        throttle.on_throttled(&permit, Some(Duration::from_secs(1)), 1.0);
        drop(permit);
        let started = Instant::now();
        for _ in 0..1_000 {
            drop(throttle.acquire().await);
            throttle.on_success();
        }
        assert_eq!(started.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_when_the_gate_closed_counts_once() {
        let throttle = Throttle::new(16, None);
        let permits = [throttle.acquire().await, throttle.acquire().await];
        for permit in &permits {
            throttle.on_throttled(permit, None, 1.0);
        }
        assert_eq!(throttle.width(), 2, "halved once");
        drop(permits);
        let started = Instant::now();
        drop(throttle.acquire().await);
        assert_eq!(started.elapsed(), UNNAMED_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn unnamed_pauses_double_until_something_gets_through() {
        let throttle = Throttle::new(16, None);
        let mut pauses = Vec::new();
        for _ in 0..3 {
            let permit = throttle.acquire().await;
            let blocked = throttle.on_throttled(&permit, None, 1.0);
            pauses.push(blocked.as_millis());
        }
        assert_eq!(pauses, [0, 500, 1_500]);
        let next_to_nothing = Some(Duration::from_millis(1));
        let permit = throttle.acquire().await;
        throttle.on_throttled(&permit, next_to_nothing, 1.0);
        drop(permit);
        let asked = Instant::now();
        drop(throttle.acquire().await);
        assert_eq!(asked.elapsed().as_millis(), 4_000, "as if none were named");
        let _permit = throttle.acquire().await;
        throttle.on_success();
        let permit = throttle.acquire().await;
        assert_eq!(throttle.on_throttled(&permit, None, 1.0), Duration::ZERO);
    }

    #[tokio::test]
    async fn the_width_doubles_until_it_is_halved_and_then_grows_by_rounds() {
        let throttle = Throttle::new(40, None);
        assert_eq!(throttle.width(), 4);
        throttle.on_success();
        assert_eq!(throttle.width(), 16, "a small plan is one round");
        (0..16).for_each(|_| throttle.on_success());
        assert_eq!(throttle.width(), 32);
        (0..50).for_each(|_| throttle.on_success());
        assert_eq!(throttle.width(), 40, "the ceiling");

        let throttle = Throttle::new(14, None);
        (0..50).for_each(|_| throttle.on_success());
        assert_eq!(throttle.width(), 14, "the ceiling");
        let permit = throttle.acquire().await;
        throttle.on_overload(&permit);
        assert_eq!(throttle.width(), 7);
        (0..6).for_each(|_| throttle.on_success());
        assert_eq!(throttle.width(), 7);
        throttle.on_success();
        assert_eq!(throttle.width(), 8);
        (0..8).for_each(|_| throttle.on_success());
        assert_eq!(throttle.width(), 9);
        (0..5).for_each(|_| throttle.on_overload(&permit));
        assert_eq!(throttle.width(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_plan_after_the_list_takes_one_round() {
        const LATENCY: Duration = Duration::from_millis(50);
        for (count, ceiling, rounds) in [
            (1, 16, 2),
            (10, 16, 2),
            (16, 16, 2),
            (17, 16, 3),
            (16, 8, 3),
        ] {
            let throttle = Throttle::new(ceiling, None);
            let request = || async {
                let _permit = throttle.acquire().await;
                tokio::time::sleep(LATENCY).await;
                throttle.on_success();
            };
            let started = Instant::now();
            request().await;
            futures_util::future::join_all((0..count).map(|_| request())).await;
            assert_eq!(started.elapsed(), LATENCY * rounds, "{count} of {ceiling}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_throttled_the_list_is_not_opened_by_its_success() {
        let throttle = Throttle::new(16, None);
        let permit = throttle.acquire().await;
        throttle.on_throttled(&permit, None, 1.0);
        drop(permit);
        assert_eq!(throttle.width(), 2);
        throttle.on_success();
        assert_eq!(throttle.width(), 2);
        throttle.on_success();
        assert_eq!(throttle.width(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_requests_use_the_room_that_the_first_success_makes() {
        let throttle = Throttle::new(16, None);
        let first = throttle.acquire().await;
        let waiting = futures_util::future::join_all((0..15).map(|_| throttle.acquire()));
        let opened = async {
            tokio::task::yield_now().await;
            throttle.on_success();
        };
        let (permits, ()) = tokio::time::timeout(Duration::from_secs(1), async {
            tokio::join!(waiting, opened)
        })
        .await
        .unwrap();
        assert_eq!(permits.len(), 15);
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn many_waiting_requests_are_let_through_by_rounds() {
        let throttle = Throttle::new(64, None);
        let _first = throttle.acquire().await;
        let waiting = futures_util::future::join_all((0..100).map(|_| throttle.acquire()));
        let ended = tokio::time::timeout(Duration::from_secs(1), async {
            let succeeding = async {
                tokio::task::yield_now().await;
                throttle.on_success();
                assert_eq!(throttle.width(), 5);
            };
            tokio::join!(waiting, succeeding)
        });
        assert!(ended.await.is_err());
        assert_eq!(
            throttle.lock().waiting,
            0,
            "those that gave up wait no longer"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_enter_than_there_is_room() {
        let throttle = Throttle::new(2, None);
        let first = throttle.acquire().await;
        let _second = throttle.acquire().await;
        let third = tokio::time::timeout(Duration::from_secs(1), throttle.acquire()).await;
        assert!(third.is_err());
        drop(first);
        let _third = tokio::time::timeout(Duration::from_secs(1), throttle.acquire())
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_spaces_requests() {
        let throttle = Throttle::new(16, Some(10.0));
        let started = Instant::now();
        for _ in 0..11 {
            drop(throttle.acquire().await);
        }
        let waited = started.elapsed();
        assert!(
            (Duration::from_secs(1)..Duration::from_millis(1100)).contains(&waited),
            "{waited:?}"
        );
    }
}
