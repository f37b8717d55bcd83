//! An object store in memory, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blobs::{Blob, BlobFuture, Blobs, Version, Written};

/// Objects in memory. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs(Arc<Mutex<Objects>>);

#[derive(Debug, Default)]
struct Objects {
    by_name: BTreeMap<String, (Vec<u8>, u64)>,
    writes: u64,
}

impl MemoryBlobs {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all objects by name.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.lock();
        let by_name = objects.by_name.iter();
        by_name
            .map(|(name, (content, _))| (name.clone(), content.clone()))
            .collect()
    }

    /// Replaces an object without a condition, or removes it.
    pub fn damage(&self, name: &str, content: Option<Vec<u8>>) {
        let mut objects = self.lock();
        objects.writes += 1;
        let number = objects.writes;
        match content {
            Some(content) => drop(objects.by_name.insert(name.to_owned(), (content, number))),
            None => drop(objects.by_name.remove(name)),
        }
    }

    /// Writes an object if its version is the expected one; `None` if it must not exist.
    pub fn write(&self, name: &str, content: Vec<u8>, expected: Option<&Version>) -> Written {
        let mut objects = self.lock();
        let found = objects
            .by_name
            .get(name)
            .map(|(_, number)| version(*number));
        if found.as_ref() != expected {
            return Written::Refused;
        }
        objects.writes += 1;
        let number = objects.writes;
        objects.by_name.insert(name.to_owned(), (content, number));
        Written::Done(version(number))
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(number: u64) -> Version {
    Version {
        e_tag: Some(number.to_string()),
        version: None,
    }
}

impl Blobs for MemoryBlobs {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        let written = self.write(name, content, None);
        Box::pin(async { Ok(written) })
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        let written = self.write(name, content, Some(version));
        Box::pin(async { Ok(written) })
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        let blob = match self.lock().by_name.get(name) {
            None => Blob::Missing,
            Some((_, number)) if unless == Some(&version(*number)) => Blob::Unchanged,
            Some((content, number)) => Blob::Found {
                content: content.clone(),
                version: version(*number),
            },
        };
        Box::pin(async { Ok(blob) })
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        let objects = self.lock();
        let names = objects.by_name.keys();
        let listed = names
            .filter(|name| name.starts_with(folder) && name.as_str() > after)
            .cloned()
            .collect();
        Box::pin(async { Ok(listed) })
    }
}
