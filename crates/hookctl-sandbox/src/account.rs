//! The shared state of an emulated account.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::delivery::DeliveryOptions;
use super::fault::{Fault, Faults};
use super::options::Dialect;
use super::request::RecordedRequest;
use super::store::Store;

/// The maximum number of recorded requests.
const LOG_LIMIT: usize = 100_000;

/// The state that all clones of an [`Emulator`](super::Emulator) share.
pub(super) struct Shared {
    pub(super) dialect: Dialect,
    pub(super) latency: Duration,
    /// How events are delivered. `None` if they are not.
    pub(super) delivery: Option<DeliveryOptions>,
    /// Permits to send to receivers.
    pub(super) sending: Semaphore,
    pub(super) state: Mutex<State>,
}

/// The content of an account, and its requests.
pub(super) struct State {
    /// The API keys that it accepts.
    pub(super) api_keys: Vec<String>,
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) requests: VecDeque<RecordedRequest>,
    pub(super) received: usize,
    pub(super) by_method: BTreeMap<String, usize>,
    /// The delivery task of each event, by its number. Only the latest of an event continues.
    pub(super) claims: BTreeMap<String, u64>,
    /// The number of delivery tasks so far.
    pub(super) claimed: u64,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request, and returns its faults.
    pub(super) fn record(&self, mut request: RecordedRequest) -> Vec<Fault> {
        let mut state = self.lock();
        state.received += 1;
        let number = state.received;
        let of_method = state.by_method.entry(request.method.clone()).or_default();
        *of_method += 1;
        let of_method = *of_method;
        let faults = state.faults.take(number, &request.method, of_method);
        request.number = number;
        if state.requests.len() == LOG_LIMIT {
            state.requests.pop_front();
        }
        state.requests.push_back(request);
        faults
    }
}
