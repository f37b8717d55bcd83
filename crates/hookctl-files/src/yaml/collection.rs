//! Lists and mappings that are still being read: repeated keys and merge keys.

use std::collections::HashMap;

use super::exposure::Exposure;
use super::tree::{Entry, Mapping, Name, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};

/// A collection that is not finished.
pub(super) struct Frame {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_flow: bool,
    pub(super) anchor: usize,
    pub(super) broken: bool,
    /// What may be shown of what it holds.
    pub(super) exposure: Exposure,
    pub(super) items: Items,
}

pub(super) enum Items {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

/// From how many keys on a mapping is looked up in, rather than looked through.
const MANY: usize = 16;

#[derive(Default)]
pub(super) struct OpenMapping {
    entries: Vec<Entry>,
    /// Where the keys of the entries stand, once there are many.
    places: HashMap<String, Span>,
    /// Where the merge key stands, which is no entry.
    merge_key: Option<Span>,
    merges: Vec<Node>,
    pub(super) key: Option<Key>,
}

/// A key that waits for its value.
pub(super) enum Key {
    Name {
        name: Name,
        is_merge: bool,
    },
    /// Reported; its value is dropped.
    Unusable,
}

impl Frame {
    /// The key whose value comes next.
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
    /// Where a key stands, if it is there already.
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

    /// Takes an entry, unless its key is there already.
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
                    .at(name.span, "this key stands in the mapping already")
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
                        .help("give it an alias of a mapping, or a list of such aliases"),
                ),
                None => {}
            }
        }
    }

    /// The mapping with what it merges in: its own keys win, then the earlier merge.
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
