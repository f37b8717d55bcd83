//! A wrapper of sled. Of its types, only the error leaves this file.
//!
//! sled 0.34 has four weaknesses. A `flush` alone does not survive a power loss. Its `open` can panic on a damaged
//! file, and its last `drop` on a failing disk. A damaged log is silently truncated to an older state. This module
//! therefore syncs the files, catches panics, and keeps a generation number both in the database and in a file beside
//! it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::Tree;

use super::error::{SledError, io_error};
use super::folder::{self, DATABASE, GENERATION, SETTINGS, UNFINISHED};
use super::generation::{Found, GenerationFile};
use super::open::{LastHandle, database_error, open_guarded};
use super::schema::{
    self, Generation, HISTORY, INTENTS, META, OBSERVED, RECORDS, StoredEntry, StoredRecord,
};
use hookctl_core::record::Account;
use hookctl_core::record::HistoryLimits;
use hookctl_core::record::{HistoryEntry, Intent, Pending};
use hookctl_core::secret::Followed;
use hookctl_core::state::LastApplied;
use hookctl_core::webhook::Key;
use hookctl_system::input::open_plain;

const VERSION_KEY: &[u8] = b"version";
pub(super) const GENERATION_KEY: &[u8] = b"generation";

/// An open database.
pub(super) struct Database {
    sled: sled::Db,
    pub(super) records: Tree,
    pub(super) intents: Tree,
    pub(super) history: Tree,
    pub(super) observed: Tree,
    pub(super) meta: Tree,
    /// The file that sled writes, for syncing it.
    file: File,
    pub(super) generation_file: GenerationFile,
    /// The folder in which the database is opened.
    directory: PathBuf,
    /// The retention limits of the history.
    pub(super) history_limits: HistoryLimits,
    pub(super) followed: Followed,
    /// The folder to name in messages: that of the original, if this is a copy.
    shown: PathBuf,
    // Fields are dropped in declaration order, and this one must be the last.
    _last: LastHandle,
}

impl Database {
    /// Returns whether a folder contains a database.
    ///
    /// # Errors
    /// [`SledError::Io`] if the folder cannot be inspected.
    pub(super) fn is_in(directory: &Path) -> Result<bool, SledError> {
        let database = directory.join(DATABASE);
        match folder::kind(&database)? {
            None => Ok(false),
            Some(kind) if kind.is_dir() => Ok(folder::kind(&database.join("db"))?.is_some()),
            // Another kind of file has its name; the check reports it.
            Some(_) => Ok(true),
        }
    }

    /// Opens or creates the database in a folder, and checks it.
    pub(super) fn open(directory: &Path, shown: &Path) -> Result<Self, SledError> {
        let opened = Self::open_unchecked(directory, shown)?;
        opened.check()?;
        Ok(opened)
    }

    /// Opens or creates the database in a folder.
    pub(super) fn open_unchecked(directory: &Path, shown: &Path) -> Result<Self, SledError> {
        check_clock(jiff::Timestamp::now())?;
        folder::clear_unfinished(directory)?;
        if folder::kind(&directory.join(GENERATION))?.is_some_and(|kind| kind.is_dir()) {
            return Err(SledError::Damaged {
                directory: shown.to_owned(),
                what: "'generation' is not a regular file".to_owned(),
            });
        }
        let path = directory.join(DATABASE);
        if folder::kind(&path)?.is_none() {
            Self::make(directory, shown)?;
        }
        Self::open_in(directory, &path, shown)
    }

    /// Creates a database under a temporary name, and renames it once all of it is durable. A database with the final
    /// name is therefore complete.
    fn make(directory: &Path, shown: &Path) -> Result<(), SledError> {
        let path = directory.join(UNFINISHED);
        let made = Self::open_in(directory, &path, shown)?;
        made.put(&made.meta, META, VERSION_KEY, &schema::VERSION)?;
        made.sync()?;
        drop(made);
        folder::sync(&path.join(SETTINGS))?;
        folder::sync(&path)?;
        let named = directory.join(DATABASE);
        std::fs::rename(&path, &named).map_err(io_error("make", &named))?;
        folder::sync(directory)
    }

    fn open_in(directory: &Path, path: &Path, shown: &Path) -> Result<Self, SledError> {
        let database = open_guarded(path, shown)?;
        let tree = |name: &str| {
            database
                .open_tree(name)
                .map_err(|source| database_error("open", shown, source))
        };
        Ok(Self {
            records: tree(RECORDS)?,
            history: tree(HISTORY)?,
            intents: tree(INTENTS)?,
            observed: tree(OBSERVED)?,
            meta: tree(META)?,
            file: open_plain(&path.join("db"), File::options().read(true))
                .map_err(io_error("open", path))?,
            generation_file: GenerationFile::open(&directory.join(GENERATION))?,
            _last: LastHandle::of(&database),
            sled: database,
            directory: directory.to_owned(),
            shown: shown.to_owned(),
            history_limits: HistoryLimits::default(),
            followed: Followed::default(),
        })
    }

    /// Returns the last-applied state of each bound webhook of an account.
    pub(super) fn last_applied(&self, account: &Account) -> Result<LastApplied, SledError> {
        let mut records = LastApplied::new();
        for row in self.rows::<StoredRecord>(&self.records, RECORDS, account) {
            let (name, record) = row?;
            let key = String::from_utf8(name)
                .ok()
                .and_then(|name| Key::parse(&name).ok())
                .ok_or_else(|| self.damaged("a binding has an invalid key"))?;
            records.insert(key, record.into());
        }
        Ok(records)
    }

    /// Returns the pending writes of an account, and the ids that were observed before them.
    pub(super) fn pending(&self, account: &Account) -> Result<Pending, SledError> {
        let intents = self
            .rows::<Intent>(&self.intents, INTENTS, account)
            .map(|row| row.map(|(_, intent)| (intent.key.clone(), intent)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let seen = if intents.is_empty() {
            Vec::new()
        } else {
            self.observed_webhooks(account)?
        };
        Ok(Pending {
            intents,
            seen: seen.into_iter().map(|webhook| webhook.id).collect(),
        })
    }

    /// Checks every value of a tree, over all accounts. Returns the number of values.
    pub(super) fn verify(&self, name: &str) -> Result<usize, SledError> {
        self.sum(name, |_: serde::de::IgnoredAny| 1)
    }

    /// Checks every value of a tree whose rows are lists, over all accounts. Returns the number of list items.
    pub(super) fn verify_lists(&self, name: &str) -> Result<usize, SledError> {
        self.sum(name, |list: Vec<serde::de::IgnoredAny>| list.len())
    }

    /// Checks every value of a tree, over all accounts. Returns the sum of `count` over them.
    fn sum<T: DeserializeOwned>(
        &self,
        name: &str,
        count: impl Fn(T) -> usize,
    ) -> Result<usize, SledError> {
        let tree = self
            .sled
            .open_tree(name)
            .map_err(|source| self.failed("read", source))?;
        let mut sum = 0;
        for row in &tree {
            let (key, value) = row.map_err(|source| self.failed("read", source))?;
            sum += count(schema::decode(name, &key, &value).map_err(|error| self.damaged(error))?);
        }
        Ok(sum)
    }

    /// Returns the readable bindings of an account, and skips the others.
    pub(super) fn readable_records(&self, account: &Account) -> LastApplied {
        let prefix = row_key(account, b"");
        self.records
            .scan_prefix(&prefix)
            .filter_map(|row| {
                let (key, value) = row.ok()?;
                let record: StoredRecord = schema::decode(RECORDS, &key, &value).ok()?;
                let own = std::str::from_utf8(key.get(prefix.len()..)?).ok()?;
                Some((Key::parse(own).ok()?, record.into()))
            })
            .collect()
    }

    /// Returns up to `limit` changes of an account, the newest first.
    pub(super) fn history(
        &self,
        account: &Account,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, SledError> {
        let prefix = row_key(account, b"");
        let mut latest = Vec::new();
        for row in self.history.scan_prefix(&prefix).rev() {
            if latest.len() >= limit {
                break;
            }
            let (key, value) = row.map_err(|source| self.failed("read", source))?;
            let entries: Vec<StoredEntry<'static>> =
                schema::decode(HISTORY, &key, &value).map_err(|error| self.damaged(error))?;
            latest.extend(entries.into_iter().rev().map(HistoryEntry::from));
        }
        latest.truncate(limit);
        Ok(latest)
    }

    /// Returns the accounts in the database.
    pub(super) fn accounts(&self) -> Result<Vec<Account>, SledError> {
        let mut accounts = Vec::new();
        for row in &self.records {
            let (key, _) = row.map_err(|source| self.failed("read", source))?;
            let mut parts = key.split(|byte| *byte == 0);
            let mut text =
                || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
            let account = Account::new(&text(), &text());
            if accounts.last() != Some(&account) {
                accounts.push(account);
            }
        }
        Ok(accounts)
    }

    /// Makes all writes so far durable.
    pub(super) fn sync(&self) -> Result<(), SledError> {
        self.sled
            .flush()
            .map_err(|source| self.failed("write", source))?;
        self.file
            .sync_all()
            .map_err(io_error("sync", &self.directory.join(DATABASE)))
    }

    /// Returns the folder in which the database is opened.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Changes the tag of the state if the last transaction is not in the generation file, because its process ended in
    /// between. What was read before then counts as outdated. The generation in the file stays, since the transaction may
    /// not be durable.
    pub(super) fn tag_unrecorded(&self) -> Result<(), SledError> {
        let recorded = match GenerationFile::read(&self.directory.join(GENERATION))? {
            Found::Whole(recorded) => recorded,
            Found::Missing | Found::Damaged(_) => Generation::default(),
        };
        if self.generation()?.unwrap_or_default().number > recorded.number {
            self.generation_file.write(recorded)?;
        }
        Ok(())
    }

    /// Checks the database's version, its generation, and its number of bindings.
    fn check(&self) -> Result<(), SledError> {
        let version: Option<u32> = self.get(&self.meta, META, VERSION_KEY)?;
        match version {
            Some(schema::VERSION) => {}
            Some(found) if found > schema::VERSION => {
                return Err(SledError::Newer {
                    directory: self.shown.clone(),
                    found,
                });
            }
            _ => return Err(self.damaged("the schema version is missing")),
        }
        let generation = self.generation()?.unwrap_or_default();
        // The file is written after the transaction, so the database may be one generation ahead.
        let expected = match GenerationFile::read(&self.directory.join(GENERATION))? {
            Found::Whole(expected) => expected,
            // The first write of the file was interrupted.
            Found::Missing | Found::Damaged(_) if generation.number <= 1 => Generation::default(),
            Found::Missing => return Err(self.damaged("the file 'generation' is missing")),
            Found::Damaged(error) => {
                return Err(self.damaged(format!("the file 'generation': {error}")));
            }
        };
        if generation.number < expected.number {
            return Err(SledError::RolledBack {
                directory: self.shown.clone(),
                expected: expected.number,
                found: generation.number,
            });
        }
        let found = self.records.len() as u64;
        if found != generation.records {
            return Err(self.damaged(format!(
                "{} bindings found, {} expected",
                found, generation.records
            )));
        }
        Ok(())
    }

    pub(super) fn generation(&self) -> Result<Option<Generation>, SledError> {
        self.get(&self.meta, META, GENERATION_KEY)
    }

    /// Returns the rows of an account in a tree, each checked, by the last part of the row's key.
    pub(super) fn rows<'a, T: DeserializeOwned>(
        &'a self,
        tree: &'a Tree,
        name: &'a str,
        account: &Account,
    ) -> impl Iterator<Item = Result<(Vec<u8>, T), SledError>> + use<'a, T> {
        let prefix = row_key(account, b"");
        tree.scan_prefix(&prefix).map(move |row| {
            let (key, value) = row.map_err(|source| self.failed("read", source))?;
            let payload =
                schema::decode(name, &key, &value).map_err(|error| self.damaged(error))?;
            let own = key.get(prefix.len()..).unwrap_or_default().to_vec();
            Ok((own, payload))
        })
    }

    pub(super) fn get<T: DeserializeOwned>(
        &self,
        tree: &Tree,
        name: &str,
        key: &[u8],
    ) -> Result<Option<T>, SledError> {
        tree.get(key)
            .map_err(|source| self.failed("read", source))?
            .map(|value| schema::decode(name, key, &value).map_err(|error| self.damaged(error)))
            .transpose()
    }

    pub(super) fn put(
        &self,
        tree: &Tree,
        name: &str,
        key: &[u8],
        payload: &impl Serialize,
    ) -> Result<(), SledError> {
        let value = self.encoded(name, key, payload)?;
        tree.insert(key, value)
            .map_err(|source| self.failed("write", source))?;
        Ok(())
    }

    pub(super) fn encoded(
        &self,
        tree: &str,
        key: &[u8],
        payload: &impl Serialize,
    ) -> Result<Vec<u8>, SledError> {
        schema::encode(tree, key, payload).map_err(|error| self.damaged(error))
    }

    pub(super) fn failed(&self, attempt: &'static str, source: sled::Error) -> SledError {
        database_error(attempt, &self.shown, source)
    }

    pub(super) fn damaged(&self, what: impl std::fmt::Display) -> SledError {
        SledError::Damaged {
            directory: self.shown.clone(),
            what: what.to_string(),
        }
    }
}

/// Checks the clock: sled panics if it is before 1970.
fn check_clock(now: jiff::Timestamp) -> Result<(), SledError> {
    if now < jiff::Timestamp::UNIX_EPOCH {
        return Err(SledError::Clock);
    }
    Ok(())
}

/// Returns the key of a row: the account, then the row's own part. No part of an account contains a NUL.
pub(super) fn row_key(account: &Account, own: &[u8]) -> Vec<u8> {
    let length = account.target().len() + account.api().len() + 2 + own.len();
    let mut key = Vec::with_capacity(length);
    for part in [account.target(), account.api()] {
        key.extend_from_slice(part.as_bytes());
        key.push(0);
    }
    key.extend_from_slice(own);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_an_error() {
        let epoch = jiff::Timestamp::UNIX_EPOCH;
        assert!(check_clock(epoch).is_ok());
        let before = epoch - jiff::SignedDuration::from_secs(1);
        assert!(matches!(check_clock(before), Err(SledError::Clock)));
    }
}
