//! A commit in one transaction.

use std::collections::BTreeMap;

use sled::Transactional as _;
use sled::transaction::{
    ConflictableTransactionError, TransactionError, TransactionalTree, UnabortableTransactionError,
};

use super::database::{Database, GENERATION_KEY, row_key};
use super::error::SledError;
use super::history::Pruned;
use super::schema::{Generation, HISTORY, INTENTS, META, RECORDS, StoredEntry, StoredRecord};
use hookctl_core::record::Account;
use hookctl_core::record::{After, Commit, Entry, Settlement};

/// The maximum number of changes in a row. A row costs sled more than its bytes, so the changes of a commit share
/// rows.
const CHANGES_IN_A_ROW: usize = 16;

/// The writes of a transaction.
#[derive(Default)]
struct Staged<'a> {
    generation: Generation,
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    intents: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    changes: Vec<StoredEntry<'a>>,
    history: Vec<(Vec<u8>, Vec<u8>)>,
    pruned: Pruned,
}

impl Database {
    /// Commits entries in one transaction, and returns the number of the last commit. Durable when this returns.
    /// Observations are written before it, and need no transaction by themselves.
    pub(super) fn commit(&self, account: &Account, commit: &Commit) -> Result<u64, SledError> {
        let generation = self.generation()?.unwrap_or_default();
        let next = generation.number + 1;
        if commit.sequence != next {
            return Err(SledError::Conflict {
                expected: next,
                found: commit.sequence,
            });
        }
        let mut staged = Staged {
            generation: Generation {
                number: next,
                ..generation
            },
            ..Staged::default()
        };
        for entry in &commit.entries {
            match entry {
                Entry::Intended(intent) => {
                    let key = row_key(account, intent.key.as_str().as_bytes());
                    let value = self.encoded(INTENTS, &key, intent)?;
                    staged.intents.insert(key, Some(value));
                }
                Entry::Settled(settlement) => self.stage(account, settlement, &mut staged)?,
                Entry::Observed(observation) => self.keep_observed(account, observation)?,
            }
        }
        if commit.entries.iter().all(Entry::is_observation) {
            return Ok(generation.number);
        }
        self.stage_history(account, &mut staged)?;
        let generation = self.transact(&staged)?;
        self.sync()?;
        self.generation_file.write(generation)?;
        Ok(generation.number)
    }

    fn stage<'a>(
        &self,
        account: &Account,
        settlement: &'a Settlement,
        staged: &mut Staged<'a>,
    ) -> Result<(), SledError> {
        let key = row_key(account, settlement.key.as_str().as_bytes());
        let lingering = settlement.lingering.as_deref();
        let lingering = lingering.map(|intent| self.encoded(INTENTS, &key, intent));
        staged.intents.insert(key.clone(), lingering.transpose()?);
        staged.changes.extend(
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
        staged.records.insert(key, value);
        Ok(())
    }

    /// Adds rows of changes. Their keys sort by time.
    fn stage_history(&self, account: &Account, staged: &mut Staged<'_>) -> Result<(), SledError> {
        let number = staged.generation.number.to_be_bytes();
        for (place, changes) in (0_u32..).zip(staged.changes.chunks(CHANGES_IN_A_ROW)) {
            let key = row_key(account, &[&number[..], &place.to_be_bytes()].concat());
            let value = self.encoded(HISTORY, &key, &changes)?;
            staged.history.push((key, value));
        }
        let latest = staged.changes.last().map(|change| change.at);
        staged.pruned =
            self.prune_history(account, staged.history.len(), staged.changes.len(), latest)?;
        Ok(())
    }

    /// Writes everything or nothing, and returns the new state of the database.
    fn transact(&self, staged: &Staged<'_>) -> Result<Generation, SledError> {
        let done = (&self.records, &self.intents, &self.history, &self.meta).transaction(
            |(records, intents, history, meta)| {
                let mut generation = staged.generation;
                for (key, value) in &staged.records {
                    let before = write(records, key, value.as_deref())?;
                    generation.records += u64::from(value.is_some());
                    generation.records = generation
                        .records
                        .saturating_sub(u64::from(before.is_some()));
                }
                for (key, value) in &staged.intents {
                    write(intents, key, value.as_deref())?;
                }
                for (key, value) in &staged.history {
                    write(history, key, Some(value))?;
                }
                for key in &staged.pruned.rows {
                    write(history, key, None)?;
                }
                if let Some((key, value)) = &staged.pruned.count {
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

/// Writes or removes a row, and returns its old value.
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
