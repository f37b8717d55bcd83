//! Several writes in one transaction.

use std::collections::BTreeMap;

use sled::Transactional as _;
use sled::transaction::{
    ConflictableTransactionError, TransactionError, TransactionalTree, UnabortableTransactionError,
};

use super::database::{Database, GENERATION_KEY, row_key};
use super::history::Pruned;
use super::schema::{Generation, HISTORY, INTENTS, META, RECORDS, StoredEntry, StoredRecord};
use super::writer::Write;
use super::{Account, CacheError};
use hookctl_core::record::{After, Settlement};

/// The most applied changes in one row. sled spends more on a row than on the bytes in it, so what was
/// committed together is kept together.
const CHANGES_IN_A_ROW: usize = 16;

/// What one transaction writes.
#[derive(Default)]
struct Commit<'a> {
    generation: Generation,
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    intents: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    changes: Vec<StoredEntry<'a>>,
    history: Vec<(Vec<u8>, Vec<u8>)>,
    pruned: Pruned,
}

impl Database {
    /// Commits several writes in one transaction, durable when this returns.
    pub(super) fn commit<'a>(
        &self,
        account: &Account,
        writes: impl Iterator<Item = &'a Write>,
    ) -> Result<(), CacheError> {
        let mut commit = Commit {
            generation: self.generation()?.unwrap_or_default(),
            ..Commit::default()
        };
        commit.generation.number += 1;
        for write in writes {
            match write {
                Write::Intend(intent) => {
                    let key = row_key(account, intent.key.as_str().as_bytes());
                    let value = self.encoded(INTENTS, &key, intent)?;
                    commit.intents.insert(key, Some(value));
                }
                Write::Settle(settlements) => {
                    for settlement in settlements {
                        self.stage(account, settlement, &mut commit)?;
                    }
                }
            }
        }
        self.stage_history(account, &mut commit)?;
        let generation = self.transact(&commit)?;
        self.sync()?;
        self.generation_file.write(generation)
    }

    fn stage<'a>(
        &self,
        account: &Account,
        settlement: &'a Settlement,
        commit: &mut Commit<'a>,
    ) -> Result<(), CacheError> {
        let key = row_key(account, settlement.key.as_str().as_bytes());
        let lingering = settlement.lingering.as_deref();
        let lingering = lingering.map(|intent| self.encoded(INTENTS, &key, intent));
        commit.intents.insert(key.clone(), lingering.transpose()?);
        commit.changes.extend(
            settlement
                .history
                .as_ref()
                .map(|entry| StoredEntry::hiding(entry, &self.followed)),
        );
        let value = match &settlement.after {
            After::Unchanged => return Ok(()),
            After::Record(record) => {
                let record = record.hiding(&self.followed);
                Some(self.encoded(RECORDS, &key, &StoredRecord::from(&record))?)
            }
            After::Dropped => None,
        };
        commit.records.insert(key, value);
        Ok(())
    }

    /// Makes rows of the changes, in their order; the order of their keys is that of time.
    fn stage_history(&self, account: &Account, commit: &mut Commit<'_>) -> Result<(), CacheError> {
        let number = commit.generation.number.to_be_bytes();
        for (place, changes) in (0_u32..).zip(commit.changes.chunks(CHANGES_IN_A_ROW)) {
            let key = row_key(account, &[&number[..], &place.to_be_bytes()].concat());
            let value = self.encoded(HISTORY, &key, &changes)?;
            commit.history.push((key, value));
        }
        let latest = commit.changes.last().map(|change| &*change.at);
        commit.pruned =
            self.prune_history(account, commit.history.len(), commit.changes.len(), latest)?;
        Ok(())
    }

    /// Writes it all or nothing, and returns the state that the database has then.
    fn transact(&self, commit: &Commit<'_>) -> Result<Generation, CacheError> {
        let done = (&self.records, &self.intents, &self.history, &self.meta).transaction(
            |(records, intents, history, meta)| {
                let mut generation = commit.generation;
                for (key, value) in &commit.records {
                    let before = write(records, key, value.as_deref())?;
                    generation.records += u64::from(value.is_some());
                    generation.records = generation
                        .records
                        .saturating_sub(u64::from(before.is_some()));
                }
                for (key, value) in &commit.intents {
                    write(intents, key, value.as_deref())?;
                }
                for (key, value) in &commit.history {
                    write(history, key, Some(value))?;
                }
                for key in &commit.pruned.rows {
                    write(history, key, None)?;
                }
                if let Some((key, value)) = &commit.pruned.count {
                    write(meta, key, Some(value))?;
                }
                let counted = self
                    .encoded(META, GENERATION_KEY, &generation)
                    .map_err(ConflictableTransactionError::Abort)?;
                write(meta, GENERATION_KEY, Some(&counted))?;
                Ok(generation)
            },
        );
        done.map_err(|error| match error {
            TransactionError::Storage(source) => self.failed("write", source),
            TransactionError::Abort(error) => error,
        })
    }
}

/// Writes or removes a row, and returns what was there before.
fn write(
    tree: &TransactionalTree,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Option<sled::IVec>, UnabortableTransactionError> {
    match value {
        Some(value) => tree.insert(key, value),
        None => tree.remove(key),
    }
}
