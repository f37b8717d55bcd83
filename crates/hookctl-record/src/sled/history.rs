//! Retention of the history.
//!
//! Every change adds to the history, so a watch would eventually fill the disk. Each commit with changes removes
//! expired rows, the oldest first. It removes only a few at once, so a long history shrinks over several commits.

use jiff::Timestamp;

use super::database::{Database, row_key};
use super::error::SledError;
use super::schema::{self, HISTORY, META, StoredEntry};
use hookctl_core::record::Account;

/// The maximum number of old rows that a commit removes beyond the number that it adds.
const ROWS_AT_ONCE: usize = 32;

/// The rows that a commit removes from the history.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// The rows.
    pub(super) rows: Vec<Vec<u8>>,
    /// The updated row of the count.
    pub(super) count: Option<(Vec<u8>, Vec<u8>)>,
}

impl Database {
    /// Selects the rows to remove when `added` changes are added in `rows` rows, the last of which has a given time.
    pub(super) fn prune_history(
        &self,
        account: &Account,
        rows: usize,
        added: usize,
        latest: Option<Timestamp>,
    ) -> Result<Pruned, SledError> {
        if added == 0 {
            return Ok(Pruned::default());
        }
        let limits = self.history_limits;
        let count_key = row_key(account, b"history-count");
        let known = match self.get::<u64>(&self.meta, META, &count_key)? {
            Some(known) => known,
            // An older version stored no count; the rows are counted once.
            None => self.count_history(account)?,
        };
        let mut count = known.saturating_add(added as u64);
        let oldest = latest.and_then(|latest| latest.checked_sub(limits.keep).ok());
        let mut pruned = Pruned::default();
        for row in self.history.scan_prefix(row_key(account, b"")) {
            if pruned.rows.len() >= ROWS_AT_ONCE + rows {
                break;
            }
            let (key, value) = row.map_err(|source| self.failed("read", source))?;
            let entries: Vec<StoredEntry<'static>> =
                schema::decode(HISTORY, &key, &value).map_err(|error| self.damaged(error))?;
            let last = entries.last();
            let at = last.map(|last| last.at);
            let is_old = at.zip(oldest).is_some_and(|(at, oldest)| at < oldest);
            if !is_old && count <= limits.max_entries {
                break;
            }
            pruned.rows.push(key.to_vec());
            count = count.saturating_sub(entries.len() as u64);
        }
        let value = self.encoded(META, &count_key, &count)?;
        pruned.count = Some((count_key, value));
        Ok(pruned)
    }

    fn count_history(&self, account: &Account) -> Result<u64, SledError> {
        self.rows::<Vec<serde::de::IgnoredAny>>(&self.history, HISTORY, account)
            .map(|row| row.map(|(_, entries)| entries.len() as u64))
            .sum()
    }
}
