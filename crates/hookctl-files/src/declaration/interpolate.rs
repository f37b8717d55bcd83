//! Variables in values: replaced for the selected target, and only checked for others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;
use hookctl_core::secret::SecretSource;
use hookctl_core::template::{MAX_EXPANDED_BYTES, Template, looks_interpolated};

/// What a variable of the environment must be called to reach a public field.
pub const VARIABLE_PREFIX: &str = "HOOKCTL_VAR_";

/// How many bytes of text all declarations may hold together, variables replaced and `defaults` filled in.
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// How much text the declarations hold by now.
#[derive(Default)]
pub(super) struct TextBudget {
    spent: AtomicUsize,
}

impl TextBudget {
    /// Whether there is none left, which was reported.
    fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) > MAX_TEXT_BYTES
    }

    /// Whether there is room for so many bytes more. The first time that there is none is reported, without a
    /// place: it depends on which file is read first.
    fn spend(&self, bytes: usize, diagnostics: &mut Diagnostics) -> bool {
        let before = self.spent.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= MAX_TEXT_BYTES;
        if !fits && before <= MAX_TEXT_BYTES {
            diagnostics.push(
                Diagnostic::new(
                    Code::ExpansionTooLarge,
                    "the declarations hold more than 64 MiB of text, variables replaced and \
                     'defaults' filled in",
                )
                .help("shorten the variables and the 'defaults' that many webhooks use"),
            );
        }
        fits
    }
}

/// How variables are treated.
#[derive(Clone, Copy)]
pub(super) enum Interpolation<'a> {
    /// Replaced by what these answer.
    Replace(Variables<'a>),
    /// Left alone: the webhook is for another target, whose variables are not known here.
    CheckOnly,
}

/// Where the values of variables come from.
#[derive(Clone, Copy)]
pub(super) struct Variables<'a> {
    /// The target's own.
    pub(super) vars: &'a BTreeMap<String, String>,
    /// The environment's.
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// How much text they may make.
    pub(super) budget: &'a TextBudget,
}

/// What a value is for, which decides what its variables may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// A public field: `HOOKCTL_VAR_NAME` of the environment, then the target's `vars`.
    Public,
    /// A command that prints a secret: the target's `vars` alone, so that what is run stands in files.
    Command,
}

impl Interpolation<'_> {
    /// Returns the final text of a value. None if it cannot be known; a problem has been reported then,
    /// unless variables are only checked.
    pub(super) fn expand(
        self,
        node: &Node,
        text: &str,
        scope: Scope,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        let template = parse(node, text, diagnostics)?;
        self.expand_template(node, &template, scope, diagnostics)
    }

    /// Returns what a value that is one variable and nothing else holds, to be read as the field's type.
    /// None as for [`Interpolation::expand`].
    pub(super) fn expand_one(
        self,
        what: &str,
        node: &Node,
        text: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        let template = parse(node, text, diagnostics)?;
        if !template.is_one_variable() {
            diagnostics.push(
                node.problem(
                    Code::WrongType,
                    format!("'{what}' is not text, so a variable must be its whole value"),
                    "text beside a variable",
                )
                .help(format!("write one variable alone: '{what}: ${{NAME}}'")),
            );
            return None;
        }
        self.expand_template(node, &template, Scope::Public, diagnostics)
    }

    /// Whether a token's source fits beside the texts of the declarations. What it has of them was counted.
    pub(super) fn fits(self, source: &SecretSource, diagnostics: &mut Diagnostics) -> bool {
        let bytes = match source {
            SecretSource::Text { template } => template.size(),
            SecretSource::Env { name } => name.len(),
            SecretSource::File { .. } | SecretSource::Command { .. } => return true,
        };
        match self {
            Self::Replace(variables) => variables.budget.spend(bytes, diagnostics),
            Self::CheckOnly => true,
        }
    }

    fn expand_template(
        self,
        node: &Node,
        template: &Template,
        scope: Scope,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        let variables = match self {
            Self::Replace(variables) => variables,
            Self::CheckOnly if template.is_literal() => {
                return template.expand(&|_| None).ok();
            }
            Self::CheckOnly => return None,
        };
        // Half a million texts of 64 KiB would take minutes to make, though none of them is kept.
        if variables.budget.is_spent() {
            return None;
        }
        let used = RefCell::new(Used::default());
        let mut undefined = Vec::new();
        let expanded =
            template.expand_all(&|name| variables.value(name, scope, &used), &mut undefined);
        let text = match expanded {
            Ok(text) => text,
            Err(error) => {
                // It was made up to there.
                variables.budget.spend(MAX_EXPANDED_BYTES, diagnostics);
                diagnostics.push(
                    node.problem(Code::ExpansionTooLarge, error.to_string(), "used here")
                        .help("shorten the variables, or use fewer of them"),
                );
                return None;
            }
        };
        let used = used.into_inner();
        for name in &used.look_interpolated {
            diagnostics.push(
                node.problem(
                    Code::InvalidTemplate,
                    format!("the value of the variable {name} holds '${{'"),
                    "used here",
                )
                .help("a variable's value is not expanded again; give it its final value"),
            );
        }
        for variable in &undefined {
            let name = &variable.name;
            let help = if used.not_read.contains(name) {
                format!(
                    "the environment has {name}, but a public field reads \
                     {VARIABLE_PREFIX}{name} only; set that, or {name} under 'vars' of the target"
                )
            } else if scope == Scope::Command {
                format!(
                    "set it under 'vars' of the target, or give it a default: \
                     ${{{name}:-default}}; a command reads no variable of the environment"
                )
            } else {
                format!(
                    "set it under 'vars' of the target or as {VARIABLE_PREFIX}{name} in the \
                     environment, or give it a default: ${{{name}:-default}}"
                )
            };
            diagnostics.push(
                node.problem(Code::UndefinedVariable, variable.to_string(), "needed here")
                    .help(help),
            );
        }
        for name in &used.not_read {
            if undefined.iter().all(|variable| variable.name != *name) {
                diagnostics.push(not_read(node, name));
            }
        }
        let is_final = undefined.is_empty() && used.look_interpolated.is_empty();
        // Also what is not kept was made.
        let fits = variables.budget.spend(text.len(), diagnostics);
        (is_final && fits).then_some(text)
    }
}

/// What was met while variables were looked up.
#[derive(Default)]
struct Used {
    /// Names that the environment has, and that are not read there.
    not_read: BTreeSet<String>,
    /// Names with a value that looks as if it were to be expanded again.
    look_interpolated: BTreeSet<String>,
}

impl Variables<'_> {
    fn value(self, name: &str, scope: Scope, used: &RefCell<Used>) -> Option<String> {
        let set = |value: &String| !value.is_empty();
        let given = match scope {
            Scope::Public => {
                (self.environment)(&format!("{VARIABLE_PREFIX}{name}")).filter(|value| set(value))
            }
            Scope::Command => None,
        };
        let value = given.or_else(|| self.vars.get(name).cloned());
        match &value {
            Some(value) if looks_interpolated(value) => {
                used.borrow_mut().look_interpolated.insert(name.to_owned());
            }
            Some(value) if set(value) => {}
            _ => {
                if scope == Scope::Public
                    && (self.environment)(name).is_some_and(|value| set(&value))
                {
                    used.borrow_mut().not_read.insert(name.to_owned());
                }
            }
        }
        value
    }
}

fn not_read(node: &Node, name: &str) -> Diagnostic {
    node.problem(
        Code::VariableNotRead,
        format!("the variable {name} of the environment is not read"),
        "the default is used",
    )
    .help(format!(
        "a public field reads {VARIABLE_PREFIX}{name} of the environment; set that, or {name} under \
         'vars' of the target"
    ))
}

fn parse(node: &Node, text: &str, diagnostics: &mut Diagnostics) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(error) => {
            diagnostics.push(
                node.problem(Code::InvalidTemplate, error.to_string(), "not a variable")
                    .help("write '${NAME}' or '${NAME:-default}', and '$$' for a dollar"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn no_variable_is_looked_up_once_the_texts_are_too_large() {
        let (mut sources, mut diagnostics) = Default::default();
        let bytes = b"'${LONG}'".to_vec();
        let documents = yaml::read_bytes("a.yaml".into(), bytes, &mut sources, &mut diagnostics);
        let node = &documents.first().unwrap().root;
        let lookups = AtomicUsize::new(0);
        let environment = |_: &str| {
            lookups.fetch_add(1, Ordering::Relaxed);
            Some("x".repeat(MAX_TEXT_BYTES / 2_048))
        };
        let budget = TextBudget::default();
        let variables = Variables {
            vars: &BTreeMap::new(),
            environment: &environment,
            budget: &budget,
        };
        let mut expand = || {
            let how = Interpolation::Replace(variables);
            how.expand(node, "${LONG}", Scope::Public, &mut diagnostics)
        };
        assert_eq!((0..10_000).filter_map(|_| expand()).count(), 2_048);
        // One more is made, and found to be too much.
        assert_eq!(lookups.load(Ordering::Relaxed), 2_049);
        assert_eq!(diagnostics.len(), 1);
    }
}
