//! The lease: heartbeats that keep it, and the permit to send that follows from it.
//!
//! # Guarantees
//! - A permit ends before another process may take over: what was sent under it is answered or given up by then, if a
//!   request takes no longer than [`Times::request_timeout`](super::Times::request_timeout).
//! - No wall clock is compared between machines. A holder measures from its own heartbeats, a waiter from its own sight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookctl_core::clock::Stamp;

use super::blobs::Version;
use super::context::{Shared, nonce};
use super::error::SharedError;
use super::format::{self, HeadBody, Tail};
use super::names;
use super::write::Resolved;

/// How long a head must not change before a waiter takes over.
pub(super) fn takeover_after(head: &HeadBody) -> Duration {
    by_any_clock(head.lease_ms)
}

/// The longest lease, in milliseconds: ten minutes. The head may name a longer one only if it was not written by hookctl.
const LONGEST_MS: u64 = 10 * 60 * 1_000;

/// Returns the longest that a time in milliseconds takes on another machine: 10 % more, for clocks of different speed.
pub(super) fn by_any_clock(time: u64) -> Duration {
    let time = time.min(LONGEST_MS);
    Duration::from_millis(time + time / 10)
}

/// Returns the longest time that has passed by any clock of this machine. A clock that stood still during a suspend does
/// not count alone.
pub(super) fn passed_since(then: &Stamp, now: &Stamp) -> Duration {
    let uptime = Duration::from_millis(now.uptime_ms.saturating_sub(then.uptime_ms));
    let wall = Duration::try_from(now.at.duration_since(then.at)).unwrap_or_default();
    uptime.max(wall)
}

/// A held lease.
pub(super) struct Lease {
    shared: Arc<Shared>,
    /// Held during a swap of the head.
    head: tokio::sync::Mutex<HeldHead>,
    state: Mutex<LeaseState>,
}

/// The task of the heartbeats. It ends with its owner.
pub(super) struct Heartbeat(tokio::task::JoinHandle<()>);

impl Heartbeat {
    /// Starts the task.
    pub(super) fn of(keeping: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(keeping))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A lease that was just taken.
pub(super) struct Seized {
    pub(super) lease: Arc<Lease>,
    pub(super) heartbeat: Heartbeat,
    /// The id of the session.
    pub(super) id: String,
    pub(super) epoch: u64,
}

struct HeldHead {
    body: HeadBody,
    version: Version,
    released: bool,
}

struct LeaseState {
    /// When the last acknowledged heartbeat was sent.
    acknowledged: Stamp,
    /// Whether another process took over.
    is_lost: bool,
    /// The end of the log, as far as this process appended to it.
    tail: Tail,
}

/// What a release says besides the end of the log.
#[derive(Debug, Default)]
pub(super) struct Release {
    /// The last checkpoint, if there is a new one.
    pub(super) base: Option<format::Base>,
    /// The last entry of those that are emptied.
    pub(super) trimmed: u64,
    /// The id of the record from now on, if it becomes another one: what machines have read of the old one no longer holds.
    pub(super) record: Option<String>,
    /// The place that the record was moved to.
    pub(super) moved_to: Option<String>,
}

impl Lease {
    /// Wraps a head that this process has just written. `sent` is when it began to.
    pub(super) fn new(shared: Arc<Shared>, body: HeadBody, version: Version, sent: Stamp) -> Self {
        let tail = body.tail;
        Self {
            shared,
            head: tokio::sync::Mutex::new(HeldHead {
                body,
                version,
                released: false,
            }),
            state: Mutex::new(LeaseState {
                acknowledged: sent,
                is_lost: false,
                tail,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests may be sent now.
    pub(super) fn permits(&self) -> bool {
        let state = self.state();
        let passed = passed_since(&state.acknowledged, &self.shared.options.clock.now());
        !state.is_lost && passed < self.shared.options.times.permit()
    }

    /// Notes that another process took over.
    pub(super) fn lose(&self) {
        self.state().is_lost = true;
    }

    /// Notes the end of the log, for the next heartbeat.
    pub(super) fn advance(&self, tail: Tail) {
        self.state().tail = tail;
    }

    /// Starts a task that sends heartbeats until the lease is released or lost.
    pub(super) fn start_heartbeat(self: &Arc<Self>) -> Heartbeat {
        Heartbeat::of(Arc::clone(self).keep())
    }

    async fn keep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.shared.options.times.beat()).await;
            if !self.beat().await {
                return;
            }
        }
    }

    /// Sends a heartbeat. Returns `false` if the lease is released or lost.
    async fn beat(&self) -> bool {
        let mut head = self.head.lock().await;
        if head.released || self.state().is_lost {
            return false;
        }
        let body = HeadBody {
            beat: head.body.beat + 1,
            tail: self.state().tail,
            ..head.body.clone()
        };
        let sent = self.shared.options.clock.now();
        match self.swap(&mut head, body).await {
            Ok(true) => {
                self.state().acknowledged = sent;
                true
            }
            Ok(false) => {
                self.lose();
                false
            }
            // The permit ends by itself unless a later one succeeds.
            Err(_) => true,
        }
    }

    /// Reads the head once more. Returns whether this process still holds the lease.
    pub(super) async fn is_still_held(&self) -> Result<bool, SharedError> {
        let head = self.head.lock().await;
        let read = self.shared.attempts().head(None).await?;
        let is_mine = read.is_some_and(|read| {
            read.body.epoch == head.body.epoch && read.body.holder == head.body.holder
        });
        if !is_mine {
            self.lose();
        }
        Ok(is_mine)
    }

    /// Releases the lease. Returns the head's version. After an error, the lease ends by itself.
    ///
    /// # Errors
    /// [`SharedError::Fenced`] if another process took over, or [`SharedError::Store`] if the outcome is unknown
    pub(super) async fn release(&self, with: Release) -> Result<Version, SharedError> {
        let mut head = self.head.lock().await;
        head.released = true;
        if self.state().is_lost {
            return Err(SharedError::Fenced);
        }
        let body = HeadBody {
            holder: None,
            tail: self.state().tail,
            base: with.base.or_else(|| head.body.base.clone()),
            trimmed: with.trimmed.max(head.body.trimmed),
            record: with.record.unwrap_or_else(|| head.body.record.clone()),
            moved_to: with.moved_to,
            ..head.body.clone()
        };
        if self.swap(&mut head, body).await? {
            Ok(head.version.clone())
        } else {
            Err(SharedError::Fenced)
        }
    }

    /// Stops heartbeats without a release, because the end of the log is unknown.
    pub(super) async fn abandon(&self) {
        self.head.lock().await.released = true;
    }

    /// Swaps the head. Returns `false` if another process wrote it.
    async fn swap(&self, head: &mut HeldHead, mut body: HeadBody) -> Result<bool, SharedError> {
        body.nonce = nonce()?;
        let content = format::encode(&body)?;
        let attempts = self.shared.attempts();
        match attempts.swap(names::HEAD, &content, &head.version).await {
            Resolved::Mine(version) => {
                head.version = version;
                head.body = body;
                Ok(true)
            }
            Resolved::Theirs => Ok(false),
            Resolved::Unknown(error) => Err(error.into()),
        }
    }

    /// The head as this process wrote it last.
    pub(super) async fn body(&self) -> HeadBody {
        self.head.lock().await.body.clone()
    }
}
