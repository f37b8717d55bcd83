//! What a run is bound to, and how it applies a plan.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hookctl_core::clock::Clock;
use hookctl_core::record::{Horizon, Provenance};
use hookctl_core::secret::Secrets;
use tokio_util::sync::CancellationToken;

/// What planning and applying share: the time, and the end of it.
#[derive(Clone)]
pub struct RunContext<'a> {
    /// The clock of intents and the history.
    pub clock: &'a Arc<dyn Clock>,
    /// How long a request without a response may still take effect.
    pub horizon: Horizon,
    /// Cancels the run: nothing more is sent, and requests in flight are settled and recorded.
    pub cancellation: CancellationToken,
}

impl<'a> RunContext<'a> {
    /// Creates a context with the default horizon, which nothing cancels.
    pub fn new(clock: &'a Arc<dyn Clock>) -> Self {
        Self {
            clock,
            horizon: Horizon::default(),
            cancellation: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for RunContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RunContext")
            .field("horizon", &self.horizon)
            .field("cancellation", &self.cancellation)
            .finish_non_exhaustive()
    }
}

/// How a plan is applied.
#[derive(Clone, Copy)]
pub struct ApplyOptions<'a> {
    /// The tokens to send.
    pub secrets: &'a Secrets,
    /// The maximum number of actions that send concurrently, at least 1. The API client may throttle further.
    pub concurrency: usize,
    /// How long to wait for requests in flight after a cancellation.
    pub grace: Duration,
    /// Returns the Git commit of the files, for the history. Called once, and only if the plan has actions.
    pub provenance: Option<&'a (dyn Fn() -> Option<Provenance> + Send + Sync)>,
    /// Names the run, for the history.
    pub run: Option<&'a str>,
}

static NO_SECRETS: Secrets = Secrets::new();

impl Default for ApplyOptions<'_> {
    /// No tokens, 4 concurrent actions, 25 seconds of grace, and no commit in the history.
    fn default() -> Self {
        Self {
            secrets: &NO_SECRETS,
            concurrency: 4,
            grace: Duration::from_secs(25),
            provenance: None,
            run: None,
        }
    }
}

impl fmt::Debug for ApplyOptions<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApplyOptions")
            .field("concurrency", &self.concurrency)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
