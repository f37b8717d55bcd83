//! The shared record as a back end of the port.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use hookctl_core::record::{
    Account, Backend, Begun, Head, HistoryEntry, Loaded, Observation, PortFuture, RecordError,
    Session,
};

use super::blobs::Blobs;
use super::context::{Known, Shared, tag};
use super::error::SharedError;
use super::format::{self, HeadBody, Operation, Tail};
use super::holder::Holder;
use super::lease::{Lease, takeover_after};
use super::names;
use super::options::SharedOptions;
use super::read::ReadHead;
use super::session::SharedSession;
use super::write::Resolved;

/// How many log entries the history reads at once.
const HISTORY_READS: u64 = 16;

/// The record of one account on an object store. Clones share what was read.
#[derive(Clone)]
pub struct SharedRecord(Arc<Shared>);

impl SharedRecord {
    /// Returns the record of an account on a store. Reads nothing.
    pub fn new(blobs: impl Blobs + 'static, account: Account, options: SharedOptions) -> Self {
        Self(Arc::new(Shared {
            blobs: Box::new(blobs),
            account,
            options,
            known: Mutex::default(),
            observed: Mutex::default(),
        }))
    }

    /// Creates the record, after a check that the store honours conditional writes.
    ///
    /// # Errors
    /// [`SharedError::Exists`], [`SharedError::Unsafe`], or [`SharedError::Store`]
    pub async fn init(&self) -> Result<(), SharedError> {
        let shared = &self.0;
        match shared.attempts().head(None).await {
            Err(SharedError::Missing) => {}
            Ok(_) | Err(SharedError::Moved { .. }) => return Err(SharedError::Exists),
            Err(error) => return Err(error),
        }
        super::probe::probe(&*shared.blobs, &shared.nonce()?).await?;
        let body = HeadBody {
            record: shared.nonce()?,
            account: shared.account.to_string(),
            epoch: 0,
            holder: None,
            lease_ms: 0,
            beat: 0,
            tail: Tail::empty(),
            base: None,
            unclean: false,
            moved_to: None,
            nonce: shared.nonce()?,
        };
        let content = format::encode(&body)?;
        match shared.attempts().create(names::HEAD, &content).await {
            Resolved::Mine(_) => Ok(()),
            Resolved::Theirs => Err(SharedError::Exists),
            Resolved::Unknown(error) => Err(error.into()),
        }
    }
}

impl std::fmt::Debug for SharedRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SharedRecord")
            .field("account", &self.0.account)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Reads the head and its state. What was read before is read again only as far as it changed.
    async fn read(&self) -> Result<Known, SharedError> {
        let known = self.known().clone();
        let unless = known.as_ref().map(|known| &known.head.version);
        let Some(head) = self.attempts().head(unless).await? else {
            return known.ok_or(SharedError::Missing);
        };
        self.check(&head.body)?;
        let before = known.as_ref().map(|known| &known.state);
        let state = self.attempts().state(&head.body, before).await?;
        let mut read = Known { head, state };
        if read.head.body.holder.is_none() {
            self.know(read.clone());
        } else {
            self.attempts().follow(&mut read.state).await?;
        }
        Ok(read)
    }

    fn check(&self, head: &HeadBody) -> Result<(), SharedError> {
        if head.account == self.account.to_string() {
            Ok(())
        } else {
            Err(SharedError::OtherAccount {
                found: head.account.clone(),
            })
        }
    }

    /// Takes the lease. Waits for another holder, and takes over from a dead one.
    async fn take(self: Arc<Self>) -> Result<SharedSession, SharedError> {
        let started = tokio::time::Instant::now();
        let mut known = self.known().clone();
        let mut watched: Option<Watched> = None;
        loop {
            let seen = watched.as_ref().map(|watched| &watched.head.version);
            let unless = seen.or_else(|| known.as_ref().map(|known| &known.head.version));
            let read = self.attempts().head(unless).await?;
            let head = match (read, &watched, &known) {
                (Some(read), ..) => {
                    self.check(&read.body)?;
                    read
                }
                (None, Some(watched), _) => watched.head.clone(),
                (None, None, Some(known)) => known.head.clone(),
                (None, None, None) => return Err(SharedError::Missing),
            };
            let is_same = watched
                .as_ref()
                .is_some_and(|watched| watched.head.version == head.version);
            if !is_same {
                watched = None;
            }
            let silent = watched
                .as_ref()
                .map_or(Duration::ZERO, |watched| watched.since.elapsed());
            let may_take = head.body.holder.is_none() || silent >= takeover_after(&head.body);
            if may_take {
                if let Some(session) = Arc::clone(&self).take_from(&head, known.as_ref()).await? {
                    return Ok(session);
                }
                known = None;
                watched = None;
                continue;
            }
            if started.elapsed() >= self.options.lock_timeout {
                return Err(held(&head.body, silent));
            }
            let poll = (takeover_after(&head.body) / 30)
                .clamp(Duration::from_millis(10), Duration::from_secs(2));
            watched.get_or_insert_with(|| Watched {
                head,
                since: tokio::time::Instant::now(),
            });
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                () = self.options.cancellation.cancelled() => return Err(SharedError::Interrupted),
            }
        }
    }

    /// Takes the lease from a head. Returns `None` if another process changed the head first.
    async fn take_from(
        self: Arc<Self>,
        head: &ReadHead,
        known: Option<&Known>,
    ) -> Result<Option<SharedSession>, SharedError> {
        let unclean = head.body.holder.is_some();
        let sent = self.options.clock.now();
        let body = HeadBody {
            epoch: head.body.epoch + 1,
            holder: Some(Holder {
                id: self.nonce()?,
                run: self.options.run.clone(),
                since: sent.at,
            }),
            lease_ms: u64::try_from(self.options.times.lease.as_millis()).unwrap_or(u64::MAX),
            beat: 0,
            unclean,
            nonce: self.nonce()?,
            ..head.body.clone()
        };
        let content = format::encode(&body)?;
        let swapped = self
            .attempts()
            .swap(names::HEAD, &content, &head.version)
            .await;
        let version = match swapped {
            Resolved::Mine(version) => version,
            Resolved::Theirs => return Ok(None),
            Resolved::Unknown(error) => return Err(error.into()),
        };
        let lease = Arc::new(Lease::new(Arc::clone(&self), body.clone(), version, sent));
        // Before anything is read: a long reading must not cost the lease.
        let heartbeat = Heartbeat(Some(tokio::spawn(Arc::clone(&lease).keep())));
        let before = known.map(|known| &known.state);
        let mut state = self.attempts().state(&body, before).await?;
        if unclean {
            self.attempts().follow(&mut state).await?;
        }
        lease.advance(state.tail);
        let Some(heartbeat) = heartbeat.into_inner() else {
            return Ok(None);
        };
        let session = SharedSession::new(self, lease, heartbeat, &body, state);
        if unclean {
            session.begin().await?;
        }
        Ok(Some(session))
    }

    /// Reads the latest changes, the newest first.
    async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, SharedError> {
        let mut last = self.read().await?.state.tail.sequence;
        let mut changes = Vec::new();
        while last > 0 && changes.len() < limit {
            let first = last.saturating_sub(HISTORY_READS - 1).max(1);
            let entries: Vec<_> = stream::iter((first..=last).rev())
                .map(|sequence| self.attempts().entry(sequence))
                .buffered(16)
                .try_collect()
                .await?;
            for entry in entries {
                // Older entries were trimmed.
                let Some(entry) = entry else {
                    return Ok(changes);
                };
                for operation in entry.body.operations.into_iter().rev() {
                    if let Operation::Settled(settlement) = operation
                        && let Some(change) = settlement.history
                        && changes.len() < limit
                    {
                        changes.push(change.into());
                    }
                }
            }
            last = first - 1;
        }
        Ok(changes)
    }
}

/// A head that is watched for a sign of life.
struct Watched {
    head: ReadHead,
    since: tokio::time::Instant,
}

/// A task that ends with its owner.
struct Heartbeat(Option<tokio::task::JoinHandle<()>>);

impl Heartbeat {
    fn into_inner(mut self) -> Option<tokio::task::JoinHandle<()>> {
        self.0.take()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn held(head: &HeadBody, silent: Duration) -> SharedError {
    match &head.holder {
        Some(holder) => SharedError::Held {
            holder: Box::new(holder.clone()),
            epoch: head.epoch,
            silent,
        },
        None => SharedError::Interrupted,
    }
}

impl Backend for SharedRecord {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        Box::pin(async {
            let read = self.0.read().await?;
            Ok(tag(&read.state.record, read.state.tail))
        })
    }

    fn load(&self) -> PortFuture<'_, Loaded> {
        Box::pin(async {
            let read = self.0.read().await?;
            Ok(Loaded {
                head: tag(&read.state.record, read.state.tail),
                remembered: read.state.remembered,
                sequence: read.state.tail.sequence,
            })
        })
    }

    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        Box::pin(async move { Ok(self.0.history(limit).await?) })
    }

    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        let observed = self
            .0
            .observed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let observed = observed.clone();
        Box::pin(async { Ok(observed) })
    }

    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        Box::pin(async {
            let session = Arc::clone(&self.0).take().await?;
            let session: Box<dyn Session> = Box::new(session);
            Ok(session)
        })
    }

    fn begins_late(&self) -> bool {
        true
    }

    fn begin_after(&self, sequence: u64) -> PortFuture<'_, Begun> {
        Box::pin(async move {
            let session = Arc::clone(&self.0)
                .take()
                .await
                .map_err(RecordError::from)?;
            let session: Box<dyn Session> = Box::new(session);
            let loaded = session.load().await?;
            Ok(Begun {
                is_current: loaded.sequence == sequence,
                session,
            })
        })
    }
}
