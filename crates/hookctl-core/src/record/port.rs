//! The port that every back end of the record implements.
//!
//! A back end keeps commits, and knows nothing of what is in them but how to fold them. Its futures are boxed, so that
//! a program can choose its back end at run time.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::{Commit, HistoryEntry, Observation, Remembered};

/// A future of the port.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecordError>> + Send + 'a>>;

/// A back end that keeps the record of one account.
pub trait Backend: Send + Sync {
    /// Reads which state the record is in, without reading the state. Returns `None` if there is no record, or if that
    /// cannot be told.
    ///
    /// # Errors
    /// [`RecordError`] if a back end can tell that the record must not be used.
    fn head(&self) -> PortFuture<'_, Option<Head>>;

    /// Reads what is remembered, without a lock, and without changing anything. A record that does not exist is empty.
    ///
    /// # Errors
    /// [`RecordError`]
    fn load(&self) -> PortFuture<'_, Loaded>;

    /// Reads the latest changes, the newest first, `limit` at most.
    ///
    /// # Errors
    /// [`RecordError`]
    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>>;

    /// Reads what the last list showed. Returns `None` before the first one. A back end may keep observations only in
    /// memory.
    ///
    /// # Errors
    /// [`RecordError`]
    fn observed(&self) -> PortFuture<'_, Option<Observation>>;

    /// Becomes the only writer, and creates the record if there is none. Waits for another writer for as long as the
    /// back end's options say.
    ///
    /// # Errors
    /// [`RecordError`], of the kind [`Held`](RecordErrorKind::Held) if another writer does not end in time.
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
    /// Reads what is remembered, every commit so far included, and the number of the last one.
    ///
    /// # Errors
    /// [`RecordError`]
    fn load(&self) -> PortFuture<'_, Loaded>;

    /// Appends a commit; durable when this returns. A commit of nothing but observations may become durable later, with
    /// the next one or with [`end`](Self::end), and need not count. Returns the number of the last commit.
    ///
    /// # Errors
    /// [`RecordError`], of the kind [`Conflict`](RecordErrorKind::Conflict) if the number of the commit is not the next
    /// one. What is appended after an error is refused: whether the commit is durable is not known.
    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64>;

    /// Returns whether the writer may send requests now. Checked right before each send. A back end that can replace its
    /// writer refuses while it might do so before the response arrives.
    fn may_send(&self) -> bool {
        true
    }

    /// Makes everything durable, and lets other writers go on. Returns the state that the record is in then.
    ///
    /// # Errors
    /// [`RecordError`] if that cannot be promised. Other writers can go on all the same.
    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>>;
}

/// Which state a record is in. As long as two are equal, nothing was written in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head(Vec<u8>);

impl Head {
    /// Wraps what a back end tells its states apart by.
    pub const fn new(tag: Vec<u8>) -> Self {
        Self(tag)
    }
}

/// What was read of a record.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What is remembered.
    pub remembered: Remembered,
    /// The number of the last commit; 0 before the first.
    pub sequence: u64,
    /// The state that it was read from. `None` if the back end cannot vouch for that.
    pub head: Option<Head>,
}

/// What a caller can do about an error of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// Another writer was not done in time: try again later.
    Held,
    /// The wait for another writer was cancelled.
    Interrupted,
    /// The commit is not the next one: read the record again.
    Conflict,
    /// Another writer took over: nothing that this one appends counts any more.
    Fenced,
    /// The place cannot be read or written now: try again later.
    Unavailable,
    /// No record can be in that place.
    Misplaced,
    /// No record has been made at this place.
    Missing,
    /// What is stored is not what was written: it is not trusted.
    Damaged,
    /// A newer version wrote it.
    Newer,
}

/// Why a record could not be read or written. It shows what the back end says.
#[derive(Clone, Debug)]
pub struct RecordError {
    kind: RecordErrorKind,
    cause: Arc<dyn Error + Send + Sync>,
}

impl RecordError {
    /// Wraps what a back end says.
    pub fn new(kind: RecordErrorKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            cause: cause.into().into(),
        }
    }

    /// What a caller can do about it.
    pub const fn kind(&self) -> RecordErrorKind {
        self.kind
    }

    /// What the back end says.
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
