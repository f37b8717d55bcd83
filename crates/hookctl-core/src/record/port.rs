//! The port that every back end of the record implements.
//!
//! A back end keeps commits. All it knows of their content is how to fold it. Its futures are boxed, so that a
//! program can choose its back end at run time.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::{Commit, HistoryEntry, Observation, Remembered, SendPermit};

/// A future of the port.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecordError>> + Send + 'a>>;

/// A back end that keeps the record of one account.
pub trait Backend: Send + Sync {
    /// Returns a tag of the record's current state, without reading the state. Returns `None` if there is no record,
    /// or if its state cannot be determined.
    ///
    /// # Errors
    /// [`RecordError`] if the record is known to be unusable.
    fn head(&self) -> PortFuture<'_, Option<Head>>;

    /// Reads the state, without a lock and without any change. A missing record is empty.
    ///
    /// # Errors
    /// [`RecordError`]
    fn load(&self) -> PortFuture<'_, Loaded>;

    /// Reads up to `limit` changes of the history, the newest first.
    ///
    /// # Errors
    /// [`RecordError`]
    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>>;

    /// Reads the last observation. Returns `None` before the first one. A back end may keep observations only in
    /// memory.
    ///
    /// # Errors
    /// [`RecordError`]
    fn observed(&self) -> PortFuture<'_, Option<Observation>>;

    /// Becomes the only writer, and creates the record if it is missing. Waits for another writer for as long as the
    /// back end's options say.
    ///
    /// # Errors
    /// [`RecordError`], with the kind [`Held`](RecordErrorKind::Held) if another writer does not end in time.
    fn begin(&self) -> PortFuture<'_, Box<dyn Session>>;

    /// Returns whether a pass should become the writer only before its first write. If not, it does so before it reads.
    fn begins_late(&self) -> bool {
        false
    }

    /// Becomes the only writer, like [`begin`](Self::begin), for a caller that read the record up to `sequence` before.
    ///
    /// # Errors
    /// Returns the errors of [`begin`](Self::begin).
    fn begin_after(&self, sequence: u64) -> PortFuture<'_, Begun> {
        Box::pin(async move {
            let session = self.begin().await?;
            let is_current = session.load().await?.sequence == sequence;
            Ok(Begun {
                session,
                is_current,
            })
        })
    }
}

/// A session that began after the record was read.
pub struct Begun {
    /// The session.
    pub session: Box<dyn Session>,
    /// Whether nothing was appended in between.
    pub is_current: bool,
}

impl fmt::Debug for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Begun")
            .field("is_current", &self.is_current)
            .finish_non_exhaustive()
    }
}

/// The only writer of a record.
pub trait Session: Send + Sync {
    /// Reads the state, including every commit so far, and the number of the last commit.
    ///
    /// # Errors
    /// [`RecordError`]
    fn load(&self) -> PortFuture<'_, Loaded>;

    /// Appends a commit, and returns the number of the last commit. Durable when this returns.
    ///
    /// A commit of only observations may become durable later, with the next commit or with [`end`](Self::end), and
    /// need not be numbered.
    ///
    /// # Errors
    /// [`RecordError`], with the kind [`Conflict`](RecordErrorKind::Conflict) if the number of the commit is not the
    /// next one. After an error the commit may or may not be durable, and the session refuses further commits.
    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64>;

    /// Returns the writer's permit to send requests. Checked right before each send. A back end that can replace its
    /// writer refuses while it might do so before the response arrives.
    fn send_permit(&self) -> SendPermit {
        SendPermit::lasting()
    }

    /// Makes everything durable, and releases the record. Returns its final state.
    ///
    /// # Errors
    /// [`RecordError`] if durability is not certain. The record is released nevertheless.
    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>>;
}

/// A tag of a record's state. Equal tags mean that nothing was written in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head(Vec<u8>);

impl Head {
    /// Wraps a back end's own tag.
    pub const fn new(tag: Vec<u8>) -> Self {
        Self(tag)
    }
}

/// The state of a record.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The fold of all commits.
    pub remembered: Remembered,
    /// The number of the last commit; 0 before the first.
    pub sequence: u64,
    /// The tag of the state; `None` if the back end cannot vouch for it.
    pub head: Option<Head>,
}

/// The kind of an error of a record, by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// Another writer held the record for too long. Retry later.
    Held,
    /// The wait for another writer was cancelled.
    Interrupted,
    /// The commit is not the next one. Read the record again.
    Conflict,
    /// Another writer took over. Further commits of this one have no effect.
    Fenced,
    /// The record cannot be read or written now. Retry later.
    Unavailable,
    /// The location cannot hold a record.
    Misplaced,
    /// No record has been made at this location.
    Missing,
    /// The stored data is not what was written, and is not trusted.
    Damaged,
    /// A newer version of hookctl wrote the record.
    Newer,
}

/// A failure to read or write a record. It displays the back end's error.
#[derive(Clone, Debug)]
pub struct RecordError {
    kind: RecordErrorKind,
    cause: Arc<dyn Error + Send + Sync>,
}

impl RecordError {
    /// Wraps a back end's error.
    pub fn new(kind: RecordErrorKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            cause: cause.into().into(),
        }
    }

    /// Returns the kind of the error.
    pub const fn kind(&self) -> RecordErrorKind {
        self.kind
    }

    /// Returns the back end's error.
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(formatter)
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
