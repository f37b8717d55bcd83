//! Objects in memory, and the conditions of their writes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Objects, by key.
#[derive(Debug, Default)]
pub(super) struct Objects {
    by_key: BTreeMap<String, Object>,
    generation: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) content: Vec<u8>,
    pub(super) e_tag: String,
    pub(super) generation: u64,
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Missing,
    ETag(String),
    Generation(u64),
}

impl Objects {
    pub(super) fn get(&self, key: &str) -> Option<&Object> {
        self.by_key.get(key)
    }

    pub(super) fn put(&mut self, key: &str, content: Vec<u8>) -> Object {
        self.generation += 1;
        // Of the content alone, as the tags of S3 often are.
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let object = Object {
            content,
            e_tag: format!("\"{:016x}\"", hasher.finish()),
            generation: 1_700_000_000_000_000 + self.generation,
        };
        self.by_key.insert(key.to_owned(), object.clone());
        object
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.by_key.remove(key);
    }

    pub(super) fn holds(&self, key: &str, condition: &Condition) -> bool {
        match (condition, self.get(key)) {
            (Condition::Missing, found) => found.is_none(),
            (_, None) => false,
            (Condition::ETag(e_tag), Some(found)) => found.e_tag == *e_tag,
            (Condition::Generation(generation), Some(found)) => found.generation == *generation,
        }
    }

    /// Returns up to `most` objects with this prefix after a key, and whether there are more.
    pub(super) fn page(
        &self,
        prefix: &str,
        after: &str,
        most: usize,
    ) -> (Vec<(&str, &Object)>, bool) {
        let mut found = self
            .by_key
            .iter()
            .map(|(key, object)| (key.as_str(), object))
            .filter(|(key, _)| key.starts_with(prefix) && *key > after);
        let page: Vec<_> = found.by_ref().take(most).collect();
        (page, found.next().is_some())
    }

    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.by_key.iter();
        objects
            .map(|(key, object)| (key.clone(), object.content.clone()))
            .collect()
    }
}
