//! The deliveries of the last 24 hours on the page of a watch. They are read only when the page is asked for.
//!
//! No pass ever waits for a reading. It has a client of its own, so that what the API says to it pauses no other request. It
//! begins only between two passes, and while one runs, it requests nothing further.
//!
//! Between two passes, a watch knows no token that it would have to mask. No text of an event is therefore kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookctl::remote::http::HttpApi;
use hookctl::remote::{ApiError, Attempt, DeliveryApi, Event, EventQuery, Rows};
use hookctl::render::DeliveryCounts;
use hookctl::webhook::RemoteId;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::recent::recent_deliveries;

/// The shortest time between two readings.
const PAUSE: Duration = Duration::from_mins(5);

/// The longest time between two readings, whatever the API asks for.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// How long a reading may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The most events that are counted: ten pages of the API.
const MOST_EVENTS: usize = 3_000;

/// Why the deliveries are unknown before the first reading.
const NOT_YET: &str = "not read yet";

/// What is known about the deliveries.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Nothing, and nothing is read: another watch makes the passes.
    Nothing,
    /// The counts of the last reading.
    Counted(Arc<DeliveryCounts>),
    /// Why there are none.
    Unknown(String),
}

/// The deliveries of the account of a watch.
pub(super) struct Traffic {
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Whether a pass runs.
    passing: watch::Sender<bool>,
    /// Counts the changes of the page.
    version: watch::Sender<u64>,
}

struct State {
    target: String,
    api: Arc<HttpApi>,
    /// Whether this watch makes the passes.
    leads: bool,
    known: Known,
    /// Before this, no reading begins.
    next: Option<Instant>,
    /// The reading that runs. Cancelled at its end, or to end it.
    reading: Option<CancellationToken>,
    /// Whether a page did not wait for the reading.
    is_awaited: bool,
}

impl Traffic {
    /// Reads nothing until this watch leads. A change is counted as a version of the page.
    pub(super) fn new(
        target: &str,
        api: Arc<HttpApi>,
        metrics: Arc<Metrics>,
        version: watch::Sender<u64>,
    ) -> Self {
        Self {
            metrics,
            state: Mutex::new(State {
                target: target.to_owned(),
                api,
                leads: false,
                known: Known::Nothing,
                next: None,
                reading: None,
                is_awaited: false,
            }),
            passing: watch::Sender::new(false),
            version,
        }
    }

    /// Records whether a pass runs.
    pub(super) fn passing(&self, passing: bool) {
        self.passing.send_replace(passing);
    }

    /// Records whether this watch makes the passes. Only then does it read, so that a watch that stands by requests nothing.
    pub(super) fn leads(&self, leads: bool) {
        let mut state = self.state();
        if state.leads != leads {
            state.leads = leads;
            state.forget();
        }
    }

    /// Takes the client of a configuration that was read again. Another account has other deliveries.
    pub(super) fn client_replaced(&self, target: &str, api: Arc<HttpApi>, is_same_account: bool) {
        let mut state = self.state();
        target.clone_into(&mut state.target);
        state.api = api;
        if !is_same_account {
            state.forget();
            state.next = None;
        }
    }

    /// Returns what is known.
    pub(super) fn known(&self) -> Known {
        self.state().known.clone()
    }

    /// Reads the deliveries, unless the last reading was a short time ago. Waits for the end of a reading, for this long at
    /// most. It goes on if this is dropped.
    pub(super) async fn refresh(self: &Arc<Self>, patience: Duration) {
        let Some(reading) = self.reading() else {
            return;
        };
        if tokio::time::timeout(patience, reading.cancelled())
            .await
            .is_err()
        {
            let mut state = self.state();
            // It may have ended just now.
            state.is_awaited = state.reading.is_some();
        }
    }

    /// Returns the reading that runs, or begins one. Returns `None` if none is due, and during a pass.
    fn reading(self: &Arc<Self>) -> Option<CancellationToken> {
        let mut state = self.state();
        if !state.leads || *self.passing.borrow() {
            return None;
        }
        if let Some(reading) = &state.reading {
            return Some(reading.clone());
        }
        let now = Instant::now();
        if state.next.is_some_and(|next| now < next) {
            return None;
        }
        state.next = Some(now + PAUSE);
        let reading = CancellationToken::new();
        state.reading = Some(reading.clone());
        let api = Arc::clone(&state.api);
        tokio::spawn(Arc::clone(self).read(api, reading.clone()));
        Some(reading)
    }

    async fn read(self: Arc<Self>, api: Arc<HttpApi>, reading: CancellationToken) {
        let begun = Instant::now();
        let (known, pause) = match api.apart() {
            Err(_) => (
                Known::Unknown("no connection can be set up".to_owned()),
                None,
            ),
            Ok(api) => {
                let between = BetweenPasses {
                    api: &api,
                    passing: self.passing.subscribe(),
                };
                let counting = recent_deliveries(&between, MOST_EVENTS);
                let counted =
                    reading.run_until_cancelled(tokio::time::timeout(TIME_LIMIT, counting));
                let counted = counted.await;
                self.metrics.requests_beside(&api.outcomes());
                match counted {
                    // Another watch leads, or the account is another one.
                    None => return,
                    Some(Err(_)) => (Known::Unknown(too_slow()), None),
                    Some(Ok(Ok(counts))) => (Known::Counted(Arc::new(counts)), None),
                    Some(Ok(Err(error))) => (Known::Unknown(why(&error)), asked(&error)),
                }
            }
        };
        let mut state = self.state();
        if reading.is_cancelled() {
            return;
        }
        if let Known::Unknown(why) = &known {
            tracing::warn!(
                target = state.target,
                why,
                "could not read the deliveries for the page"
            );
        }
        state.known = known;
        state.reading = None;
        if let Some(pause) = pause {
            state.next = Some(begun + pause);
        }
        let is_awaited = std::mem::take(&mut state.is_awaited);
        drop(state);
        reading.cancel();
        if is_awaited {
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// No code that holds this lock can panic half-way through a change.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the reading, and forgets what is known.
    fn forget(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.cancel();
        }
        self.known = if self.leads {
            Known::Unknown(NOT_YET.to_owned())
        } else {
            Known::Nothing
        };
        self.is_awaited = false;
    }
}

fn too_slow() -> String {
    format!("the API takes longer than {} s", TIME_LIMIT.as_secs())
}

/// Returns why the deliveries could not be read, without a text of the API.
fn why(error: &ApiError) -> String {
    match error {
        ApiError::Unauthorized { status, .. }
        | ApiError::NotServed { status, .. }
        | ApiError::Rejected { status, .. }
        | ApiError::Throttled { status, .. } => format!("the API answers with status {status}"),
        ApiError::Unexpected { status, .. } => {
            format!("the API answers unexpectedly, with status {status}")
        }
        _ => "the API cannot be reached".to_owned(),
    }
}

/// Returns the pause that the API asks for, within the bounds of a pause.
fn asked(error: &ApiError) -> Option<Duration> {
    match error {
        ApiError::Throttled { retry_after, .. } => {
            retry_after.map(|pause| pause.clamp(PAUSE, LONGEST_PAUSE))
        }
        _ => None,
    }
}

/// An API whose events are requested between passes only, and lose what is not counted.
struct BetweenPasses<'a, A> {
    api: &'a A,
    passing: watch::Receiver<bool>,
}

impl<A: DeliveryApi> DeliveryApi for BetweenPasses<'_, A> {
    async fn events(
        &self,
        query: &EventQuery,
        page: u32,
        size: u32,
    ) -> Result<Rows<Event>, ApiError> {
        // It fails if the watch has ended.
        let _ = self.passing.clone().wait_for(|passing| !passing).await;
        let read = self.api.events(query, page, size).await?;
        let listed = read.rows.len();
        let rows: Vec<Event> = read.rows.into_iter().filter_map(counted).collect();
        Ok(Rows {
            unreadable: read.unreadable + (listed - rows.len()),
            rows,
            total: read.total,
        })
    }

    async fn attempts(
        &self,
        event_id: &str,
        page: u32,
        size: u32,
    ) -> Result<Rows<Attempt>, ApiError> {
        self.api.attempts(event_id, page, size).await
    }

    async fn retry(&self, document_id: &str) -> Result<(), ApiError> {
        self.api.retry(document_id).await
    }
}

/// Returns what is counted of an event: no text, and nothing long. Returns `None` if its webhook has no possible id.
fn counted(event: Event) -> Option<Event> {
    let time = |text: Option<String>| {
        let at: Timestamp = text?.parse().ok()?;
        Some(at.to_string())
    };
    let status = match event.status.as_str() {
        known @ ("delivered" | "failed" | "retrying") => known,
        _ => "pending",
    };
    Some(Event {
        webhook: RemoteId::parse(&event.webhook).ok()?.to_string(),
        status: status.to_owned(),
        created_at: time(event.created_at),
        delivered_at: time(event.delivered_at),
        last_status_code: event.last_status_code,
        ..Event::default()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ID: &str = "5eb7cf5a86d9755df3a6c593";

    /// An API with one page of events, which counts its requests.
    #[derive(Default)]
    struct OnePage {
        rows: Vec<Event>,
        requests: AtomicUsize,
    }

    impl DeliveryApi for OnePage {
        async fn events(&self, _: &EventQuery, _: u32, _: u32) -> Result<Rows<Event>, ApiError> {
            self.requests.fetch_add(1, Ordering::Relaxed);
            Ok(Rows {
                rows: self.rows.clone(),
                total: None,
                unreadable: 0,
            })
        }

        async fn attempts(&self, _: &str, _: u32, _: u32) -> Result<Rows<Attempt>, ApiError> {
            Err(ApiError::Withheld)
        }

        async fn retry(&self, _: &str) -> Result<(), ApiError> {
            Err(ApiError::Withheld)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_requested_while_a_pass_runs() {
        let passing = watch::Sender::new(true);
        let api = OnePage::default();
        let between = BetweenPasses {
            api: &api,
            passing: passing.subscribe(),
        };
        let query = EventQuery::default();
        let mut asked = std::pin::pin!(between.events(&query, 1, 300));
        let waited = tokio::time::timeout(Duration::from_hours(1), &mut asked).await;
        assert!(waited.is_err(), "the pass still runs");
        assert_eq!(api.requests.load(Ordering::Relaxed), 0);
        passing.send_replace(false);
        assert!(asked.await.is_ok());
        assert_eq!(api.requests.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn no_text_of_an_event_is_kept() {
        let text = || "s3cr3t".to_owned();
        let event = Event {
            event_id: text(),
            document_id: Some(text()),
            webhook: ID.to_owned(),
            action: text(),
            status: text(),
            attempts: Some(1),
            created_at: Some("2026-01-01T11:00:00+01:00".to_owned()),
            last_attempt_at: Some(text()),
            delivered_at: Some(text()),
            next_retry_at: Some(text()),
            last_status_code: Some(503),
            last_error: Some(text()),
            workflow_name: Some(text()),
        };
        let of_no_webhook = Event {
            webhook: "no id".to_owned(),
            ..event.clone()
        };
        let api = OnePage {
            rows: vec![event, of_no_webhook],
            ..OnePage::default()
        };
        let between = BetweenPasses {
            api: &api,
            passing: watch::Sender::new(false).subscribe(),
        };
        let query = EventQuery::default();
        let read = between.events(&query, 1, 300).await.unwrap();
        let kept = Event {
            webhook: ID.to_owned(),
            status: "pending".to_owned(),
            created_at: Some("2026-01-01T10:00:00Z".to_owned()),
            last_status_code: Some(503),
            ..Event::default()
        };
        assert_eq!((read.rows, read.unreadable), (vec![kept], 1));
    }

    #[test]
    fn a_failure_is_named_without_a_text_of_the_api() {
        let error = ApiError::Unexpected {
            status: 500,
            content_type: "s3cr3t".to_owned(),
            excerpt: "s3cr3t".to_owned(),
        };
        assert_eq!(why(&error), "the API answers unexpectedly, with status 500");
        let throttled = |seconds| ApiError::Throttled {
            status: 429,
            blocked: Duration::ZERO,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(why(&throttled(1)), "the API answers with status 429");
        assert_eq!(asked(&throttled(1)), Some(PAUSE));
        assert_eq!(asked(&throttled(900)), Some(Duration::from_mins(15)));
        assert_eq!(asked(&throttled(u64::MAX)), Some(LONGEST_PAUSE));
        assert_eq!(asked(&error), None);
    }
}
