//! Several writes in one transaction.

use std::collections::BTreeMap;

use sled::Transactional as _;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::database::{Database, GENERATION_KEY, row_key};
use super::schema::{Generation, HISTORY, INTENTS, META, RECORDS, StoredRecord};
use super::writer::Write;
use super::{Account, CacheError};
use crate::record::{After, Settlement};

/// What one transaction writes.
#[derive(Default)]
struct Commit {
    generation: Generation,
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    intents: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    history: Vec<(Vec<u8>, Vec<u8>)>,
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
        self.transact(&commit)?;
        self.sync()?;
        self.generation_file.write(commit.generation)
    }

    fn stage(
        &self,
        account: &Account,
        settlement: &Settlement,
        commit: &mut Commit,
    ) -> Result<(), CacheError> {
        let key = row_key(account, settlement.key.as_str().as_bytes());
        commit.intents.insert(key.clone(), None);
        if let Some(entry) = &settlement.history {
            let mut number = commit.generation.number.to_be_bytes().to_vec();
            number.extend_from_slice(
                &u32::try_from(commit.history.len())
                    .unwrap_or(u32::MAX)
                    .to_be_bytes(),
            );
            let key = row_key(account, &number);
            let value = self.encoded(HISTORY, &key, entry)?;
            commit.history.push((key, value));
        }
        let was_there = match commit.records.get(&key) {
            Some(staged) => staged.is_some(),
            None => self
                .records
                .contains_key(&key)
                .map_err(|source| self.failed("read", source))?,
        };
        let records = &mut commit.generation.records;
        let value = match &settlement.after {
            After::Unchanged => return Ok(()),
            After::Record(record) => {
                *records += u64::from(!was_there);
                Some(self.encoded(RECORDS, &key, &StoredRecord::from(&**record))?)
            }
            After::Dropped => {
                *records = records.saturating_sub(u64::from(was_there));
                None
            }
        };
        commit.records.insert(key, value);
        Ok(())
    }

    fn transact(&self, commit: &Commit) -> Result<(), CacheError> {
        let counted = self.encoded(META, GENERATION_KEY, &commit.generation)?;
        let done = (&self.records, &self.intents, &self.history, &self.meta).transaction(
            |(record_tree, intent_tree, history_tree, meta_tree)| {
                for (tree, rows) in [
                    (record_tree, &commit.records),
                    (intent_tree, &commit.intents),
                ] {
                    for (key, value) in rows {
                        match value {
                            Some(value) => tree.insert(key.as_slice(), value.as_slice())?,
                            None => tree.remove(key.as_slice())?,
                        };
                    }
                }
                for (key, value) in &commit.history {
                    history_tree.insert(key.as_slice(), value.as_slice())?;
                }
                meta_tree.insert(GENERATION_KEY, counted.as_slice())?;
                Ok::<(), ConflictableTransactionError<()>>(())
            },
        );
        match done {
            Ok(()) => Ok(()),
            Err(TransactionError::Storage(source)) => Err(self.failed("write", source)),
            Err(TransactionError::Abort(())) => Err(self.damaged("a transaction was given up")),
        }
    }
}
