//! One field at a time: its type, its limits, and its variables.
//!
//! Each method gives None for a field that is not written and for one that is wrong; what is wrong has
//! been reported then.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::declarations::Token;
use super::document::{Fields, RawField};
use super::interpolate::Interpolation;
use super::lints::{self, Address};
use crate::diagnostic::{Code, Diagnostics, Span, Spanned, excerpt, nearest};
use crate::secret::{self, PlaintextSecrets, SecretSource, Surroundings};
use crate::state::IgnoreChanges;
use crate::webhook::{
    EndpointUrl, Field, InvalidEndpointUrl, RemoteId, WorkflowAction, WorkflowActions, limits,
};
use crate::yaml::{Kind, Node};

/// Reads the fields of one webhook, or those that a file shares.
pub(super) struct FieldReader<'a> {
    pub(super) fields: &'a Fields,
    pub(super) interpolation: Interpolation<'a>,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) plaintext_secrets: PlaintextSecrets,
    pub(super) diagnostics: &'a mut Diagnostics,
}

/// Whether a webhook shall be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Present,
    Absent,
}

impl<'a> FieldReader<'a> {
    fn field(&self, name: &str) -> Option<&'a RawField> {
        self.fields.get(name)
    }

    /// The final text of a field, and its node.
    fn text(&mut self, name: &str) -> Option<(String, &'a Node)> {
        let node = &self.field(name)?.value;
        let text = node.text(name, self.diagnostics)?;
        let text = self.interpolation.expand(node, text, self.diagnostics)?;
        Some((text, node))
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let (name, node) = self.text("name")?;
        self.is_name(&name, "name", node).then_some(name)
    }

    fn is_name(&mut self, name: &str, what: &str, node: &Node) -> bool {
        let length = name.chars().count();
        let is_valid = limits::NAME_LENGTH.contains(&length);
        if !is_valid {
            let (shortest, longest) = (limits::NAME_LENGTH.start(), limits::NAME_LENGTH.end());
            self.diagnostics.push(
                node.problem(
                    Code::InvalidLength,
                    format!("'{what}' has {length} characters"),
                    format!("the API takes {shortest} to {longest}"),
                )
                .help(format!("write {shortest} to {longest} characters")),
            );
        }
        is_valid
    }

    pub(super) fn url(&mut self) -> Option<(EndpointUrl, Address)> {
        let (text, node) = self.text("url")?;
        match EndpointUrl::parse_whole(&text) {
            Ok((url, parts)) => {
                let address = lints::address(parts, node, self.diagnostics);
                Some((url, address))
            }
            Err(error) => {
                let help = match error {
                    InvalidEndpointUrl::Length { .. } => "shorten it, or write one",
                    InvalidEndpointUrl::ControlCharacter => {
                        "percent-encode it: a space is %20, for example"
                    }
                    _ => "write an absolute address, such as https://hooks.example.com/path",
                };
                self.diagnostics.push(
                    node.problem(
                        Code::InvalidUrl,
                        format!("'url' {error}"),
                        "not an address that events can be sent to",
                    )
                    .help(help),
                );
                None
            }
        }
    }

    pub(super) fn actions(&mut self) -> Option<WorkflowActions> {
        let node = &self.field("actions")?.value;
        if let Some(word) = node.as_scalar().filter(|_| node.kind() == Some(Kind::Text)) {
            if word.text() == "all" {
                return Some(WorkflowActions::all());
            }
            if WorkflowAction::known(word.text()).is_none() {
                self.unknown_action(node, word.text());
                return None;
            }
        }
        let items = self.words(node, "actions")?;
        if items.is_empty() {
            self.empty(
                "actions",
                node,
                "name at least one, or write 'actions: all'",
            );
            return None;
        }
        let actions: Vec<_> = items
            .iter()
            .map(|word| {
                let action = WorkflowAction::known(word.value.0);
                if action.is_none() {
                    self.unknown_action(word.value.1, word.value.0);
                }
                action
            })
            .collect();
        actions.into_iter().collect()
    }

    fn unknown_action(&mut self, node: &Node, written: &str) {
        let known = WorkflowAction::KNOWN;
        let names = known.each_ref().map(WorkflowAction::as_str);
        let help = match nearest(written, names) {
            _ if written == "all" => "write 'actions: all', without brackets".to_owned(),
            Some(name) => format!("did you mean '{name}'?"),
            None => format!("the actions are {}; or write 'all'", names.join(", ")),
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

    fn empty(&mut self, what: &str, node: &Node, help: &str) {
        self.diagnostics.push(
            node.problem(Code::EmptyList, format!("'{what}' is empty"), "no items")
                .help(help),
        );
    }

    /// The items of a list of words, none of them twice.
    fn words(&mut self, node: &'a Node, what: &str) -> Option<Vec<Spanned<(&'a str, &'a Node)>>> {
        let mut words: Vec<Spanned<(&str, &Node)>> = Vec::new();
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
                        format!("'{}' stands twice in '{what}'", excerpt(word)),
                        "the second one",
                    )
                    .and(*first, "the first one")
                    .help("remove one of the two"),
                );
                all_are_valid = false;
                continue;
            }
            places.insert(word, item.span());
            words.push(Spanned {
                value: (word, item),
                span: item.span(),
            });
        }
        all_are_valid.then_some(words)
    }

    /// What is said of the token. One that is wrong counts as left out; it has been reported.
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
        let source = secret::read_source(
            node,
            "bearer_token",
            self.surroundings,
            &|node, text, diagnostics| interpolation.expand(node, text, diagnostics),
            self.diagnostics,
        )?;
        if source.is_plain_text() {
            self.diagnostics.push(
                self.plaintext_secrets
                    .diagnostic("bearer_token", node.span()),
            );
        }
        lints::token_scheme(node, self.diagnostics);
        Some(Spanned {
            value: source,
            span: node.span(),
        })
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.field(name)?.value.boolean(name, self.diagnostics)
    }

    pub(super) fn number(&mut self, name: &str, range: &RangeInclusive<i64>) -> Option<i64> {
        self.field(name)?
            .value
            .whole_number(name, range, self.diagnostics)
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
                            "not 24 digits of 0-9 and a-f",
                        )
                        .help("compare it with the id that 'hookctl status' shows"),
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
                        .help("copy the id that 'hookctl status' shows"),
                );
                None
            }
        }
    }

    pub(super) fn previously(&mut self) -> Option<Vec<String>> {
        let node = &self.field("previously")?.value;
        let names: Vec<_> = self
            .words(node, "previously")?
            .into_iter()
            .map(|word| {
                let (text, node) = word.value;
                let name = self.interpolation.expand(node, text, self.diagnostics)?;
                self.is_name(&name, "previously", node).then_some(name)
            })
            .collect();
        names.into_iter().collect()
    }

    /// The targets that it is for: their names and places.
    pub(super) fn targets(&mut self, known: &[String]) -> Option<Vec<String>> {
        let node = &self.field("targets")?.value;
        let words = self.words(node, "targets")?;
        if words.is_empty() {
            self.empty(
                "targets",
                node,
                "name at least one, or leave it out to mean all of them",
            );
            return None;
        }
        let mut all_are_known = true;
        for word in &words {
            let (name, node) = word.value;
            if !known.is_empty() && !known.iter().any(|known| known == name) {
                all_are_known = false;
                let help = match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("the targets are {}", known.join(", ")),
                };
                self.diagnostics.push(
                    node.problem(
                        Code::UnknownTarget,
                        format!("unknown target '{}'", excerpt(name)),
                        "no target of this name is configured",
                    )
                    .help(help),
                );
            }
        }
        all_are_known.then(|| words.iter().map(|word| word.value.0.to_owned()).collect())
    }

    pub(super) fn ignore_changes(&mut self) -> Option<IgnoreChanges> {
        let node = &self.field("ignore_changes")?.value;
        let mut ignored = IgnoreChanges::default();
        for word in self.words(node, "ignore_changes")? {
            let (name, node) = word.value;
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
            None => format!("write one of {}", known.join(", ")),
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
        match node.text("state", self.diagnostics)? {
            "present" => Some(Presence::Present),
            "absent" => Some(Presence::Absent),
            other => {
                self.unknown_value(node, "state", other, &["present", "absent"]);
                None
            }
        }
    }

    /// Where a field is written, if it is.
    pub(super) fn span(&self, name: &str) -> Option<Span> {
        self.field(name).map(|field| field.value.span())
    }
}
