//! Checks that a store honours the conditions of writes.
//!
//! A store that ignores them lets two runs overwrite each other in silence.

use super::blobs::{Blob, Version};
use super::error::SharedError;
use super::names;
use super::write::{Attempts, Resolved};

/// Creates an object twice, and replaces an old version of it. A response that is lost is no evidence: what the object
/// contains is.
///
/// # Errors
/// [`SharedError::Unsafe`] if the store accepts one of the two, and [`SharedError::Store`].
pub(super) async fn probe(attempts: Attempts<'_>, nonce: &str) -> Result<(), SharedError> {
    let name = names::probe(nonce);
    let first = accepted(
        attempts.create(&name, b"1").await,
        "it refused to create a new object",
    )?;
    refused(
        attempts.create(&name, b"2").await,
        "it created an object that exists",
    )?;
    let second = accepted(
        attempts.swap(&name, b"3", &first).await,
        "it refused to replace the current version",
    )?;
    refused(
        attempts.swap(&name, b"4", &first).await,
        "it replaced an old version",
    )?;
    let read = attempts.read(&name, None).await?;
    if matches!(read, Blob::Found { content, version } if content == b"3" && version == second) {
        Ok(())
    } else {
        Err(SharedError::Unsafe {
            what: "it does not return what was written last",
        })
    }
}

fn accepted(resolved: Resolved, what: &'static str) -> Result<Version, SharedError> {
    match resolved {
        Resolved::Mine(version) => Ok(version),
        Resolved::Theirs => Err(SharedError::Unsafe { what }),
        Resolved::Unknown(error) => Err(error.into()),
    }
}

fn refused(resolved: Resolved, what: &'static str) -> Result<(), SharedError> {
    match resolved {
        Resolved::Theirs => Ok(()),
        Resolved::Mine(_) => Err(SharedError::Unsafe { what }),
        Resolved::Unknown(error) => Err(error.into()),
    }
}
