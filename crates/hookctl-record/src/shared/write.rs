//! Conditional writes whose outcome is resolved.
//!
//! A response can be lost, and a store can refuse a write that it made. So each written content is unique, and reading it
//! back tells whose write took effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::blobs::{Blob, BlobError, BlobErrorKind, Blobs, Version, Written};
use super::options::SharedEvent;

/// The first pause between two attempts. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a write ended.
#[derive(Debug)]
pub(super) enum Resolved {
    /// The object has the content, in this version.
    Mine(Version),
    /// Another writer was first.
    Theirs,
    /// Unknown: the write may still take effect.
    Unknown(BlobError),
}

/// A store, and how long an operation on it may take.
#[derive(Clone, Copy)]
pub(super) struct Attempts<'a> {
    pub(super) blobs: &'a dyn Blobs,
    /// How long one attempt may take.
    pub(super) timeout: Duration,
    /// How long all attempts together may take.
    pub(super) budget: Duration,
    /// Whether the latest failure was reported, and no operation has succeeded since.
    pub(super) failing: &'a AtomicBool,
    pub(super) on_event: &'a (dyn Fn(&SharedEvent) + Send + Sync),
}

impl Attempts<'_> {
    /// Creates an object of a unique content.
    pub(super) async fn create(self, name: &str, content: &[u8]) -> Resolved {
        self.resolve(name, content, None).await
    }

    /// Replaces this version of an object by a unique content.
    pub(super) async fn swap(self, name: &str, content: &[u8], version: &Version) -> Resolved {
        self.resolve(name, content, Some(version)).await
    }

    /// Reads an object.
    pub(super) async fn read(
        self,
        name: &str,
        unless: Option<&Version>,
    ) -> Result<Blob, BlobError> {
        self.retried(|| self.blobs.read(name, unless)).await
    }

    /// Lists the objects of a folder after a name.
    pub(super) async fn list_after(
        self,
        folder: &str,
        after: &str,
    ) -> Result<Vec<String>, BlobError> {
        self.retried(|| self.blobs.list_after(folder, after)).await
    }

    async fn resolve(self, name: &str, content: &[u8], version: Option<&Version>) -> Resolved {
        let mut latest = None;
        let resolving = async {
            let mut pause = FIRST_PAUSE;
            loop {
                let attempt = match version {
                    Some(version) => self.blobs.swap(name, content.to_vec(), version),
                    None => self.blobs.create(name, content.to_vec()),
                };
                match self.timed(attempt).await {
                    Ok(Written::Done(version)) => return Resolved::Mine(version),
                    Err(error) if error.kind() != BlobErrorKind::Unavailable => {
                        return Resolved::Unknown(error);
                    }
                    Ok(Written::Refused) => {}
                    Err(error) => latest = Some(error),
                }
                match self.read(name, None).await {
                    Ok(Blob::Found {
                        content: found,
                        version,
                    }) if found == content => return Resolved::Mine(version),
                    Ok(Blob::Found { version: found, .. }) => {
                        if version != Some(&found) {
                            return Resolved::Theirs;
                        }
                    }
                    Ok(Blob::Missing) if version.is_none() => {}
                    Ok(Blob::Missing | Blob::Unchanged) => return Resolved::Theirs,
                    Err(error) => return Resolved::Unknown(error),
                }
                pause = wait(pause).await;
            }
        };
        let resolved = tokio::time::timeout(self.budget, resolving).await;
        resolved.unwrap_or_else(|_| Resolved::Unknown(latest.unwrap_or_else(too_late)))
    }

    async fn retried<'f, T, F>(self, attempt: impl Fn() -> F) -> Result<T, BlobError>
    where
        F: Future<Output = Result<T, BlobError>> + Send + 'f,
    {
        let mut latest = None;
        let reading = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.timed(attempt()).await {
                    Err(error) if error.kind() == BlobErrorKind::Unavailable => {
                        latest = Some(error);
                    }
                    result => return result,
                }
                pause = wait(pause).await;
            }
        };
        let read = tokio::time::timeout(self.budget, reading).await;
        read.unwrap_or_else(|_| Err(latest.unwrap_or_else(too_late)))
    }

    async fn timed<T>(
        self,
        attempt: impl Future<Output = Result<T, BlobError>>,
    ) -> Result<T, BlobError> {
        let result = tokio::time::timeout(self.timeout, attempt)
            .await
            .unwrap_or_else(|_| Err(too_late()));
        match &result {
            Ok(_) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if error.kind() == BlobErrorKind::Unavailable => self.tell(error),
            Err(_) => {}
        }
        result
    }

    /// Says that an operation is tried again. Several fail at once if the store does.
    fn tell(self, error: &BlobError) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            (self.on_event)(&SharedEvent::Retrying {
                error: error.clone(),
                budget: self.budget,
            });
        }
    }
}

async fn wait(pause: Duration) -> Duration {
    tokio::time::sleep(pause).await;
    pause.saturating_mul(2).min(LONGEST_PAUSE)
}

fn too_late() -> BlobError {
    BlobError::new(BlobErrorKind::Unavailable, "no response in time")
}
