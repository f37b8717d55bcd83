//! The tree of a document.
//!
//! A node that an alias leads to is shared, not copied. Nothing here has a `Debug`: a scalar may hold a
//! secret in plain text.

use std::rc::Rc;

use super::scalar::{Kind, Scalar, Style};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};

/// A key of a mapping: its text and its place.
pub type Name = Spanned<String>;

/// One YAML document that could be parsed.
pub struct Document {
    /// Its root; null for a document without content.
    pub root: Node,
}

/// A value and its place.
#[derive(Clone)]
pub struct Node {
    span: Span,
    alias: Option<Span>,
    content: Rc<Content>,
}

struct Content {
    value: Value,
    weight: usize,
    height: usize,
}

/// What a node holds.
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values.
    Mapping(Mapping),
    /// Something that was reported as wrong already; whoever meets it says nothing more.
    Broken,
}

/// Keys and values in the order in which they are written, those that were merged in last. No key is
/// there twice.
#[derive(Default)]
pub struct Mapping {
    entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone)]
pub struct Entry {
    /// The key.
    pub key: Name,
    /// The value.
    pub value: Node,
}

/// How many bytes of text weigh as much as a value.
const TEXT_PER_WEIGHT: usize = 64;

/// What a value or key of that text weighs.
pub(super) fn text_weight(text: &str) -> usize {
    1 + text.len() / TEXT_PER_WEIGHT
}

impl Node {
    pub(super) fn new(span: Span, value: Value) -> Self {
        let (weight, height) = match &value {
            Value::Scalar(scalar) => (text_weight(scalar.text()), 0),
            Value::Broken => (1, 0),
            Value::Sequence(items) => (
                items
                    .iter()
                    .map(Self::weight)
                    .fold(1, usize::saturating_add),
                1 + items.iter().map(Self::height).max().unwrap_or(0),
            ),
            Value::Mapping(mapping) => (
                mapping
                    .iter()
                    .map(|entry| text_weight(&entry.key.value).saturating_add(entry.value.weight()))
                    .fold(1, usize::saturating_add),
                1 + mapping
                    .iter()
                    .map(|entry| entry.value.height())
                    .max()
                    .unwrap_or(0),
            ),
        };
        Self {
            span,
            alias: None,
            content: Rc::new(Content {
                value,
                weight,
                height,
            }),
        }
    }

    /// The same value, reached through an alias or a merge at that place.
    pub(super) fn reached_at(mut self, alias: Span) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(super) fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Returns a value of that text at the same place, as if the text were written there without quotes:
    /// what a variable holds is read like what the file holds.
    #[must_use]
    pub fn with_text(&self, text: String) -> Self {
        Self {
            alias: self.alias,
            ..Self::new(self.span, Value::Scalar(Scalar::new(text, Style::Plain)))
        }
    }

    /// How much there is from here down, repeats by alias counted: one for each value and key, and one
    /// for each further 64 bytes of their text.
    pub(crate) fn weight(&self) -> usize {
        self.content.weight
    }

    /// How many collections are nested from here down.
    pub(super) fn height(&self) -> usize {
        self.content.height
    }

    /// Where the value is written. For an empty value this is its key.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Where the alias or merge stands through which this value was reached, if it was.
    pub fn alias(&self) -> Option<Span> {
        self.alias
    }

    /// What it holds.
    pub fn value(&self) -> &Value {
        &self.content.value
    }

    /// What kind of value it is. None for [`Value::Broken`].
    pub fn kind(&self) -> Option<Kind> {
        match self.value() {
            Value::Scalar(scalar) => Some(scalar.kind()),
            Value::Sequence(_) => Some(Kind::List),
            Value::Mapping(_) => Some(Kind::Mapping),
            Value::Broken => None,
        }
    }

    /// Whether it is null: `null`, `~`, or nothing at all.
    pub fn is_null(&self) -> bool {
        self.kind() == Some(Kind::Null)
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self.value() {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match self.value() {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The keys and values, if it is a mapping.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match self.value() {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// A diagnostic that points at this value, and at the alias through which it was reached.
    pub fn problem(
        &self,
        code: Code,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        let diagnostic = Diagnostic::new(code, message).at(self.span, label);
        match self.alias {
            Some(alias) => diagnostic.and(alias, "used here"),
            None => diagnostic,
        }
    }
}

impl Mapping {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|entry| entry.key.value == key)
            .map(|entry| &entry.value)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
