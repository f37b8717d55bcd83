//! Reading the record: the head, the latest checkpoint, and the log after it.

use futures_util::{StreamExt, TryStreamExt, stream};
use hookctl_core::record::Remembered;

use super::blobs::{Blob, Version};
use super::digest::Digest;
use super::error::SharedError;
use super::format::{self, BaseBody, HeadBody, LogBody, Tail};
use super::names;
use super::write::Attempts;

/// How many log entries are read at once.
const CONCURRENT_READS: usize = 16;

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
    pub(super) remembered: Remembered,
    /// How many entries and bytes of the log follow the latest checkpoint.
    pub(super) since_base: SinceBase,
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
                let body: HeadBody = format::decode(names::HEAD, &content)?;
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
                return Err(damaged(
                    names::HEAD,
                    "it is older than what this process read before",
                ));
            }
        }
        let base_sequence = head.base.as_ref().map_or(0, |base| base.tail.sequence);
        let mut state = match known {
            Some(known) if known.tail.sequence >= base_sequence => known.clone(),
            _ => self.base(head).await?,
        };
        if state.tail.sequence < head.tail.sequence {
            let sequences = state.tail.sequence + 1..=head.tail.sequence;
            let mut entries = stream::iter(sequences)
                .map(|sequence| self.entry(sequence))
                .buffered(CONCURRENT_READS);
            while let Some(entry) = entries.try_next().await? {
                state.add(entry.ok_or_else(|| damaged("log", "an entry is missing"))?)?;
            }
        }
        if state.tail.sequence == head.tail.sequence && state.tail.digest != head.tail.digest {
            return Err(damaged(
                &names::log(state.tail.sequence),
                "it is not the entry that the head names",
            ));
        }
        Ok(state)
    }

    /// Reads the entries that follow a state, up to the first number that is free.
    pub(super) async fn follow(self, state: &mut State) -> Result<(), SharedError> {
        let after = names::log(state.tail.sequence);
        let listed = self.list_after(names::LOG, &after).await?;
        for name in listed {
            let Some(sequence) = names::sequence(&name) else {
                continue;
            };
            if sequence != state.tail.sequence + 1 {
                return Err(damaged(
                    &names::log(state.tail.sequence + 1),
                    "it is missing",
                ));
            }
            match self.entry(sequence).await? {
                Some(entry) => state.add(entry)?,
                None => return Err(damaged(&name, "it is missing")),
            }
        }
        Ok(())
    }

    /// Reads a log entry. Returns `None` if the number is free.
    pub(super) async fn entry(self, sequence: u64) -> Result<Option<ReadEntry>, SharedError> {
        let name = names::log(sequence);
        match self.read(&name, None).await? {
            Blob::Found { content, .. } => {
                let body: LogBody = format::decode(&name, &content)?;
                if body.sequence != sequence {
                    return Err(damaged(&name, "it is another entry"));
                }
                Ok(Some(ReadEntry {
                    digest: Digest::of(&content),
                    bytes: content.len() as u64,
                    body,
                }))
            }
            Blob::Missing | Blob::Unchanged => Ok(None),
        }
    }

    async fn base(self, head: &HeadBody) -> Result<State, SharedError> {
        let empty = State {
            record: head.record.clone(),
            tail: Tail::empty(),
            remembered: Remembered::default(),
            since_base: SinceBase::default(),
        };
        let Some(base) = &head.base else {
            return Ok(empty);
        };
        let name = names::base(base.tail.sequence, base.digest);
        let Blob::Found { content, .. } = self.read(&name, None).await? else {
            return Err(damaged(&name, "it is missing"));
        };
        if Digest::of(&content) != base.digest {
            return Err(damaged(
                &name,
                "it is not the checkpoint that the head names",
            ));
        }
        let body: BaseBody<'static> = format::decode(&name, &content)?;
        if body.record != head.record {
            return Err(damaged(&name, "it belongs to another record"));
        }
        Ok(State {
            tail: base.tail,
            remembered: body.into_remembered(),
            ..empty
        })
    }
}

/// A log entry, as read.
pub(super) struct ReadEntry {
    pub(super) body: LogBody,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

impl State {
    /// Adds the next entry of the log.
    pub(super) fn add(&mut self, entry: ReadEntry) -> Result<(), SharedError> {
        let name = || names::log(entry.body.sequence);
        if entry.body.sequence != self.tail.sequence + 1 {
            return Err(damaged(&name(), "it is not the next entry"));
        }
        if entry.body.before != self.tail.digest {
            return Err(damaged(&name(), "it does not follow the entry before it"));
        }
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
