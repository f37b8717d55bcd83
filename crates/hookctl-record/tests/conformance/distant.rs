//! An object store in memory that takes turns with its callers.

use hookctl_record::shared::{Blob, BlobFuture, Blobs, MemoryBlobs, Version, Written};
use tokio::task::yield_now;

/// Suspends each operation before and after its effect, so that a caller can be dropped at either point.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distant(MemoryBlobs);

impl Blobs for Distant {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        let name = name.to_owned();
        Box::pin(async move {
            yield_now().await;
            let written = self.0.create(&name, content).await;
            yield_now().await;
            written
        })
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        let (name, version) = (name.to_owned(), version.clone());
        Box::pin(async move {
            yield_now().await;
            let written = self.0.swap(&name, content, &version).await;
            yield_now().await;
            written
        })
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        let (name, unless) = (name.to_owned(), unless.cloned());
        Box::pin(async move {
            yield_now().await;
            self.0.read(&name, unless.as_ref()).await
        })
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        let (folder, after) = (folder.to_owned(), after.to_owned());
        Box::pin(async move {
            yield_now().await;
            self.0.list_after(&folder, &after).await
        })
    }
}
