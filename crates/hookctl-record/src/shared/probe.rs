//! Checks that a store honours the conditions of writes.
//!
//! A store that ignores them lets two runs overwrite each other in silence.

use super::blobs::{Blob, Blobs, Written};
use super::error::SharedError;

/// Creates an object twice, and replaces an old version of it.
///
/// # Errors
/// [`SharedError::Unsafe`] if the store accepts one of the two, and [`SharedError::Store`].
pub(super) async fn probe(blobs: &dyn Blobs, nonce: &str) -> Result<(), SharedError> {
    let name = format!("probe/{nonce}");
    let refuses = |what| SharedError::Unsafe { what };
    let Written::Done(first) = blobs.create(&name, b"1".to_vec()).await? else {
        return Err(refuses("it refused to create a new object"));
    };
    if blobs.create(&name, b"2".to_vec()).await? != Written::Refused {
        return Err(refuses("it created an object that exists"));
    }
    let Written::Done(second) = blobs.swap(&name, b"3".to_vec(), &first).await? else {
        return Err(refuses("it refused to replace the current version"));
    };
    if blobs.swap(&name, b"4".to_vec(), &first).await? != Written::Refused {
        return Err(refuses("it replaced an old version"));
    }
    if !matches!(blobs.read(&name, None).await?, Blob::Found { content, version }
        if content == b"3" && version == second)
    {
        return Err(refuses("it does not return what was written last"));
    }
    Ok(())
}
