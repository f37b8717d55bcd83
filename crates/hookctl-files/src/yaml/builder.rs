//! Builds a tree from parser events, with positions, aliases, tags, and limits.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, ScalarStyle, Span as ParserSpan, StructureStyle, Tag};

use super::collection::{Frame, Items, Key, OpenMapping};
use super::conceal::Concealed;
use super::exposure::{Exposure, is_address};
use super::limits::{MAX_DEPTH, MAX_NODES};
use super::scalar::{Scalar, Style};
use super::tree::{Name, Node, Value, text_weight};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceId, Span, is_word};

/// How much is skipped after a problem.
pub(super) enum GiveUp {
    /// The rest of the document.
    Document(Box<Diagnostic>),
    /// The rest of the file.
    File(Box<Diagnostic>),
}

/// The builder of one document.
pub(super) struct Builder<'run, 'text> {
    pub(super) source: SourceId,
    pub(super) text: &'text str,
    /// The number of nodes in the whole file so far, including those repeated by aliases.
    pub(super) nodes: &'run mut usize,
    pub(super) concealed: &'run mut Concealed<'text>,
    pub(super) diagnostics: &'run mut Diagnostics,
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

impl<'run, 'text> Builder<'run, 'text> {
    pub(super) fn new(
        source: SourceId,
        text: &'text str,
        nodes: &'run mut usize,
        concealed: &'run mut Concealed<'text>,
        diagnostics: &'run mut Diagnostics,
    ) -> Self {
        Self {
            source,
            text,
            nodes,
            concealed,
            diagnostics,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
        }
    }

    /// Returns the tree, if the document has ended.
    pub(super) fn finish(self) -> Option<Node> {
        self.root
    }

    /// Handles the next event of the document.
    pub(super) fn take(&mut self, event: Event<'_>, at: ParserSpan) -> Result<(), GiveUp> {
        let place = self.place(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(text_weight(&text), &place)?;
                let node = self.scalar(&text, style, tag.as_deref(), &place, at);
                self.complete(node, place, anchor);
                Ok(())
            }
            Event::SequenceStart(style, anchor, tag) => {
                let items = Items::Sequence(Vec::new());
                self.begin(items, style, anchor, tag.as_deref(), place, at)
            }
            Event::MappingStart(style, anchor, tag) => {
                let items = Items::Mapping(OpenMapping::default());
                self.begin(items, style, anchor, tag.as_deref(), place, at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(&place);
                Ok(())
            }
            Event::Alias(id) => self.alias(id, place),
            Event::UnresolvedAlias(_) => {
                self.count(1, &place)?;
                let node = self.broken(
                    Code::UnknownAlias,
                    "alias without an anchor",
                    "no anchor of this name before this point of the document",
                    "define the anchor earlier in the same document, or quote the value if \
                    it is meant to begin with '*'",
                    &place,
                );
                self.complete(node, place, 0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns the range of an event, without the line breaks that end a block.
    fn place(&self, at: ParserSpan) -> Range<usize> {
        let place = at.byte_range().unwrap_or(0..0);
        let written = self.text.get(place.clone()).unwrap_or("");
        let end = place.start + written.trim_end().len();
        place.start..end
    }

    fn span(&self, place: &Range<usize>) -> Span {
        Span {
            source: self.source,
            start: place.start,
            end: place.end,
        }
    }

    fn count(&mut self, nodes: usize, place: &Range<usize>) -> Result<(), GiveUp> {
        *self.nodes = self.nodes.saturating_add(nodes);
        if *self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(GiveUp::File(Box::new(
            Diagnostic::new(
                Code::TooManyNodes,
                format!(
                    "the file has more than {MAX_NODES} values, including those repeated by aliases"
                ),
            )
            .at(self.span(place), "the limit is exceeded here")
            .help("split the file, or use fewer aliases"),
        )))
    }

    fn check_depth(&self, depth: usize, place: &Range<usize>) -> Result<(), GiveUp> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(GiveUp::Document(Box::new(
            Diagnostic::new(
                Code::TooDeep,
                format!("lists and mappings are nested more than {MAX_DEPTH} deep"),
            )
            .at(self.span(place), "the limit is exceeded here")
            .help("check the indentation and brackets: no setting needs more than a few levels"),
        )))
    }

    fn broken(
        &mut self,
        code: Code,
        message: &str,
        label: &str,
        help: &str,
        place: &Range<usize>,
    ) -> Node {
        let span = self.span(place);
        self.diagnostics
            .push(Diagnostic::new(code, message).at(span, label).help(help));
        Node::new(span, Value::Broken)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        place: &Range<usize>,
        at: ParserSpan,
    ) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let style = match tag.map(|tag| (tag, tag.core_suffix())) {
            None | Some((_, Some("int" | "bool" | "float" | "null"))) => style,
            Some((_, Some("str"))) => as_text(style),
            Some((tag, None)) if tag.parts() == ("", "!") => as_text(style),
            Some(_) => return self.unknown_tag(at, place),
        };
        // The parser writes '~' for an absent value.
        let is_absent = style == Style::Plain && place.is_empty();
        let text = if is_absent { "" } else { text };
        Node::new(
            self.span(place),
            Value::Scalar(Scalar::new(text.to_owned(), style)),
        )
    }

    fn unknown_tag(&mut self, at: ParserSpan, place: &Range<usize>) -> Node {
        let tag = at
            .tag_span()
            .and_then(|span| span.byte_range())
            .unwrap_or_else(|| place.clone());
        let node = self.broken(
            Code::UnknownTag,
            "unknown tag",
            "this tag has no meaning here",
            "remove the tag, or quote the value if it is meant to begin with '!'",
            &tag,
        );
        node.with_span(self.span(&(tag.start..place.end.max(tag.end))))
    }

    fn begin(
        &mut self,
        items: Items,
        style: StructureStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Range<usize>,
        at: ParserSpan,
    ) -> Result<(), GiveUp> {
        self.count(1, &place)?;
        self.check_depth(self.open.len() + 1, &place)?;
        let wanted = match items {
            Items::Sequence(_) => "seq",
            Items::Mapping(_) => "map",
        };
        let broken =
            tag.is_some_and(|tag| tag.core_suffix() != Some(wanted) && tag.parts() != ("", "!"));
        if broken {
            self.unknown_tag(at, &place);
        }
        let exposure = self.next_exposure(wanted == "map");
        self.open.push(Frame {
            start: self.collection_start(&items, &place),
            end: place.end,
            is_flow: style == StructureStyle::Flow,
            anchor,
            broken,
            exposure,
            items,
        });
        Ok(())
    }

    /// Returns where a collection begins. For a list indented like its key, the parser reports the position after its
    /// first dash.
    fn collection_start(&self, items: &Items, place: &Range<usize>) -> usize {
        let in_mapping = matches!(
            self.open.last(),
            Some(Frame {
                items: Items::Mapping(_),
                ..
            })
        );
        let before = self.text.get(..place.start).unwrap_or("");
        let before = before.trim_end_matches([' ', '\t']);
        match items {
            Items::Sequence(_) if in_mapping && before.ends_with('-') => before.len() - 1,
            _ => place.start,
        }
    }

    /// Returns what may be shown of the entries of the next collection.
    fn next_exposure(&self, is_mapping: bool) -> Exposure {
        let value = match self.open.last() {
            None => Exposure::Root,
            Some(parent) => match parent.pending_key() {
                Some(key) => parent.exposure.of_key(key, is_mapping),
                // A key that is a collection, or a list item.
                None => match &parent.items {
                    Items::Mapping(_) => Exposure::Hidden,
                    Items::Sequence(_) => parent.exposure,
                },
            },
        };
        match value {
            Exposure::Root if !is_mapping => Exposure::Hidden,
            other => other.of_collection(is_mapping),
        }
    }

    fn end(&mut self, place: &Range<usize>) {
        let Some(frame) = self.open.pop() else {
            return;
        };
        let end = if frame.is_flow { place.end } else { frame.end };
        let place = frame.start..end.max(frame.start);
        let value = match frame.items {
            Items::Sequence(items) => Value::Sequence(items),
            Items::Mapping(mapping) => Value::Mapping(mapping.finish()),
        };
        let value = if frame.broken { Value::Broken } else { value };
        let node = Node::new(self.span(&place), value);
        self.complete(node, place, frame.anchor);
    }

    fn alias(&mut self, id: usize, place: Range<usize>) -> Result<(), GiveUp> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            self.count(1, &place)?;
            let node = self.broken(
                Code::RecursiveAlias,
                "alias to a value that contains it",
                "this would be infinite",
                "use an alias only after the end of the value with its anchor",
                &place,
            );
            self.complete(node, place, 0);
            return Ok(());
        };
        self.count(node.weight(), &place)?;
        self.check_depth(self.open.len() + node.height(), &place)?;
        let node = node.reached_at(self.span(&place));
        self.complete(node, place, 0);
        Ok(())
    }

    /// Adds a finished node to its collection.
    fn complete(&mut self, mut node: Node, place: Range<usize>, anchor: usize) {
        let Some(mut frame) = self.open.pop() else {
            self.remember(anchor, &node);
            if node.as_mapping().is_none() && !node.is_null() {
                self.concealed.range(place.start, place.end);
            }
            self.root = Some(node);
            return;
        };
        frame.end = frame.end.max(place.end);
        match &mut frame.items {
            Items::Sequence(items) => {
                if place.is_empty() && node.alias().is_none() {
                    node = node.with_span(self.dash_before(&place));
                }
                self.remember(anchor, &node);
                items.push(node);
            }
            Items::Mapping(mapping) => match mapping.key.take() {
                None => {
                    self.remember(anchor, &node);
                    mapping.key = Some(self.key(&node, &place, frame.exposure));
                }
                Some(Key::Unusable) => self.concealed.range(place.start, place.end),
                Some(Key::Name { name, is_merge }) => {
                    if place.is_empty() && node.alias().is_none() {
                        node = node.with_span(name.span);
                    }
                    self.remember(anchor, &node);
                    self.conceal(frame.exposure, &name, &node, &place);
                    if frame.exposure.hides_keys()
                        && (is_merge || mapping.place_of(&name.value).is_some())
                    {
                        self.concealed.range(name.span.start, place.end);
                    }
                    mapping.insert(name, is_merge, node, self.diagnostics);
                }
            },
        }
        self.open.push(frame);
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    /// Returns the dash of a list item without a value, so that a diagnostic has a range.
    fn dash_before(&self, place: &Range<usize>) -> Span {
        let before = self.text.get(..place.start).unwrap_or("").trim_end();
        let start = if before.ends_with('-') {
            before.len() - 1
        } else {
            place.start
        };
        self.span(&(start..place.start.min(start + 1)))
    }

    fn key(&mut self, node: &Node, place: &Range<usize>, exposure: Exposure) -> Key {
        if let Some(scalar) = node.as_scalar() {
            // A text that is not a word may be a pasted line with a secret.
            let text = scalar.text();
            if exposure != Exposure::Named && text != "<<" && !is_word(text) {
                self.concealed.range(place.start, place.end);
            }
            return Key::Name {
                is_merge: scalar.style() == Style::Plain && scalar.text() == "<<",
                name: Name {
                    value: scalar.text().to_owned(),
                    span: self.span(place),
                },
            };
        }
        self.concealed.range(place.start, place.end);
        if node.kind().is_some() {
            self.broken(
                Code::ComplexKey,
                "a list or mapping cannot be a key",
                "not a valid key",
                "quote text that begins with '[', '{', or '?'",
                place,
            );
        }
        Key::Unusable
    }

    fn conceal(&mut self, parent: Exposure, name: &Name, node: &Node, place: &Range<usize>) {
        if parent == Exposure::Secret {
            // A part of a secret's source, which is checked as a whole.
            return;
        }
        let exposure = parent.of_key(&name.value, node.as_mapping().is_some());
        let is_collection = node.as_mapping().is_some() || node.as_sequence().is_some();
        let is_shown = if is_collection {
            let entries = exposure.of_collection(node.as_mapping().is_some());
            entries != Exposure::Hidden
        } else {
            exposure.shows_scalar() || node.is_null()
        };
        if exposure == Exposure::Secret {
            self.concealed.entry(name, node, place);
        } else if !is_shown {
            self.concealed.hide(name, place);
        } else if is_address(&name.value) {
            self.concealed.address(place.clone());
        }
        if is_shown && !is_collection {
            self.concealed.shown(place.clone());
        }
    }
}

fn as_text(style: Style) -> Style {
    match style {
        Style::Plain => Style::Quoted,
        other => other,
    }
}
