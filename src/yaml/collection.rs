//! Lists and mappings that are still being read: repeated keys and merge keys.

use std::collections::HashMap;

use super::tree::{Entry, Mapping, Name, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};

/// A collection that is not finished.
pub(super) struct Frame {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_flow: bool,
    pub(super) anchor: usize,
    pub(super) broken: bool,
    /// Whether it is part of a secret's value.
    pub(super) secret: bool,
    pub(super) items: Items,
}

pub(super) enum Items {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
pub(super) struct OpenMapping {
    entries: Vec<Entry>,
    pub(super) places: HashMap<String, Span>,
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
    /// Takes an entry, unless its key is there already.
    pub(super) fn insert(
        &mut self,
        name: Name,
        is_merge: bool,
        value: Node,
        diagnostics: &mut Diagnostics,
    ) {
        if let Some(first) = self.places.get(&name.value) {
            diagnostics.push(
                Diagnostic::new(Code::RepeatedKey, "repeated key")
                    .at(name.span, "this key stands in the mapping already")
                    .and(*first, "first here")
                    .help("keep one of the two"),
            );
            return;
        }
        self.places.insert(name.value.clone(), name.span);
        if is_merge {
            self.merge(&value, diagnostics);
        } else {
            self.entries.push(Entry { key: name, value });
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
    pub(super) fn finish(self) -> Mapping {
        let OpenMapping {
            mut entries,
            mut places,
            merges,
            key: _,
        } = self;
        for source in merges {
            let here = source.alias().unwrap_or_else(|| source.span());
            for entry in source.as_mapping().into_iter().flat_map(Mapping::iter) {
                if !places.contains_key(&entry.key.value) {
                    places.insert(entry.key.value.clone(), entry.key.span);
                    let mut entry = entry.clone();
                    if source.alias().is_some() && entry.value.alias().is_none() {
                        entry.value = entry.value.reached_at(here);
                    }
                    entries.push(entry);
                }
            }
        }
        Mapping::new(entries)
    }
}
