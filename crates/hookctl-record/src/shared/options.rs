//! How a shared record is used.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookctl_core::clock::Clock;
use hookctl_core::secret::Followed;
use tokio_util::sync::CancellationToken;

use super::blobs::BlobError;
use super::holder::Holder;

/// The times of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long the lease lasts after a heartbeat: 60 s by default.
    pub lease: Duration,
    /// How long a request to the API can take: 30 s by default. Must be shorter than the lease.
    pub request_timeout: Duration,
}

impl Times {
    /// The pause between two heartbeats: two of them may fail before the permit ends.
    pub(super) fn beat(self) -> Duration {
        self.lease / 6
    }

    /// How long after the sending of a heartbeat requests may be sent.
    pub(super) const fn permit(self) -> Duration {
        self.lease.saturating_sub(self.request_timeout)
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(1),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// How a shared record is used.
#[derive(Clone)]
pub struct SharedOptions {
    /// The times of the lease.
    pub times: Times,
    /// How long to wait for another holder: 120 s by default, which is longer than the lease of a dead one.
    pub lock_timeout: Duration,
    /// How long one operation of the store may take: 10 s by default.
    pub operation_timeout: Duration,
    /// The run, for people who find the record held by it.
    pub run: String,
    /// The clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Cancels the wait for another holder.
    pub cancellation: CancellationToken,
    /// The [file](super::replica_file) that keeps what was read, for the next process; none by default.
    pub replica: Option<PathBuf>,
    /// The secrets to keep out of the record.
    pub followed: Followed,
    /// Receives what a process that waits should say.
    pub on_event: Arc<dyn Fn(&SharedEvent) + Send + Sync>,
}

/// What a process that waits should say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedEvent {
    /// Another process writes the record. Sent once for each holder.
    Waiting {
        /// The holder.
        holder: Holder,
        /// How long after its last heartbeat it is replaced.
        takeover_after: Duration,
    },
    /// This process replaced a holder without a sign of life.
    TookOver {
        /// The replaced holder.
        holder: Holder,
        /// How long this process saw no heartbeat of it.
        silent: Duration,
    },
    /// An operation failed, and is tried again. Sent once until one succeeds.
    Retrying {
        /// Why it failed.
        error: BlobError,
        /// How long it is tried.
        budget: Duration,
    },
}

impl fmt::Debug for SharedOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SharedOptions")
            .field("times", &self.times)
            .field("lock_timeout", &self.lock_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl SharedOptions {
    /// Returns the default options of a run, on the clock of this machine.
    pub fn new(run: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            times: Times::default(),
            lock_timeout: Duration::from_mins(2),
            operation_timeout: Duration::from_secs(10),
            run: run.into(),
            clock,
            cancellation: CancellationToken::new(),
            replica: None,
            followed: Followed::default(),
            on_event: Arc::new(|_| {}),
        }
    }
}
