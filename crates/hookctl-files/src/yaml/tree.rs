//! The tree of a document.
//!
//! The target of an alias is shared, not copied. No `Debug` shows a key or a value, since either may contain a secret.

use std::fmt;
use std::rc::Rc;

use super::scalar::{Kind, Scalar, Style};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};

/// A key of a mapping, with its range.
pub type Name = Spanned<String>;

/// A YAML document.
#[derive(Debug)]
pub struct Document {
    /// The root; null for a document without content.
    pub root: Node,
}

/// A value with its range.
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

/// The content of a node.
#[derive(Debug)]
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values.
    Mapping(Mapping),
    /// A value with a problem that has been reported. It needs no further diagnostics.
    Broken,
}

/// The entries in file order, merged ones last. Keys are unique.
#[derive(Debug, Default)]
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

/// Shows the range and the type. Aliases share nodes, so all that a node contains can be far more than its document.
impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Node")
            .field("span", &self.span)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("key", &self.key.span)
            .field("value", &self.value)
            .finish()
    }
}

/// The bytes of text that count as one value.
const TEXT_PER_WEIGHT: usize = 64;

/// Returns the weight of a value or key with this text.
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

    /// Returns the same value, reached by the alias or merge at a range.
    pub(super) fn reached_at(mut self, alias: Span) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(super) fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Returns a plain scalar with another text and the same range. The value of a variable is typed like a value in
    /// the file.
    #[must_use]
    pub fn with_text(&self, text: String) -> Self {
        Self {
            alias: self.alias,
            ..Self::new(self.span, Value::Scalar(Scalar::new(text, Style::Plain)))
        }
    }

    /// Returns the weight of this subtree, including values repeated by aliases: one per value and key, and one per
    /// further 64 bytes of their text.
    pub(crate) fn weight(&self) -> usize {
        self.content.weight
    }

    /// Returns the depth of nested collections.
    pub(super) fn height(&self) -> usize {
        self.content.height
    }

    /// Returns the range of the value. For an empty value, this is its key.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Returns the range of the alias or merge by which this value was reached.
    pub fn alias(&self) -> Option<Span> {
        self.alias
    }

    /// Returns the content.
    pub fn value(&self) -> &Value {
        &self.content.value
    }

    /// Returns the type of the value. Returns `None` for [`Value::Broken`].
    pub fn kind(&self) -> Option<Kind> {
        match self.value() {
            Value::Scalar(scalar) => Some(scalar.kind()),
            Value::Sequence(_) => Some(Kind::List),
            Value::Mapping(_) => Some(Kind::Mapping),
            Value::Broken => None,
        }
    }

    /// Returns whether the value is null: `null`, `~`, or absent.
    pub fn is_null(&self) -> bool {
        self.kind() == Some(Kind::Null)
    }

    /// Returns the scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self.value() {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Returns the items, if it is a list.
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match self.value() {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the mapping, if it is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match self.value() {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// Creates a diagnostic for this value, with the alias by which it was reached.
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

    /// Iterates over the entries in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|entry| entry.key.value == key)
            .map(|entry| &entry.value)
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
