//! The shared record as a back end of the port.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use hookctl_core::record::{
    Account, Backend, Head, HistoryEntry, Loaded, Observation, PortFuture, Session,
};

use super::blobs::Blobs;
use super::context::{Shared, nonce, tag};
use super::error::SharedError;
use super::format::{self, HeadBody, Operation, Tail};
use super::lease::by_any_clock;
use super::migration::Migration;
use super::names;
use super::options::SharedOptions;
use super::read::{Known, ReadHead};
use super::repair::Repair;
use super::replica;
use super::status::SharedStatus;
use super::write::Resolved;

/// How often [`SharedRecord::unlock`] tries to take the lease from a holder that sends heartbeats.
const UNLOCK_ATTEMPTS: usize = 5;

/// The record of one account on an object store. Clones share what was read.
#[derive(Clone)]
pub struct SharedRecord(Arc<Shared>);

impl SharedRecord {
    /// Returns the record of an account on a store. Reads nothing but the [replica](SharedOptions::replica).
    pub fn new(blobs: impl Blobs + 'static, account: Account, options: SharedOptions) -> Self {
        let known = options.replica.as_deref().and_then(replica::load);
        Self(Arc::new(Shared {
            blobs: Box::new(blobs),
            account,
            options,
            known: Mutex::new(known),
            observed: Mutex::default(),
            failing: AtomicBool::new(false),
        }))
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn attempts(&self) -> super::write::Attempts<'_> {
        self.0.attempts()
    }

    /// Creates the record, after a check that the store honours conditional writes.
    ///
    /// # Errors
    /// [`SharedError::Exists`], [`SharedError::Damaged`] if there is a log without a head, [`SharedError::Unsafe`], or
    /// [`SharedError::Store`]
    pub async fn init(&self) -> Result<(), SharedError> {
        let shared = &self.0;
        let checked = async {
            match shared.attempts().head(None).await {
                Err(SharedError::Missing) => {}
                Ok(_) | Err(SharedError::Moved { .. }) => return Err(SharedError::Exists),
                Err(error) => return Err(error),
            }
            if shared.attempts().has_log().await? {
                return Err(headless());
            }
            super::probe::probe(shared.attempts(), &nonce()?).await
        };
        shared.unless_cancelled(checked).await?;
        let body = HeadBody {
            record: nonce()?,
            account: shared.account.to_string(),
            epoch: 0,
            holder: None,
            lease_ms: 0,
            permit_ms: 0,
            beat: 0,
            tail: Tail::empty(),
            base: None,
            trimmed: 0,
            unclean: false,
            moved_to: None,
            nonce: nonce()?,
        };
        let content = format::encode(&body)?;
        match shared.attempts().create(names::HEAD, &content).await {
            Resolved::Mine(_) => Ok(()),
            Resolved::Theirs => Err(SharedError::Exists),
            Resolved::Unknown(error) => Err(error.into()),
        }
    }

    /// Reads the whole log, and checks that each entry follows the one before it, and that the checkpoint and the head
    /// agree with them. A record that is being written is checked up to its last heartbeat.
    ///
    /// # Errors
    /// [`SharedError::Damaged`] names the object that is not what was written.
    pub async fn verify(&self) -> Result<(), SharedError> {
        let head = match self.0.current_head().await {
            Err(SharedError::Missing) => {
                let has_log = self.0.unless_cancelled(self.0.attempts().has_log());
                return Err(if has_log.await? {
                    headless()
                } else {
                    SharedError::Missing
                });
            }
            head => head?,
        };
        let verifying = self.0.attempts().verify(&head.body);
        self.0.unless_cancelled(verifying).await
    }

    /// Reads who holds the record, and how long its log is. Reads no entry.
    ///
    /// # Errors
    /// [`SharedError::Missing`], [`SharedError::Moved`], or another [`SharedError`]
    pub async fn status(&self) -> Result<SharedStatus, SharedError> {
        let head = self.0.current_head().await?.body;
        self.0.check(&head)?;
        Ok(SharedStatus {
            record: head.record,
            epoch: head.epoch,
            sequence: head.tail.sequence,
            checkpoint: head.base.map(|base| base.tail.sequence),
            lease: Duration::from_millis(head.lease_ms),
            holder: head.holder,
        })
    }

    /// Takes the lease in order to move the record to another place. Waits for another holder like a run.
    ///
    /// # Errors
    /// [`SharedError::Missing`], [`SharedError::Moved`], [`SharedError::Held`], or another [`SharedError`]
    pub async fn migrate(&self) -> Result<Migration, SharedError> {
        Ok(Migration::new(Arc::clone(&self.0).take().await?))
    }

    /// Takes the lease in order to rebuild a damaged record from what can be read. Waits for another holder like a run.
    ///
    /// # Errors
    /// [`SharedError::Missing`] if there is neither a head nor a log, [`SharedError::Moved`], [`SharedError::Held`], or another
    /// [`SharedError`]
    pub async fn repair(&self) -> Result<Repair, SharedError> {
        Repair::begin(&self.0).await
    }

    /// Empties the log entries that are older than this and that a checkpoint covers: the older history. Waits for another
    /// holder like a run. Returns how many entries those are.
    ///
    /// # Errors
    /// [`SharedError::Missing`], [`SharedError::Moved`], [`SharedError::Held`], or another [`SharedError`]
    pub async fn trim(&self, keep: Duration) -> Result<u64, SharedError> {
        Arc::clone(&self.0).trim(keep).await
    }

    /// Takes the lease away from its holder without waiting for the lease to end, and releases it once that holder can
    /// send no more requests. Returns how long that took to wait for. Returns `None` if no process holds the lease.
    ///
    /// The log is closed to the old holder at once. The requests that it has sent stay pending, for the next run.
    ///
    /// # Errors
    /// [`SharedError::OtherEpoch`] if the holder is not the one of this epoch, or another [`SharedError`]
    pub async fn unlock(&self, epoch: u64) -> Result<Option<Duration>, SharedError> {
        // A heartbeat in between refuses the attempt.
        for _ in 0..UNLOCK_ATTEMPTS {
            let head = self.0.current_head().await?;
            self.0.check(&head.body)?;
            if head.body.holder.is_none() {
                return Ok(None);
            }
            if head.body.epoch != epoch {
                return Err(SharedError::OtherEpoch {
                    found: head.body.epoch,
                });
            }
            if let Some(session) = Arc::clone(&self.0).take_from(&head).await? {
                let permit = by_any_clock(head.body.permit_ms);
                tokio::time::sleep(permit).await;
                session.release().await;
                return Ok(Some(permit));
            }
        }
        Err(SharedError::OtherEpoch { found: epoch })
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
    /// Awaits work that changes nothing, which may be tried again for a minute, unless a signal ends it first.
    pub(super) async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, SharedError>>,
    ) -> Result<T, SharedError> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.options.cancellation.cancelled() => Err(SharedError::Interrupted),
        }
    }

    pub(super) async fn current_head(&self) -> Result<ReadHead, SharedError> {
        let attempts = self.attempts();
        let head = self.unless_cancelled(attempts.head(None)).await?;
        head.ok_or(SharedError::Missing)
    }

    /// Reads the head and its state. What was read before is read again only as far as it changed.
    async fn read(&self) -> Result<Known, SharedError> {
        self.unless_cancelled(async {
            match self.read_once().await {
                // Entries may have been trimmed since the head was read.
                Err(SharedError::Damaged { .. }) => self.read_once().await,
                read => read,
            }
        })
        .await
    }

    async fn read_once(&self) -> Result<Known, SharedError> {
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
            let attempts = self.attempts();
            attempts.follow(&mut read.state).await?;
            let epoch = read.head.body.epoch;
            attempts.confirm_epoch(&read.state, epoch).await?;
        }
        Ok(read)
    }

    pub(super) fn check(&self, head: &HeadBody) -> Result<(), SharedError> {
        if head.account == self.account.to_string() {
            Ok(())
        } else {
            Err(SharedError::OtherAccount {
                found: head.account.clone(),
            })
        }
    }

    /// Reads the latest changes, the newest first.
    async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, SharedError> {
        let read = self.read().await?;
        let untrimmed = read.head.body.trimmed + 1..=read.state.tail.sequence;
        let mut changes = Vec::new();
        let entries = self.attempts().entries(untrimmed.rev());
        let mut entries = std::pin::pin!(entries);
        while changes.len() < limit {
            let next = self.unless_cancelled(entries.try_next());
            let Some((_, Some(entry))) = next.await? else {
                break;
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
        Ok(changes)
    }
}

/// Returns the damage of a record whose log lost its head.
fn headless() -> SharedError {
    super::read::damaged(names::HEAD, "it is missing, and there is a log")
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
}
