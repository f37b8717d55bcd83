//! Emptying old entries of the log, whose effect is in a checkpoint.
//!
//! An entry is emptied and never deleted: its number must stay taken, or a process that was replaced long ago could append
//! again.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::blobs::Blob;
use super::context::{Shared, nonce};
use super::digest::Digest;
use super::error::SharedError;
use super::format::{self, LogBody};
use super::lease::Release;
use super::names;
use super::write::{Attempts, Resolved};

/// How many entries are emptied at once.
const CONCURRENT_WRITES: usize = 16;

impl Shared {
    /// Empties the entries that are older than this and that a checkpoint covers. Returns how many those are.
    pub(super) async fn trim(self: Arc<Self>, keep: Duration) -> Result<u64, SharedError> {
        let head = self.current_head().await?.body;
        self.check(&head)?;
        let base = head.base.map_or(0, |base| base.tail.sequence);
        // The entry that a checkpoint ends with stays, so that the log can be compared with it.
        let candidates = head.trimmed + 1..=base.saturating_sub(1);
        let old = self.older(candidates, keep).await?;
        let Some(last) = old.clone().last() else {
            return Ok(0);
        };
        // The head says so first: what is emptied meanwhile must not look like damage.
        let session = Arc::clone(&self).take().await?;
        session
            .release_with(Release {
                trimmed: last,
                ..Release::default()
            })
            .await?;
        let attempts = self.attempts();
        let emptied = stream::iter(old).map(|sequence| attempts.empty(sequence));
        let mut emptied = emptied.buffer_unordered(CONCURRENT_WRITES);
        let mut count = 0;
        while emptied.try_next().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Returns the entries before the first one that is younger than this.
    async fn older(
        &self,
        candidates: RangeInclusive<u64>,
        keep: Duration,
    ) -> Result<RangeInclusive<u64>, SharedError> {
        let now = self.options.clock.now().at;
        let mut last = candidates.start() - 1;
        let entries = self.attempts().entries(candidates.clone());
        let mut entries = std::pin::pin!(entries);
        while let Some((sequence, Some(entry))) = self.unless_cancelled(entries.try_next()).await? {
            let age = now.duration_since(entry.body.at);
            if age.is_negative() || age.unsigned_abs() < keep {
                break;
            }
            last = sequence;
        }
        Ok(*candidates.start()..=last)
    }
}

impl Attempts<'_> {
    /// Replaces an entry by one without operations.
    async fn empty(self, sequence: u64) -> Result<(), SharedError> {
        let name = names::log(sequence);
        let Blob::Found { content, version } = self.read(&name, None).await? else {
            return Err(SharedError::Damaged {
                object: name,
                reason: "it is missing",
            });
        };
        let body: LogBody = format::decode(&name, &content)?;
        if body.operations.is_empty() {
            return Ok(());
        }
        let emptied = LogBody {
            operations: Vec::new(),
            nonce: nonce()?,
            before: Digest::none(),
            ..body
        };
        match self.swap(&name, &format::encode(&emptied)?, &version).await {
            // Another process empties the same entry.
            Resolved::Mine(_) | Resolved::Theirs => Ok(()),
            Resolved::Unknown(error) => Err(error.into()),
        }
    }
}
