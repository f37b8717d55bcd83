//! Unfinished lists and mappings: repeated keys and merge keys.

use std::collections::HashMap;

use super::exposure::Exposure;
use super::tree::{Entry, Mapping, Name, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};

/// An unfinished collection.
pub(super) struct Frame {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_flow: bool,
    pub(super) anchor: usize,
    pub(super) broken: bool,
    /// What may be shown of its content.
    pub(super) exposure: Exposure,
    pub(super) items: Items,
}

pub(super) enum Items {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

/// From this many keys on, a mapping has an index.
const MANY: usize = 16;

#[derive(Default)]
pub(super) struct OpenMapping {
    entries: Vec<Entry>,
    /// The ranges of the keys, once there are many.
    places: HashMap<String, Span>,
    /// The range of the merge key, which is not an entry.
    merge_key: Option<Span>,
    merges: Vec<Node>,
    pub(super) key: Option<Key>,
}

/// A key without its value.
pub(super) enum Key {
    Name {
        name: Name,
        is_merge: bool,
    },
    /// An invalid key, which has been reported. Its value is dropped.
    Unusable,
}

impl Frame {
    /// Returns the key of the next value.
    pub(super) fn pending_key(&self) -> Option<&str> {
        match &self.items {
            Items::Mapping(OpenMapping {
                key: Some(Key::Name { name, .. }),
                ..
            }) => Some(&name.value),
            _ => None,
        }
    }
}

impl OpenMapping {
    /// Returns the range of a key, if the mapping has it already.
    pub(super) fn place_of(&self, key: &str) -> Option<Span> {
        let entry = if self.places.is_empty() {
            let mut entries = self.entries.iter();
            entries
                .find(|entry| entry.key.value == key)
                .map(|entry| entry.key.span)
        } else {
            self.places.get(key).copied()
        };
        entry.or(self.merge_key.filter(|_| key == "<<"))
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= MANY {
            if self.places.is_empty() {
                let keys = self.entries.iter().map(|entry| &entry.key);
                let places = keys.map(|key| (key.value.clone(), key.span));
                self.places.extend(places);
            }
            self.places.insert(entry.key.value.clone(), entry.key.span);
        }
        self.entries.push(entry);
    }

    /// Adds an entry, unless the mapping has its key already.
    pub(super) fn insert(
        &mut self,
        name: Name,
        is_merge: bool,
        value: Node,
        diagnostics: &mut Diagnostics,
    ) {
        if let Some(first) = self.place_of(&name.value) {
            diagnostics.push(
                Diagnostic::new(Code::RepeatedKey, "repeated key")
                    .at(name.span, "this key is already in the mapping")
                    .and(first, "first here")
                    .help("keep one of the two"),
            );
            return;
        }
        if is_merge {
            self.merge_key = Some(name.span);
            self.merge(&value, diagnostics);
        } else {
            self.push(Entry { key: name, value });
        }
    }

    fn merge(&mut self, value: &Node, diagnostics: &mut Diagnostics) {
        let sources = match value.value() {
            Value::Sequence(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for source in sources {
            match source.kind() {
                Some(_) if source.as_mapping().is_some() => self.merges.push(source.clone()),
                Some(_) => diagnostics.push(
                    source
                        .problem(
                            Code::InvalidMerge,
                            "'<<' merges mappings only",
                            "not a mapping",
                        )
                        .help("use an alias of a mapping, or a list of such aliases"),
                ),
                None => {}
            }
        }
    }

    /// Returns the mapping with merged entries. Its own keys take precedence, then earlier merges.
    pub(super) fn finish(mut self) -> Mapping {
        for source in std::mem::take(&mut self.merges) {
            let here = source.alias().unwrap_or_else(|| source.span());
            for entry in source.as_mapping().into_iter().flat_map(Mapping::iter) {
                if self.place_of(&entry.key.value).is_none() {
                    let mut entry = entry.clone();
                    if source.alias().is_some() && entry.value.alias().is_none() {
                        entry.value = entry.value.reached_at(here);
                    }
                    self.push(entry);
                }
            }
        }
        Mapping::new(self.entries)
    }
}
