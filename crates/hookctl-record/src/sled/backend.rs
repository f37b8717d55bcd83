//! The port of the record, on sled.

use std::sync::Arc;

use hookctl_core::record::{
    Account, Backend, Commit, Head, HistoryEntry, Loaded, Observation, PortFuture, RecordError,
    Session,
};

use super::error::SledError;
use super::generation::head;
use super::opened::{Copied, Opened};
use super::options::SledOptions;
use crate::Record;

/// The record of one account in a folder, on sled. Reads and writes block the thread.
#[derive(Clone, Debug)]
pub struct SledRecord {
    options: SledOptions,
    account: Account,
}

impl SledRecord {
    /// Returns the record of an account in a folder. Reads nothing, and creates no folder.
    pub const fn new(options: SledOptions, account: Account) -> Self {
        Self { options, account }
    }

    /// Returns a handle over this record.
    pub fn into_record(self) -> Record {
        let account = self.account.clone();
        Record::new(self, account)
    }

    fn copied(&self) -> Result<Option<Copied>, SledError> {
        Copied::open(&self.options, self.account.clone())
    }
}

/// Returns the accounts in a folder's record.
///
/// # Errors
/// [`SledError`]
pub fn accounts(options: &SledOptions) -> Result<Vec<Account>, SledError> {
    let copied = Copied::open(options, Account::new("", ""))?;
    copied.map_or_else(|| Ok(Vec::new()), |copied| copied.accounts())
}

impl Backend for SledRecord {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        Box::pin(async { Ok(head(&self.options.directory)) })
    }

    fn load(&self) -> PortFuture<'_, Loaded> {
        Box::pin(async {
            // Read before the copy is made: a write in between changes the tag.
            let head = head(&self.options.directory);
            let loaded = match self.copied()? {
                Some(copied) => copied.load()?,
                None => Loaded::default(),
            };
            Ok(Loaded { head, ..loaded })
        })
    }

    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        Box::pin(async move {
            let copied = self.copied()?;
            Ok(copied.map_or_else(|| Ok(Vec::new()), |copied| copied.history(limit))?)
        })
    }

    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        Box::pin(async {
            Ok(self
                .copied()?
                .map_or(Ok(None), |copied| copied.observed())?)
        })
    }

    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        Box::pin(async {
            let session: Box<dyn Session> = Box::new(SledSession {
                opened: Opened::open(&self.options, self.account.clone())?,
                options: self.options.clone(),
            });
            Ok(session)
        })
    }
}

struct SledSession {
    opened: Opened,
    options: SledOptions,
}

impl Session for SledSession {
    fn load(&self) -> PortFuture<'_, Loaded> {
        Box::pin(async { Ok(self.opened.load()?) })
    }

    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64> {
        Box::pin(async move {
            let appended = self.opened.append(commit).await;
            appended.map_err(|error| RecordError::new(error.kind(), error))
        })
    }

    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>> {
        Box::pin(async move {
            // Read while no other process can write: a later write changes the tag.
            let head = head(&self.options.directory);
            self.opened.close()?;
            Ok(head)
        })
    }
}
