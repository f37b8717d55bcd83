//! The holder of the lease, as the writer of the record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookctl_core::record::{
    Commit, Entry, Head, Loaded, PortFuture, Remembered, SendPermit, Session,
};

use super::blobs::BlobError;
use super::context::{Shared, nonce, tag};
use super::digest::Digest;
use super::error::SharedError;
use super::format::{self, Base, BaseBody, LogBody, Operation};
use super::lease::{Heartbeat, Lease, Release, Seized};
use super::names;
use super::packed;
use super::read::{Known, LARGEST_BASE, LARGEST_ENTRY, ReadEntry, ReadHead, SinceBase, State};
use super::write::Resolved;

/// How many entries of the log may follow a checkpoint before the next one is written.
const MAX_ENTRIES: u64 = 64;

/// How many bytes of the log may follow a checkpoint before the next one is written.
const MAX_BYTES: u64 = 256 * 1024;

/// The writer of a shared record.
pub(super) struct SharedSession {
    shared: Arc<Shared>,
    lease: Arc<Lease>,
    _heartbeat: Heartbeat,
    id: String,
    epoch: u64,
    written: Mutex<Written>,
}

struct Written {
    state: State,
    /// Why nothing more is appended.
    ended: Option<Ended>,
    /// The append that is under way. It stays if its caller is dropped, so that the next caller completes it.
    under_way: Option<Arc<Append>>,
}

/// Why a session appends nothing more.
#[derive(Clone, Copy)]
enum Ended {
    /// An append failed, so that the end of the log is unknown.
    Unknown,
    /// Another process appended.
    Fenced,
}

impl From<Ended> for SharedError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unknown => Self::Ended,
            Ended::Fenced => Self::Fenced,
        }
    }
}

/// An entry, as it is written.
struct Append {
    body: LogBody,
    content: Vec<u8>,
    /// The commit with the entry's observations, which are not written.
    commit: Option<Arc<Commit>>,
}

impl SharedSession {
    pub(super) fn new(shared: Arc<Shared>, seized: Seized, state: State) -> Self {
        Self {
            shared,
            lease: seized.lease,
            _heartbeat: seized.heartbeat,
            id: seized.id,
            epoch: seized.epoch,
            written: Mutex::new(Written {
                state,
                ended: None,
                under_way: None,
            }),
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an entry. `Ok(false)` if its number is taken.
    async fn append_entry(
        &self,
        operations: Vec<Operation>,
        commit: Option<Arc<Commit>>,
    ) -> Result<bool, SharedError> {
        let tail = {
            let written = self.written();
            if let Some(ended) = written.ended {
                return Err(ended.into());
            }
            if written.under_way.is_some() {
                return Err(SharedError::Ended);
            }
            written.state.tail
        };
        let body = LogBody {
            sequence: tail.sequence + 1,
            epoch: self.epoch,
            writer: self.id.clone(),
            nonce: nonce()?,
            at: self.shared.options.clock.now().at,
            before: tail.digest,
            operations,
        };
        let content = format::encode(&body)?;
        if content.len() > LARGEST_ENTRY {
            return Err(SharedError::TooLarge {
                bytes: content.len(),
            });
        }
        self.written().under_way = Some(Arc::new(Append {
            body,
            content,
            commit,
        }));
        self.complete().await
    }

    /// Completes the append that is under way, if any. `Ok(false)` if its number is taken.
    ///
    /// Cancel safety: if this is dropped, the next call completes the append. The content of an entry is unique, so a
    /// create that took effect meanwhile is recognized.
    async fn complete(&self) -> Result<bool, SharedError> {
        let Some(append) = self.written().under_way.clone() else {
            return Ok(true);
        };
        let name = names::log(append.body.sequence);
        let resolved = self.shared.attempts().create(&name, &append.content).await;
        let is_mine = match resolved {
            Resolved::Mine(_) => true,
            Resolved::Theirs => false,
            Resolved::Unknown(error) => return Err(self.unknown(error).await),
        };
        let mut written = self.written();
        written.under_way = None;
        if !is_mine {
            return Ok(false);
        }
        written.state.add(ReadEntry {
            body: append.body.clone(),
            digest: Digest::of(&append.content),
            bytes: append.content.len() as u64,
        })?;
        self.lease.advance(written.state.tail);
        if let Some(commit) = &append.commit {
            self.observe(&mut written, commit);
        }
        Ok(true)
    }

    /// Ends the session, since the outcome of an append is unknown. Returns the reason: a process that was paused may have
    /// lost the lease meanwhile.
    async fn unknown(&self, error: BlobError) -> SharedError {
        {
            let mut written = self.written();
            written.under_way = None;
            written.ended = Some(Ended::Unknown);
        }
        if !self.lease.permits() && matches!(self.lease.is_still_held().await, Ok(false)) {
            return SharedError::Fenced;
        }
        error.into()
    }

    /// Completes the append of a caller that was dropped.
    async fn resume(&self) -> Result<(), SharedError> {
        if self.complete().await? {
            Ok(())
        } else {
            Err(self.fenced())
        }
    }

    /// Ends the session, since another process appended.
    fn fenced(&self) -> SharedError {
        self.written().ended = Some(Ended::Fenced);
        self.lease.lose();
        SharedError::Fenced
    }

    /// Keeps the observations of a commit, which are not written.
    fn observe(&self, written: &mut Written, commit: &Commit) {
        for entry in &commit.entries {
            if let Entry::Observed(observation) = entry {
                written.state.remembered.apply_entry(entry);
                self.shared.keep_observed(observation);
            }
        }
    }

    /// Makes this epoch's first entry after a takeover. What the holder before it appended meanwhile comes first.
    pub(super) async fn begin(&self) -> Result<(), SharedError> {
        while !self.append_entry(vec![Operation::Begin], None).await? {
            let mut state = self.written().state.clone();
            self.shared.attempts().follow(&mut state).await?;
            // This process may have been paused since it took the lease. An entry after one of a newer epoch would damage
            // the log.
            if state.epoch > self.epoch {
                let attempts = self.shared.attempts();
                attempts.confirm_epoch(&state, self.epoch).await?;
                return Err(self.fenced());
            }
            self.lease.advance(state.tail);
            self.written().state = state;
        }
        // A holder whose entry was trimmed meanwhile would otherwise go on beside a newer one.
        if self.lease.is_still_held().await? {
            Ok(())
        } else {
            Err(SharedError::Fenced)
        }
    }

    async fn append_commit(&self, commit: Arc<Commit>) -> Result<u64, SharedError> {
        self.resume().await?;
        let sequence = self.written().state.tail.sequence;
        if commit.sequence != sequence + 1 {
            return Err(SharedError::Conflict {
                expected: sequence + 1,
                found: commit.sequence,
            });
        }
        let operations = Operation::of(&commit, &self.shared.options.followed);
        if operations.is_empty() {
            self.observe(&mut self.written(), &commit);
            Ok(sequence)
        } else if self.append_entry(operations, Some(commit)).await? {
            Ok(sequence + 1)
        } else {
            Err(self.fenced())
        }
    }

    /// Writes a checkpoint, if the log has become long.
    async fn checkpoint(&self) -> Option<Base> {
        let since = self.written().state.since_base;
        if since.entries <= MAX_ENTRIES && since.bytes <= MAX_BYTES {
            return None;
        }
        self.write_checkpoint().await
    }

    async fn write_checkpoint(&self) -> Option<Base> {
        let (name, base, content) = {
            let written = self.written();
            let body = BaseBody::of(&written.state.record, &written.state.remembered);
            let content = packed::pack(&format::encode(&body).ok()?)?;
            if content.len() > LARGEST_BASE {
                return None;
            }
            let digest = Digest::of(&content);
            let tail = written.state.tail;
            (
                names::base(tail.sequence, digest),
                Base { digest, tail },
                content,
            )
        };
        // Without a checkpoint, the log is merely longer.
        match self.shared.attempts().create(&name, &content).await {
            Resolved::Mine(_) => {
                self.written().state.since_base = SinceBase::default();
                Some(base)
            }
            Resolved::Theirs | Resolved::Unknown(_) => None,
        }
    }

    /// Writes a checkpoint if it is due, and releases the lease. Returns `None` if that is not certain.
    pub(super) async fn release(&self) -> Option<Head> {
        if self.resume().await.is_err() || self.written().ended.is_some() {
            self.lease.abandon().await;
            return None;
        }
        let base = self.checkpoint().await;
        let with = Release {
            base,
            ..Release::default()
        };
        let version = self.lease.release(with).await.ok()?;
        let mut state = self.written().state.clone();
        let head = tag(&state.record, state.tail);
        // What only this process saw is no part of the record.
        state.remembered.pending.seen.clear();
        self.shared.know(Known {
            head: ReadHead {
                body: self.lease.body().await,
                version,
            },
            state,
        });
        head
    }
}

impl SharedSession {
    /// Returns what the record remembers.
    pub(super) fn remembered(&self) -> Remembered {
        self.written().state.remembered.clone()
    }

    /// Replaces the record by another one that begins with this content, behind all entries, and releases the lease.
    pub(super) async fn replace(&self, remembered: Remembered) -> Result<(), SharedError> {
        let record = nonce()?;
        let trimmed = {
            let mut written = self.written();
            written.state.record.clone_from(&record);
            written.state.remembered = remembered;
            written.state.tail.sequence.saturating_sub(1)
        };
        let base = self.write_checkpoint().await.ok_or(SharedError::Ended)?;
        let with = Release {
            base: Some(base),
            trimmed,
            record: Some(record),
            ..Release::default()
        };
        self.lease.release(with).await.map(drop)
    }

    /// Releases the lease, with what the head is to say from then on.
    pub(super) async fn release_with(&self, with: Release) -> Result<(), SharedError> {
        self.resume().await?;
        self.lease.release(with).await.map(drop)
    }
}

impl Session for SharedSession {
    fn load(&self) -> PortFuture<'_, Loaded> {
        Box::pin(async {
            self.resume().await?;
            let written = self.written();
            if let Some(ended) = written.ended {
                return Err(SharedError::from(ended).into());
            }
            Ok(Loaded {
                remembered: written.state.remembered.clone(),
                sequence: written.state.tail.sequence,
                head: None,
            })
        })
    }

    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64> {
        Box::pin(async move { Ok(self.append_commit(commit).await?) })
    }

    fn send_permit(&self) -> SendPermit {
        let lease = Arc::clone(&self.lease);
        SendPermit::new(move || lease.permits())
    }

    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>> {
        Box::pin(async move { Ok(self.release().await) })
    }
}
