//! Options of an apply.

use std::fmt;
use std::time::Duration;

use hookctl_core::clock::Clock;
use hookctl_core::record::{Horizon, Provenance};
use tokio_util::sync::CancellationToken;

/// Options of an apply.
pub struct ApplyOptions<'a> {
    /// The maximum number of actions that send concurrently, at least 1. The API client may throttle further.
    pub concurrency: usize,
    /// The clock of intents and the history.
    pub clock: &'a dyn Clock,
    /// How long a request without a response may still take effect.
    pub horizon: Horizon,
    /// How long to wait for requests in flight after a cancellation.
    pub grace: Duration,
    /// Returns the Git commit of the files, for the history. Called once, and only if the plan has actions.
    pub provenance: Option<&'a (dyn Fn() -> Option<Provenance> + Send + Sync)>,
    /// Cancels the apply: nothing more is sent, and requests in flight are settled and recorded.
    pub cancellation: CancellationToken,
}

impl fmt::Debug for ApplyOptions<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApplyOptions")
            .field("concurrency", &self.concurrency)
            .field("horizon", &self.horizon)
            .field("grace", &self.grace)
            .field("cancellation", &self.cancellation)
            .finish_non_exhaustive()
    }
}
