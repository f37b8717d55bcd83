//! The deliveries of the last 24 hours on the page of a watch. They are read only when the page is asked for.
//!
//! No pass ever waits for a reading. It has a client of its own, so that what the API says to it pauses no other request. It
//! begins only between two passes, and while one runs, it requests nothing further.
//!
//! Between two passes, a watch knows no token that it would have to mask. No text of an event is therefore kept.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookctl::remote::http::HttpApi;
use hookctl::remote::{ApiError, Attempt, DeliveryApi, Event, EventQuery, Rows};
use hookctl::render::DeliveryCounts;
use hookctl::webhook::RemoteId;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::recent::recent_deliveries;

/// The shortest time between two readings.
const PAUSE: Duration = Duration::from_mins(5);

/// The longest time between two readings, whatever the API asks for.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// How long a reading may take, without the passes that it waits for.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The most events that are counted: ten pages of the API.
const MOST_EVENTS: usize = 3_000;

/// Why the deliveries are unknown before the first reading.
const NOT_YET: &str = "not read yet";

/// Why the deliveries are unknown after a reading that panicked.
const BROKEN_OFF: &str = "the reading ended early";

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
        if state.next.is_some_and(|next| Instant::now() < next) {
            return None;
        }
        let reading = Reading::begin(self, &mut state);
        let ended = reading.ended.clone();
        let api = Arc::clone(&state.api);
        // The runtime may end and drop the reading, which takes the lock.
        drop(state);
        tokio::spawn(reading.run(api));
        Some(ended)
    }

    /// No code that holds this lock can panic half-way through a change.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading that runs. It ends when dropped, also by a panic, so that the next one can begin.
struct Reading {
    traffic: Arc<Traffic>,
    begun: Instant,
    /// Cancelled at its end, or to end it.
    ended: CancellationToken,
}

impl Reading {
    fn begin(traffic: &Arc<Traffic>, state: &mut State) -> Self {
        let begun = Instant::now();
        let ended = CancellationToken::new();
        state.next = Some(begun + PAUSE);
        state.reading = Some(ended.clone());
        Self {
            traffic: Arc::clone(traffic),
            begun,
            ended,
        }
    }

    async fn run(self, api: Arc<HttpApi>) {
        let Ok(api) = api.apart() else {
            let why = "no connection can be set up".to_owned();
            return self.end(Known::Unknown(why), None);
        };
        let counted = self.count(&api).await;
        self.traffic.metrics.requests_beside(&api.outcomes());
        // Otherwise another watch leads, or the account is another one.
        if let Some((known, pause)) = counted {
            self.end(known, pause);
        }
    }

    /// Reads and counts the deliveries, and returns the pause that the API asks for. Returns `None` if the reading was ended.
    async fn count(&self, api: &impl DeliveryApi) -> Option<(Known, Option<Duration>)> {
        let passing = self.traffic.passing.subscribe();
        let between = BetweenPasses {
            api,
            passing: passing.clone(),
        };
        let counting = within(
            TIME_LIMIT,
            passing,
            recent_deliveries(&between, MOST_EVENTS),
        );
        Some(match self.ended.run_until_cancelled(counting).await? {
            None => (Known::Unknown(too_slow()), None),
            Some(Ok(counts)) => (Known::Counted(Arc::new(counts)), None),
            Some(Err(error)) => (Known::Unknown(why(&error)), asked(&error)),
        })
    }

    fn end(&self, known: Known, pause: Option<Duration>) {
        let mut state = self.traffic.state();
        if self.ended.is_cancelled() {
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
            state.next = Some(self.begun + pause);
        }
        let is_awaited = std::mem::take(&mut state.is_awaited);
        drop(state);
        self.ended.cancel();
        if is_awaited {
            self.traffic.version.send_modify(|version| *version += 1);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !self.ended.is_cancelled() {
            self.end(Known::Unknown(BROKEN_OFF.to_owned()), None);
        }
    }
}

/// Awaits work, for this long at most. The time of a pass does not count. Returns `None` if the time is over.
async fn within<T>(
    limit: Duration,
    mut passing: watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut left = limit;
    loop {
        let is_passing = *passing.borrow_and_update();
        let since = Instant::now();
        let changed = async {
            if passing.changed().await.is_err() {
                // The watch has ended.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = changed => {}
            () = tokio::time::sleep(left), if !is_passing => return None,
        }
        if !is_passing {
            left = left.saturating_sub(since.elapsed());
        }
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
mod tests;
