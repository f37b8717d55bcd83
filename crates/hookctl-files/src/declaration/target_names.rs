//! The field `targets`: the names of the targets that have a webhook.

use super::fields::{FieldReader, Words};
use crate::diagnostic::{Code, Diagnostic, Span, excerpt, nearest};
use crate::yaml::{Mapping, Node};
use hookctl_core::template::looks_interpolated;

impl<'a> FieldReader<'a> {
    /// Returns the names of the targets, from a list or the keys of a mapping.
    pub(super) fn targets(&mut self, known: &[String]) -> Option<Vec<String>> {
        let node = &self.field("targets")?.value;
        let (names, mut all_are_known) = if let Some(mapping) = node.as_mapping() {
            (keys(mapping), true)
        } else {
            let words = self.listed(node)?;
            let names = words.items.iter().map(|(name, item)| (*name, item.span()));
            (names.collect(), words.all_are_valid)
        };
        if names.is_empty() && all_are_known {
            let help = "name at least one, or remove it to select all targets";
            self.empty("targets", node, help);
            return None;
        }
        for &(name, span) in &names {
            if let Some(problem) = problem(name, span, known) {
                self.diagnostics.push(match node.alias() {
                    Some(alias) => problem.and(alias, "used here"),
                    None => problem,
                });
                all_are_known = false;
            }
        }
        let names = names.into_iter().map(|(name, _)| name.to_owned());
        all_are_known.then(|| names.collect())
    }

    fn listed(&mut self, node: &'a Node) -> Option<Words<'a>> {
        if node.as_sequence().is_some() {
            return self.words(node, "targets");
        }
        let kind = node.kind()?;
        self.diagnostics.push(
            node.problem(
                Code::WrongType,
                "'targets' must be a list or a mapping",
                format!("this is {kind}"),
            )
            .help(
                "list names of targets: [a, b]; or map each name to the fields that differ there",
            ),
        );
        None
    }
}

fn keys(mapping: &Mapping) -> Vec<(&str, Span)> {
    let entries = mapping.iter();
    entries
        .map(|entry| (entry.key.value.as_str(), entry.key.span))
        .collect()
}

fn problem(name: &str, span: Span, known: &[String]) -> Option<Diagnostic> {
    if looks_interpolated(name) {
        return Some(
            Diagnostic::new(
                Code::InvalidTemplate,
                "variables have no meaning in 'targets'",
            )
            .at(span, "variables depend on the target")
            .help("list names of targets of hookctl.yaml"),
        );
    }
    if known.is_empty() || known.iter().any(|known| known == name) {
        return None;
    }
    let help = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("the targets are {}", known.join(", ")),
    };
    Some(
        Diagnostic::new(
            Code::UnknownTarget,
            format!("unknown target '{}'", excerpt(name)),
        )
        .at(span, "not a configured target")
        .help(help),
    )
}
