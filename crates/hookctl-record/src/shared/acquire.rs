//! The way to the lease: waiting for another holder, taking over from a dead one, and the session that follows.

use std::sync::Arc;
use std::time::Duration;

use super::blobs::Version;
use super::context::{Shared, milliseconds, nonce};
use super::error::SharedError;
use super::format::{self, HeadBody};
use super::holder::Holder;
use super::lease::{Lease, Seized, takeover_after};
use super::names;
use super::options::SharedEvent;
use super::read::{Known, ReadHead};
use super::session::SharedSession;
use super::write::Resolved;

/// A head that is watched for a sign of life.
struct Watched {
    head: ReadHead,
    since: tokio::time::Instant,
}

impl Shared {
    /// Takes the lease. Waits for another holder, and takes over from a dead one.
    pub(super) async fn take(self: Arc<Self>) -> Result<SharedSession, SharedError> {
        let known = self.known().clone();
        let (seized, head) = self.seize(known.as_ref()).await?;
        self.session_of(seized, &head, known.as_ref()).await
    }

    /// Takes the lease without reading the log. Waits for another holder, and takes over from a dead one. Returns the head as
    /// it was before.
    pub(super) async fn seize(
        self: &Arc<Self>,
        known: Option<&Known>,
    ) -> Result<(Seized, ReadHead), SharedError> {
        if let Some(seized) = self.seize_known(known).await? {
            return Ok(seized);
        }
        let started = tokio::time::Instant::now();
        let mut watched: Option<Watched> = None;
        let mut reported: Option<Holder> = None;
        loop {
            let seen = watched.as_ref().map(|watched| &watched.head);
            let seen = seen.or_else(|| known.map(|known| &known.head));
            let reading = self.attempts().head(seen.map(|seen| &seen.version));
            let read = self.unless_cancelled(reading).await?;
            let head = match read {
                Some(read) => {
                    self.check(&read.body)?;
                    read
                }
                None => seen.cloned().ok_or(SharedError::Missing)?,
            };
            watched = watched.filter(|watched| watched.head.version == head.version);
            let silent = watched
                .as_ref()
                .map_or(Duration::ZERO, |watched| watched.since.elapsed());
            let takeover_after = takeover_after(&head.body);
            let holder = head.body.holder.as_ref();
            let Some(holder) = holder.filter(|_| silent < takeover_after) else {
                if let Some(seized) = self.seize_from(&head.body, Some(&head.version)).await? {
                    if let Some(holder) = head.body.holder.clone() {
                        (self.options.on_event)(&SharedEvent::TookOver { holder, silent });
                    }
                    return Ok((seized, head));
                }
                watched = None;
                continue;
            };
            if started.elapsed() >= self.options.lock_timeout {
                return Err(SharedError::Held {
                    holder: Box::new(holder.clone()),
                    epoch: head.body.epoch,
                    silent,
                });
            }
            if reported.as_ref() != Some(holder) {
                reported = Some(holder.clone());
                (self.options.on_event)(&SharedEvent::Waiting {
                    holder: holder.clone(),
                    takeover_after,
                });
            }
            let poll =
                (takeover_after / 30).clamp(Duration::from_millis(10), Duration::from_secs(2));
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

    /// Takes the lease from the free head that was read last, without reading it again: the swap takes effect only if it is
    /// still current. Returns `None` if it is not, or if there is none.
    async fn seize_known(
        self: &Arc<Self>,
        known: Option<&Known>,
    ) -> Result<Option<(Seized, ReadHead)>, SharedError> {
        let Some(known) = known.filter(|known| known.head.body.holder.is_none()) else {
            return Ok(None);
        };
        self.check(&known.head.body)?;
        let version = Some(&known.head.version);
        let seized = self.seize_from(&known.head.body, version).await?;
        Ok(seized.map(|seized| (seized, known.head.clone())))
    }

    /// Takes the lease from a head, of which this version is replaced; without a version, there must be no head. Returns
    /// `None` if another process changed it first.
    pub(super) async fn seize_from(
        self: &Arc<Self>,
        head: &HeadBody,
        version: Option<&Version>,
    ) -> Result<Option<Seized>, SharedError> {
        let sent = self.options.clock.now();
        let id = nonce()?;
        let epoch = head.epoch + 1;
        let body = HeadBody {
            epoch,
            holder: Some(self.holder(id.clone(), sent.at)),
            lease_ms: milliseconds(self.options.times.lease),
            permit_ms: milliseconds(self.options.times.permit()),
            beat: 0,
            unclean: head.holder.is_some(),
            nonce: nonce()?,
            ..head.clone()
        };
        let content = format::encode(&body)?;
        let attempts = self.attempts();
        let resolved = match version {
            Some(version) => attempts.swap(names::HEAD, &content, version).await,
            None => attempts.create(names::HEAD, &content).await,
        };
        let version = match resolved {
            Resolved::Mine(version) => version,
            Resolved::Theirs => return Ok(None),
            Resolved::Unknown(error) => return Err(error.into()),
        };
        let lease = Arc::new(Lease::new(Arc::clone(self), body, version, sent));
        // Before anything is read: a long reading must not cost the lease.
        let heartbeat = lease.start_heartbeat();
        Ok(Some(Seized {
            lease,
            heartbeat,
            id,
            epoch,
        }))
    }

    /// Reads the state at the head that the lease was taken from.
    async fn session_of(
        self: Arc<Self>,
        seized: Seized,
        head: &ReadHead,
        known: Option<&Known>,
    ) -> Result<SharedSession, SharedError> {
        let known = known.map(|known| &known.state);
        let state = self.attempts().state(&head.body, known).await?;
        let session = SharedSession::new(self, seized, state);
        if head.body.holder.is_some() {
            session.begin().await?;
        }
        Ok(session)
    }

    /// Takes the lease from a head. Returns `None` if another process changed the head first.
    pub(super) async fn take_from(
        self: Arc<Self>,
        head: &ReadHead,
    ) -> Result<Option<SharedSession>, SharedError> {
        match self.seize_from(&head.body, Some(&head.version)).await? {
            Some(seized) => Ok(Some(self.session_of(seized, head, None).await?)),
            None => Ok(None),
        }
    }
}
