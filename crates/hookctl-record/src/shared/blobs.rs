//! The port to an object store: conditional writes, and reads that may be skipped.
//!
//! Nothing here knows what the objects contain.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A future of the port.
pub type BlobFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send + 'a>>;

/// An object store. The names of objects are relative to the prefix of one record.
///
/// Each call is one attempt: an implementation retries nothing, because a retried write can report the effect of its
/// first attempt as that of another writer.
pub trait Blobs: Send + Sync {
    /// Creates an object, unless one of this name exists.
    ///
    /// # Errors
    /// [`BlobError`]. The object may have been created nevertheless, or may be created later.
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written>;

    /// Replaces an object, if it still has this version.
    ///
    /// # Errors
    /// [`BlobError`]. The object may have been replaced nevertheless, or may be replaced later.
    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written>;

    /// Reads an object, unless it still has the version `unless`.
    ///
    /// # Errors
    /// [`BlobError`]
    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob>;

    /// Lists the names below `folder` that sort after `after`, in order.
    ///
    /// # Errors
    /// [`BlobError`]
    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>>;
}

/// The version of an object, as its store names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The entity tag.
    pub e_tag: Option<String>,
    /// The version or generation, on stores that compare that.
    pub version: Option<String>,
}

/// The result of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Written. The version of the new content.
    Done(Version),
    /// Refused: the object exists, or has another version. Some stores also refuse a write that competes with one that
    /// then fails.
    Refused,
}

/// An object as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// The object exists.
    Found {
        /// Its content.
        content: Vec<u8>,
        /// Its version.
        version: Version,
    },
    /// The object still has the version that the caller knows.
    Unchanged,
    /// No object has this name.
    Missing,
}

/// What a caller can do about a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobErrorKind {
    /// The store could not be reached, or did not respond in time. A retry may help.
    Unavailable,
    /// The credentials are missing or do not suffice.
    Denied,
    /// The bucket or container does not exist.
    NoBucket,
    /// The bucket is elsewhere: in another region, or at another endpoint.
    Elsewhere,
    /// The object is larger than any object of a record.
    TooLarge,
}

/// A failed operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BlobError {
    kind: BlobErrorKind,
    message: String,
}

impl BlobError {
    /// Returns an error with the message of the store.
    pub fn new(kind: BlobErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }

    /// Returns what a caller can do about the error.
    pub const fn kind(&self) -> BlobErrorKind {
        self.kind
    }
}
