//! Rebuilding a damaged record from what can be read of it.
//!
//! # Expected flow
//! [`SharedRecord::repair`](super::SharedRecord::repair) takes the lease, and reads the latest checkpoint and each entry after
//! it that can be read. The caller compares the bindings with the API, and [`Repair::finish`] writes them as a checkpoint behind
//! the last number of the log.
//!
//! # Guarantees
//! - No object is deleted or overwritten, except for the head. Numbers of the log stay taken, so that the fence holds.
//! - The record gets another id: no machine goes on from what it read of the old one.
//!
//! # Caveats
//! What only a damaged object said is lost: a binding, which the next sync finds by the name of its webhook, or a write without
//! a known outcome. The history begins anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookctl_core::record::Remembered;

use super::blobs::{Blob, BlobErrorKind, Version};
use super::context::{Shared, milliseconds, nonce};
use super::digest::Digest;
use super::error::SharedError;
use super::format::{self, Base, HeadBody, LogBody, Tail};
use super::lease::by_any_clock;
use super::names;
use super::read::{State, damaged};
use super::session::SharedSession;
use super::write::{Attempts, Resolved};

/// The most numbers of the log that may be missing. More are not the loss of some objects.
const MOST_MISSING: u64 = 10_000;

/// The lease of a damaged record, and what could be read of it. If this is dropped, the record stays as it is, and the lease
/// ends by itself.
pub struct Repair {
    session: SharedSession,
    remembered: Remembered,
}

/// What was read of a head that may be damaged.
enum Found {
    /// A head that can be read.
    Whole,
    /// A head that cannot be read, in this version.
    Damaged(Version),
    /// No head.
    Missing,
}

impl Repair {
    pub(super) async fn begin(shared: &Arc<Shared>) -> Result<Self, SharedError> {
        let attempts = shared.attempts();
        let numbers = shared.unless_cancelled(attempts.numbers()).await?;
        let (seized, head) = match shared.unless_cancelled(attempts.found()).await? {
            Found::Whole => {
                let (seized, head) = shared.seize(None).await?;
                (seized, head.body)
            }
            found => {
                let head = shared.lost_head(&numbers).await?;
                let version = match &found {
                    Found::Damaged(version) => Some(version),
                    Found::Whole | Found::Missing => None,
                };
                let seized = shared.seize_from(&head, version).await?;
                let seized =
                    seized.ok_or_else(|| damaged(names::HEAD, "it was changed meanwhile"))?;
                // A holder that the head named may still send.
                tokio::time::sleep(by_any_clock(head.permit_ms)).await;
                (seized, head)
            }
        };
        let attempts = shared.attempts();
        let numbers = attempts.numbers().await?;
        let last = numbers.last().copied().unwrap_or_default();
        let last = last.max(head.tail.sequence);
        attempts.fill(&numbers, last).await?;
        let mut state = attempts.salvage(&head, last).await?;
        state.tail = attempts.tail(last).await?;
        let remembered = state.remembered.clone();
        let session = SharedSession::new(Arc::clone(shared), seized, state);
        session.begin().await?;
        Ok(Self {
            session,
            remembered,
        })
    }

    /// Returns what could be read: the bindings, and the writes without a known outcome.
    pub const fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    /// Writes this as the whole content of the record, and releases the lease.
    ///
    /// # Errors
    /// [`SharedError::Fenced`] if another process took over, or another [`SharedError`]. The repair can be repeated.
    pub async fn finish(self, remembered: Remembered) -> Result<(), SharedError> {
        self.session.replace(remembered).await
    }
}

impl std::fmt::Debug for Repair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Repair").finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns a head in place of one that is lost: after the last entry that can be read, with a holder that is unknown.
    async fn lost_head(&self, numbers: &BTreeSet<u64>) -> Result<HeadBody, SharedError> {
        let attempts = self.attempts();
        if numbers.is_empty() && attempts.checkpoints().await?.is_empty() {
            return Err(SharedError::Missing);
        }
        let mut epoch = 0;
        for number in numbers.iter().rev() {
            if let Some(body) = attempts.entry(*number).await? {
                epoch = body.epoch;
                break;
            }
        }
        let times = self.options.times;
        Ok(HeadBody {
            record: nonce()?,
            account: self.account.to_string(),
            epoch,
            holder: None,
            lease_ms: milliseconds(times.lease),
            permit_ms: milliseconds(times.permit()),
            beat: 0,
            tail: Tail::empty(),
            base: None,
            trimmed: 0,
            unclean: true,
            moved_to: None,
            nonce: nonce()?,
        })
    }
}

impl Attempts<'_> {
    /// Reads whether there is a head, and whether it can be read.
    async fn found(self) -> Result<Found, SharedError> {
        match self.head(None).await {
            Ok(_) => return Ok(Found::Whole),
            Err(SharedError::Damaged { .. }) => {}
            Err(SharedError::Missing) => return Ok(Found::Missing),
            Err(error) => return Err(error),
        }
        match self.read(names::HEAD, None).await? {
            Blob::Found { version, .. } => Ok(Found::Damaged(version)),
            Blob::Missing | Blob::Unchanged => Ok(Found::Missing),
        }
    }

    /// Returns whether there is a log.
    pub(super) async fn has_log(self) -> Result<bool, SharedError> {
        Ok(!self.numbers().await?.is_empty())
    }

    /// Returns the numbers of the log.
    async fn numbers(self) -> Result<BTreeSet<u64>, SharedError> {
        let listed = self.list_after(names::LOG, names::LOG).await?;
        Ok(listed
            .iter()
            .filter_map(|name| names::sequence(name))
            .collect())
    }

    /// Returns the checkpoints by number, the latest last.
    async fn checkpoints(self) -> Result<Vec<Base>, SharedError> {
        let listed = self.list_after(names::BASE, names::BASE).await?;
        let checkpoints = listed.iter().filter_map(|name| names::checkpoint(name));
        Ok(checkpoints
            .map(|(sequence, digest)| Base {
                digest,
                // The number counts. What the entries before it said is in the checkpoint.
                tail: Tail {
                    sequence,
                    digest: Digest::none(),
                },
            })
            .collect())
    }

    /// Takes the numbers up to the last one that are free, with entries that say nothing.
    async fn fill(self, taken: &BTreeSet<u64>, last: u64) -> Result<(), SharedError> {
        let missing = last.saturating_sub(taken.len() as u64);
        if missing > MOST_MISSING {
            return Err(damaged(names::LOG, "most of its entries are missing"));
        }
        for number in (1..=last).filter(|number| !taken.contains(number)) {
            let body = LogBody {
                sequence: number,
                // Of no holder.
                epoch: 0,
                writer: String::new(),
                nonce: nonce()?,
                at: jiff::Timestamp::UNIX_EPOCH,
                before: Digest::none(),
                operations: Vec::new(),
            };
            let content = format::encode(&body)?;
            if let Resolved::Unknown(error) = self.create(&names::log(number), &content).await {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Reads the latest checkpoint that can be read, and what each entry after it says that can be read.
    async fn salvage(self, head: &HeadBody, last: u64) -> Result<State, SharedError> {
        let mut state = State::empty(head);
        let mut covered = 0;
        let checkpoints = head.base.iter().cloned();
        for base in checkpoints.chain(self.checkpoints().await?.into_iter().rev()) {
            if let Some(remembered) = self.bindings(&base).await? {
                state.remembered = remembered;
                covered = base.tail.sequence;
                break;
            }
        }
        let mut epoch = 0;
        for number in covered + 1..=last {
            let Some(body) = self.entry(number).await? else {
                continue;
            };
            if body.epoch < epoch {
                continue;
            }
            epoch = body.epoch;
            for operation in body.operations {
                operation.apply(&mut state.remembered);
            }
        }
        Ok(state)
    }

    /// Returns the content of a checkpoint. `None` if it is damaged.
    async fn bindings(self, base: &Base) -> Result<Option<Remembered>, SharedError> {
        match self.checkpoint(base).await {
            Ok(body) => Ok(Some(body.into_remembered())),
            Err(error) => lost(error),
        }
    }

    /// Returns an entry. `None` if it is damaged or missing.
    async fn entry(self, number: u64) -> Result<Option<LogBody>, SharedError> {
        match self.one_entry(number).await {
            Ok(entry) => Ok(entry.map(|entry| entry.body)),
            Err(error) => lost(error),
        }
    }

    /// Returns the end of the log, of which the last entry may be damaged.
    async fn tail(self, last: u64) -> Result<Tail, SharedError> {
        if last == 0 {
            return Ok(Tail::empty());
        }
        let content = match self.read(&names::log(last), None).await {
            Ok(Blob::Found { content, .. }) => content,
            Ok(Blob::Missing | Blob::Unchanged) => Vec::new(),
            // The next entry names a digest of nothing.
            Err(error) if error.kind() == BlobErrorKind::TooLarge => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Tail {
            sequence: last,
            digest: Digest::of(&content),
        })
    }
}

/// Returns `None` for an object that is damaged.
fn lost<T>(error: SharedError) -> Result<Option<T>, SharedError> {
    match error {
        SharedError::Damaged { .. } => Ok(None),
        SharedError::Store(store) if store.kind() == BlobErrorKind::TooLarge => Ok(None),
        error => Err(error),
    }
}
