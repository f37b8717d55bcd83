//! How a plan is applied.

use std::time::Duration;

use hookctl_core::clock::Clock;
use hookctl_core::record::{Horizon, Provenance};
use tokio_util::sync::CancellationToken;

/// How a plan is applied.
pub struct ApplyOptions<'a> {
    /// How many actions send at once, at most; at least 1. The API client may hold back more.
    pub concurrency: usize,
    /// Tells the time, for intents and the history.
    pub clock: &'a dyn Clock,
    /// How long a request without an answer may still take effect.
    pub horizon: Horizon,
    /// How long requests in flight are waited for after a cancellation.
    pub grace: Duration,
    /// Tells the Git commit of the files, for the history. Asked once, and only if there is an action.
    pub provenance: Option<&'a (dyn Fn() -> Option<Provenance> + Send + Sync)>,
    /// Once cancelled, nothing is sent any more; what is in flight is settled and recorded.
    pub cancellation: CancellationToken,
}
