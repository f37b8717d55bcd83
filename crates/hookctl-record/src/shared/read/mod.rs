//! Reading the record: the head, the latest checkpoint, and the log after it.

use std::collections::BTreeSet;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use hookctl_core::record::Remembered;

use super::blobs::{Blob, Version};
use super::digest::Digest;
use super::error::SharedError;
use super::format::{self, Base, BaseBody, HeadBody, LogBody, Tail};
use super::names;
use super::packed;
use super::write::Attempts;

/// How many log entries are read at once.
const CONCURRENT_READS: usize = 16;

/// The greatest number of an epoch or an entry that is not taken for damage.
const MOST: u64 = 1 << 53;

/// The largest head, in bytes. Its texts are shown: the holder, and the place that the record was moved to. Those that
/// hookctl writes need about 1 KiB.
const LARGEST_HEAD: usize = 16 * 1024;

/// The most bytes of a log entry. The largest that hookctl writes copies 500 bindings of 2 addresses each.
pub(super) const LARGEST_ENTRY: usize = 8 * 1024 * 1024;

/// The most bytes of a checkpoint.
pub(super) const LARGEST_BASE: usize = 16 * 1024 * 1024;

/// The most bytes of the log after a checkpoint. One run that makes 100,000 webhooks writes less.
const LARGEST_LOG: u64 = 1024 * 1024 * 1024;

/// A head, as read.
#[derive(Clone, Debug)]
pub(super) struct ReadHead {
    pub(super) body: HeadBody,
    pub(super) version: Version,
}

/// The state of a record at an end of its log.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// The id of the record.
    pub(super) record: String,
    /// The end of the log.
    pub(super) tail: Tail,
    /// The epoch of the last entry that was read; 0 before the first.
    pub(super) epoch: u64,
    pub(super) remembered: Remembered,
    /// How many entries and bytes of the log follow the latest checkpoint.
    pub(super) since_base: SinceBase,
}

/// What was read last: a head without a holder, and the state at its tail.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) head: ReadHead,
    pub(super) state: State,
}

/// How much of the log follows the latest checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SinceBase {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Attempts<'_> {
    /// Reads the head. Returns `None` if it still has the version `unless`.
    pub(super) async fn head(
        self,
        unless: Option<&Version>,
    ) -> Result<Option<ReadHead>, SharedError> {
        match self.read(names::HEAD, unless).await? {
            Blob::Found { content, version } => {
                if content.len() > LARGEST_HEAD {
                    return Err(damaged(names::HEAD, "it is too large"));
                }
                let body: HeadBody = format::decode(names::HEAD, &content)?;
                let base = body.base.as_ref().map_or(0, |base| base.tail.sequence);
                let counts = [body.epoch, body.tail.sequence, base];
                let is_ordered = body.trimmed <= base && base <= body.tail.sequence;
                if counts.into_iter().any(|count| count > MOST) || !is_ordered {
                    return Err(damaged(names::HEAD, "it has an impossible number"));
                }
                match body.moved_to {
                    Some(to) => Err(SharedError::Moved { to }),
                    None => Ok(Some(ReadHead { body, version })),
                }
            }
            Blob::Unchanged => Ok(None),
            Blob::Missing => Err(SharedError::Missing),
        }
    }

    /// Reads the state at the tail of a head, from a known state if that is a part of it.
    pub(super) async fn state(
        self,
        head: &HeadBody,
        known: Option<&State>,
    ) -> Result<State, SharedError> {
        let known = known.filter(|known| known.record == head.record);
        if let Some(known) = known {
            let rolled_back = known.tail.sequence > head.tail.sequence
                || (known.tail.sequence == head.tail.sequence
                    && known.tail.digest != head.tail.digest);
            if rolled_back && head.holder.is_none() {
                return Err(SharedError::RolledBack {
                    found: head.tail.sequence,
                    known: known.tail.sequence,
                });
            }
        }
        let base_sequence = head.base.as_ref().map_or(0, |base| base.tail.sequence);
        let mut state = match known {
            Some(known) if known.tail.sequence >= base_sequence => known.clone(),
            _ => self.base(head).await?,
        };
        self.extend(&mut state, head.tail.sequence, LARGEST_LOG)
            .await?;
        // The head was swapped to an epoch before its first entry, and names only entries that existed then.
        if state.epoch > head.epoch {
            return Err(damaged(
                &names::log(state.tail.sequence),
                "it is of a newer epoch than the head",
            ));
        }
        if state.tail.sequence == head.tail.sequence && state.tail.digest != head.tail.digest {
            return Err(damaged(
                &names::log(state.tail.sequence),
                "it is not the entry that the head names",
            ));
        }
        Ok(state)
    }

    /// Returns damage if a state that was followed beyond a head has an epoch that no head ever had.
    ///
    /// Another process may have taken the lease after the head was read. It swapped the head before it appended, so the
    /// head of now has its epoch, or a later one.
    pub(super) async fn confirm_epoch(self, state: &State, known: u64) -> Result<(), SharedError> {
        if state.epoch <= known {
            return Ok(());
        }
        let head = self.head(None).await?.ok_or(SharedError::Missing)?;
        if state.epoch <= head.body.epoch {
            return Ok(());
        }
        Err(damaged(
            &names::log(state.tail.sequence),
            "it is of a newer epoch than the head",
        ))
    }

    /// Reads the whole log, and compares it with the checkpoint and the tail of a head. Of what was trimmed, each number must
    /// be taken.
    pub(super) async fn verify(self, head: &HeadBody) -> Result<(), SharedError> {
        let mut state = State::empty(head);
        if head.trimmed > 0 {
            state.tail = self.end_of_trimmed(head.trimmed).await?;
        }
        if let Some(base) = &head.base {
            self.extend(&mut state, base.tail.sequence, u64::MAX)
                .await?;
            let checkpoint = self.base(head).await?;
            let is_same = head.trimmed > 0 || state.remembered == checkpoint.remembered;
            if state.tail != checkpoint.tail || !is_same {
                let name = names::base(base.tail.sequence, base.digest);
                return Err(damaged(&name, "it is not what the log says"));
            }
        }
        self.extend(&mut state, head.tail.sequence, u64::MAX)
            .await?;
        if state.tail == head.tail && state.epoch <= head.epoch {
            Ok(())
        } else {
            Err(damaged(names::HEAD, "it does not name the end of the log"))
        }
    }

    async fn end_of_trimmed(self, trimmed: u64) -> Result<Tail, SharedError> {
        let listed = self.list_after(names::LOG, names::LOG).await?;
        let taken: BTreeSet<_> = listed
            .iter()
            .filter_map(|name| names::sequence(name))
            .collect();
        let missing = |sequence| damaged(&names::log(sequence), "it is missing");
        if let Some(free) = (1..=trimmed).find(|sequence| !taken.contains(sequence)) {
            return Err(missing(free));
        }
        let next = self.entries(std::iter::once(trimmed + 1));
        let next = std::pin::pin!(next).try_next().await?;
        let (_, next) = next.unwrap_or_default();
        let next = next.ok_or_else(|| missing(trimmed + 1))?;
        Ok(Tail {
            sequence: trimmed,
            digest: next.body.before,
        })
    }

    /// Reads the entries that follow a state of a held record, up to the end of the log.
    pub(super) async fn follow(self, state: &mut State) -> Result<(), SharedError> {
        let after = names::log(state.tail.sequence);
        let listed = self.list_after(names::LOG, &after).await?;
        let last = listed.iter().filter_map(|name| names::sequence(name)).max();
        self.extend(state, last.unwrap_or_default(), LARGEST_LOG)
            .await
    }

    /// Reads the entries that follow a state, up to a number. The log since its checkpoint has at most so many bytes.
    pub(super) async fn extend(
        self,
        state: &mut State,
        last: u64,
        most: u64,
    ) -> Result<(), SharedError> {
        let entries = self.entries(state.tail.sequence + 1..=last);
        let mut entries = std::pin::pin!(entries);
        while let Some((sequence, entry)) = entries.try_next().await? {
            let entry = entry.ok_or_else(|| damaged(&names::log(sequence), "it is missing"))?;
            state.add(entry)?;
            if state.since_base.bytes > most {
                return Err(damaged(
                    &names::log(sequence),
                    "the log from the checkpoint to it is larger than any that hookctl writes",
                ));
            }
        }
        Ok(())
    }

    /// Reads log entries in this order, several at once. `None` is a free number.
    ///
    /// They are decoded one at a time, because a decoded entry takes several times the memory of its bytes.
    pub(super) fn entries(
        self,
        sequences: impl Iterator<Item = u64>,
    ) -> impl Stream<Item = Result<(u64, Option<ReadEntry>), SharedError>> {
        stream::iter(sequences)
            .map(move |sequence| async move {
                let content = self.log(sequence).await?;
                Ok::<_, SharedError>((sequence, content))
            })
            .buffered(CONCURRENT_READS)
            .map(|read| {
                let (sequence, content) = read?;
                let entry = content.map(|content| ReadEntry::decode(sequence, &content));
                Ok((sequence, entry.transpose()?))
            })
    }

    /// Reads the content of a log entry. Returns `None` if the number is free.
    async fn log(self, sequence: u64) -> Result<Option<Vec<u8>>, SharedError> {
        let name = names::log(sequence);
        match self.read(&name, None).await? {
            Blob::Found { content, .. } if content.len() > LARGEST_ENTRY => {
                Err(damaged(&name, "it is larger than any entry"))
            }
            Blob::Found { content, .. } => Ok(Some(content)),
            Blob::Missing | Blob::Unchanged => Ok(None),
        }
    }

    /// Reads one entry. Returns `None` if the number is free.
    pub(super) async fn one_entry(self, sequence: u64) -> Result<Option<ReadEntry>, SharedError> {
        let content = self.log(sequence).await?;
        let entry = content.map(|content| ReadEntry::decode(sequence, &content));
        entry.transpose()
    }

    async fn base(self, head: &HeadBody) -> Result<State, SharedError> {
        let Some(base) = &head.base else {
            return Ok(State::empty(head));
        };
        let body = self.checkpoint(base).await?;
        if body.record != head.record {
            let name = names::base(base.tail.sequence, base.digest);
            return Err(damaged(&name, "it belongs to another record"));
        }
        Ok(State {
            tail: base.tail,
            remembered: body.into_remembered(),
            ..State::empty(head)
        })
    }

    /// Reads a checkpoint.
    pub(super) async fn checkpoint(self, base: &Base) -> Result<BaseBody<'static>, SharedError> {
        let name = names::base(base.tail.sequence, base.digest);
        let Blob::Found { content, .. } = self.read(&name, None).await? else {
            return Err(damaged(&name, "it is missing"));
        };
        if content.len() > LARGEST_BASE {
            return Err(damaged(&name, "it is larger than any checkpoint"));
        }
        if Digest::of(&content) != base.digest {
            return Err(damaged(
                &name,
                "it is not the checkpoint that the head names",
            ));
        }
        let content = packed::unpack(&content)
            .map_err(|_| damaged(&name, "it does not unpack to a checkpoint"))?;
        format::decode(&name, &content)
    }
}

/// A log entry, as read.
pub(super) struct ReadEntry {
    pub(super) body: LogBody,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

impl ReadEntry {
    fn decode(sequence: u64, content: &[u8]) -> Result<Self, SharedError> {
        let name = names::log(sequence);
        let body: LogBody = format::decode(&name, content)?;
        if body.sequence != sequence {
            return Err(damaged(&name, "it is another entry"));
        }
        Ok(Self {
            digest: Digest::of(content),
            bytes: content.len() as u64,
            body,
        })
    }
}

impl State {
    /// Returns the state before the first entry.
    pub(super) fn empty(head: &HeadBody) -> Self {
        Self {
            record: head.record.clone(),
            tail: Tail::empty(),
            epoch: 0,
            remembered: Remembered::default(),
            since_base: SinceBase::default(),
        }
    }

    /// Adds the next entry of the log.
    pub(super) fn add(&mut self, entry: ReadEntry) -> Result<(), SharedError> {
        let name = || names::log(entry.body.sequence);
        if entry.body.sequence != self.tail.sequence + 1 {
            return Err(damaged(&name(), "it is not the next entry"));
        }
        if entry.body.before != self.tail.digest {
            return Err(damaged(&name(), "it does not follow the entry before it"));
        }
        if entry.body.epoch < self.epoch {
            return Err(damaged(&name(), "its epoch is over"));
        }
        self.epoch = entry.body.epoch;
        self.tail = Tail {
            sequence: entry.body.sequence,
            digest: entry.digest,
        };
        self.since_base.entries += 1;
        self.since_base.bytes += entry.bytes;
        for operation in entry.body.operations {
            operation.apply(&mut self.remembered);
        }
        Ok(())
    }
}

pub(super) fn damaged(object: &str, reason: &'static str) -> SharedError {
    SharedError::Damaged {
        object: object.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
