//! Reads single fields: their types, limits, and variables.
//!
//! Each method returns `None` for a field that is absent, and for one that is wrong and has been reported.

use std::collections::{BTreeMap, HashMap};

use super::declarations::Token;
use super::interpolate::{Interpolation, Scope};
use super::lints;
use super::presence::Presence;
use super::raw::{Fields, RawField};
use crate::diagnostic::{Code, Diagnostics, Span, Spanned, excerpt, nearest};
use crate::secret_source::{PlaintextSecrets, SourceContext, SourcePart, check_keys, read_source};
use crate::yaml::{Kind, Node};
use hookctl_core::secret::KeySources;
use hookctl_core::secret::SecretSource;
use hookctl_core::state::IgnoreChanges;
use hookctl_core::webhook::{Field, RemoteId, WorkflowAction, WorkflowActions, limits};

/// A reader of the fields of one webhook, or of `defaults`.
pub(super) struct FieldReader<'a> {
    pub(super) fields: &'a Fields,
    /// Fields of `defaults` with problems, which are not reported again in each webhook.
    pub(super) broken_defaults: &'a [&'static str],
    pub(super) interpolation: Interpolation<'a>,
    pub(super) context: SourceContext<'a>,
    pub(super) plaintext_secrets: PlaintextSecrets,
    pub(super) keys: &'a KeySources,
    pub(super) vars: &'a BTreeMap<String, String>,
    pub(super) diagnostics: &'a mut Diagnostics,
}

/// The items of a list of words, with their ranges.
pub(super) struct Words<'a> {
    pub(super) items: Vec<(&'a str, &'a Node)>,
    pub(super) all_are_valid: bool,
}

impl<'a> FieldReader<'a> {
    pub(super) fn field(&self, name: &str) -> Option<&'a RawField> {
        self.fields
            .get(name)
            .filter(|field| !field.is_default || !self.broken_defaults.contains(&name))
    }

    /// Returns the expanded text of a field, with its node.
    pub(super) fn text(&mut self, name: &str) -> Option<(String, &'a Node)> {
        let node = &self.field(name)?.value;
        let text = node.text(name, self.diagnostics)?;
        let text = self
            .interpolation
            .expand(node, text, Scope::Public, self.diagnostics)?;
        Some((text, node))
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let (name, node) = self.text("name")?;
        self.valid_name(&name, "name", node)
    }

    /// Returns a name without surrounding white space, which comparisons ignore.
    fn valid_name(&mut self, written: &str, what: &str, node: &Node) -> Option<String> {
        let name = written.trim();
        if name.len() < written.len() {
            self.diagnostics.push(
                node.problem(
                    Code::SpaceAroundName,
                    format!("'{what}' has surrounding white space"),
                    "ignored when it is sent and compared",
                )
                .help("remove it; use '|-' or '>-' for a block without a line break at its end"),
            );
        }
        if let Some(character) = name.chars().find(|character| character.is_control()) {
            self.diagnostics.push(
                node.problem(
                    Code::ControlCharacter,
                    format!(
                        "'{what}' contains the control character U+{:04X}",
                        u32::from(character)
                    ),
                    "a name must be one line of text",
                )
                .help("remove it"),
            );
            return None;
        }
        let length = name.chars().count();
        let is_valid = limits::NAME_LENGTH.contains(&length);
        if !is_valid {
            let (shortest, longest) = (limits::NAME_LENGTH.start(), limits::NAME_LENGTH.end());
            self.diagnostics.push(
                node.problem(
                    Code::InvalidLength,
                    format!("'{what}' has {length} characters"),
                    format!("must have {shortest} to {longest}"),
                )
                .help(format!("use {shortest} to {longest} characters")),
            );
        }
        is_valid.then(|| name.to_owned())
    }

    pub(super) fn actions(&mut self) -> Option<WorkflowActions> {
        let node = &self.field("actions")?.value;
        if let Some(word) = node.as_scalar().filter(|_| node.kind() == Some(Kind::Text)) {
            let word =
                self.interpolation
                    .expand(node, word.text(), Scope::Public, self.diagnostics)?;
            if word == "all" {
                return Some(WorkflowActions::all());
            }
            if WorkflowAction::known(&word).is_none() {
                self.unknown_action(node, &word);
                return None;
            }
        }
        let Words {
            items,
            all_are_valid,
        } = self.words(node, "actions")?;
        if items.is_empty() && all_are_valid {
            self.empty(
                "actions",
                node,
                "list at least one, or write 'actions: all'",
            );
            return None;
        }
        let actions: Vec<_> = items
            .iter()
            .map(|(text, node)| {
                let word =
                    self.interpolation
                        .expand(node, text, Scope::Public, self.diagnostics)?;
                let action = WorkflowAction::known(&word);
                if action.is_none() {
                    self.unknown_action(node, &word);
                }
                action
            })
            .collect();
        let actions = actions.into_iter().collect::<Option<WorkflowActions>>();
        actions.filter(|_| all_are_valid)
    }

    fn unknown_action(&mut self, node: &Node, written: &str) {
        let known = WorkflowAction::KNOWN;
        let names = known.each_ref().map(WorkflowAction::as_str);
        let help = match nearest(written, names) {
            _ if written == "all" => "write 'actions: all', without brackets".to_owned(),
            Some(name) => format!("did you mean '{name}'?"),
            None => format!(
                "the actions are {}; 'actions: all' selects all",
                names.join(", ")
            ),
        };
        self.diagnostics.push(
            node.problem(
                Code::UnknownAction,
                format!("unknown action '{}'", excerpt(written)),
                "the API does not know it",
            )
            .help(help),
        );
    }

    pub(super) fn empty(&mut self, what: &str, node: &Node, help: &str) {
        self.diagnostics.push(
            node.problem(Code::EmptyList, format!("'{what}' is empty"), "no items")
                .help(help),
        );
    }

    /// Returns the items of a list of words, each once. Invalid items are reported and skipped.
    pub(super) fn words(&mut self, node: &'a Node, what: &str) -> Option<Words<'a>> {
        let mut items: Vec<(&str, &Node)> = Vec::new();
        let mut places: HashMap<&str, Span> = HashMap::new();
        let mut all_are_valid = true;
        for item in node.sequence(what, self.diagnostics)? {
            let Some(word) = item.text(what, self.diagnostics) else {
                all_are_valid = false;
                continue;
            };
            if let Some(first) = places.get(word) {
                self.diagnostics.push(
                    item.problem(
                        Code::RepeatedValue,
                        format!("'{}' is repeated in '{what}'", excerpt(word)),
                        "the second one",
                    )
                    .and(*first, "the first one")
                    .help("remove one of the two"),
                );
                all_are_valid = false;
                continue;
            }
            places.insert(word, item.span());
            items.push((word, item));
        }
        Some(Words {
            items,
            all_are_valid,
        })
    }

    /// Returns the declared token. An invalid one has been reported, and counts as absent.
    pub(super) fn bearer_token(&mut self) -> Token {
        match self.field("bearer_token") {
            None => Token::LeftOut,
            Some(field) if field.value.is_null() => Token::None,
            Some(field) => self
                .token_source(&field.value)
                .map_or(Token::LeftOut, Token::Managed),
        }
    }

    fn token_source(&mut self, node: &Node) -> Option<Spanned<SecretSource>> {
        let interpolation = self.interpolation;
        let source = read_source(
            node,
            "bearer_token",
            self.context,
            &|part, node, text, diagnostics| {
                let scope = match part {
                    SourcePart::Path | SourcePart::Reference => Scope::Public,
                    SourcePart::Command => Scope::Command,
                };
                interpolation.expand(node, text, scope, diagnostics)
            },
            self.diagnostics,
        )?;
        if !interpolation.fits(&source, self.diagnostics) {
            return None;
        }
        // `vars` are those of the selected target; other targets have their own.
        let vars = match interpolation {
            Interpolation::Replace(_) => self.vars,
            Interpolation::CheckOnly => &BTreeMap::new(),
        };
        self.plaintext_secrets
            .check(&source, "bearer_token", node.span(), vars, self.diagnostics);
        check_keys(
            self.keys,
            &source,
            "bearer_token",
            node.span(),
            self.diagnostics,
        );
        lints::token_scheme(node, self.diagnostics);
        Some(Spanned {
            value: source,
            span: node.span(),
        })
    }

    pub(super) fn id(&mut self) -> Option<Spanned<RemoteId>> {
        let (text, node) = self.text("id")?;
        match RemoteId::parse(&text) {
            Ok(id) => {
                if !id.is_documented_form() {
                    self.diagnostics.push(
                        node.problem(
                            Code::UnusualId,
                            "'id' does not look like an id of the API",
                            "not 24 hexadecimal digits in lower case",
                        )
                        .help("compare it with the id shown by 'hookctl status'"),
                    );
                }
                Some(Spanned {
                    value: id,
                    span: node.span(),
                })
            }
            Err(error) => {
                self.diagnostics.push(
                    node.problem(Code::InvalidId, error.to_string(), "not an id")
                        .help("copy the id shown by 'hookctl status'"),
                );
                None
            }
        }
    }

    pub(super) fn previously(&mut self) -> Option<Vec<String>> {
        let node = &self.field("previously")?.value;
        let words = self.words(node, "previously")?;
        let names: Vec<_> = words
            .items
            .into_iter()
            .map(|(text, node)| {
                let name =
                    self.interpolation
                        .expand(node, text, Scope::Public, self.diagnostics)?;
                self.valid_name(&name, "previously", node)
            })
            .collect();
        let names = names.into_iter().collect::<Option<Vec<_>>>();
        names.filter(|_| words.all_are_valid)
    }

    pub(super) fn ignore_changes(&mut self) -> Option<IgnoreChanges> {
        let node = &self.field("ignore_changes")?.value;
        let mut ignored = IgnoreChanges::default();
        for (name, node) in self.words(node, "ignore_changes")?.items {
            match Field::named(name) {
                Some(field) => {
                    ignored.fields.insert(field);
                }
                None if name == "bearer_token" => ignored.bearer_token = true,
                None => {
                    let known = Field::ALL.map(Field::as_str);
                    let known = || known.into_iter().chain(["bearer_token"]);
                    self.unknown_value(node, "ignore_changes", name, &known().collect::<Vec<_>>());
                }
            }
        }
        Some(ignored)
    }

    fn unknown_value(&mut self, node: &Node, what: &str, written: &str, known: &[&str]) {
        let help = match nearest(written, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("use one of {}", known.join(", ")),
        };
        self.diagnostics.push(
            node.problem(
                Code::UnknownValue,
                format!("'{what}' cannot be '{}'", excerpt(written)),
                "unknown value",
            )
            .help(help),
        );
    }

    pub(super) fn state(&mut self) -> Option<Presence> {
        let node = &self.field("state")?.value;
        let written = node.text("state", self.diagnostics)?;
        let presence = Presence::named(written);
        if presence.is_none() {
            let known = Presence::ALL.map(Presence::as_str);
            self.unknown_value(node, "state", written, &known);
        }
        presence
    }

    /// Returns the range of a field.
    pub(super) fn span(&self, name: &str) -> Option<Span> {
        self.field(name).map(|field| field.value.span())
    }
}
