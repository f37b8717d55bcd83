//! Variables in values. They are replaced for the selected target, and only checked for others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;
use hookctl_core::secret::SecretSource;
use hookctl_core::template::{MAX_EXPANDED_BYTES, Template, looks_interpolated};

/// The prefix of environment variables that public fields read.
pub const VARIABLE_PREFIX: &str = "HOOKCTL_VAR_";

/// The most bytes of text in all declarations, with variables replaced and `defaults` filled in.
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// The text of all declarations so far.
#[derive(Default)]
pub(super) struct TextBudget {
    spent: AtomicUsize,
}

impl TextBudget {
    /// Returns whether the limit has been exceeded, which has been reported.
    fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) > MAX_TEXT_BYTES
    }

    /// Adds to the total and returns whether it stays below the limit. Reports the first excess, without a location,
    /// which would depend on the order in which files are read.
    fn spend(&self, bytes: usize, diagnostics: &mut Diagnostics) -> bool {
        let before = self.spent.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= MAX_TEXT_BYTES;
        if !fits && before <= MAX_TEXT_BYTES {
            diagnostics.push(
                Diagnostic::new(
                    Code::ExpansionTooLarge,
                    "the declarations exceed 64 MiB of text, with variables replaced and 'defaults' filled in",
                )
                .help("shorten variables and 'defaults' that many webhooks use"),
            );
        }
        fits
    }
}

/// How variables are treated.
#[derive(Clone, Copy)]
pub(super) enum Interpolation<'a> {
    /// Replace them with these values.
    Replace(Variables<'a>),
    /// Keep them: the webhook is for another target, whose variables are unknown.
    CheckOnly,
}

/// The values of variables.
#[derive(Clone, Copy)]
pub(super) struct Variables<'a> {
    /// The `vars` of the target.
    pub(super) vars: &'a BTreeMap<String, String>,
    /// The environment.
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// The limit of the expanded text.
    pub(super) budget: &'a TextBudget,
}

/// The purpose of a value, which determines the variables that it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// A public field: `HOOKCTL_VAR_NAME` from the environment, then `vars` of the target.
    Public,
    /// A command for a secret: only `vars` of the target, so that what is run is part of the files.
    Command,
}

impl Interpolation<'_> {
    /// Returns the expanded text of a value, or `None` if it is unknown. A problem has been reported then, unless
    /// variables are only checked.
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

    /// Returns the value of a variable that is the whole text, to be parsed as the field's type. Returns `None` as
    /// [`Interpolation::expand`] does.
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
                    "text next to a variable",
                )
                .help(format!("use the variable alone: '{what}: ${{NAME}}'")),
            );
            return None;
        }
        self.expand_template(node, &template, Scope::Public, diagnostics)
    }

    /// Returns what gave a text of variables its value. The text has been expanded.
    pub(super) fn provided(self, text: &str) -> Provided {
        let template = Template::parse(text).ok();
        let names = template.as_ref().map(Template::variables);
        let names = names.unwrap_or_default();
        let set = names.iter().find_map(|name| {
            let Self::Replace(variables) = self else {
                return None;
            };
            let set = |value: Option<String>| value.is_some_and(|value| !value.is_empty());
            if set((variables.environment)(&format!("{VARIABLE_PREFIX}{name}"))) {
                Some((*name, Provider::Environment))
            } else {
                set(variables.vars.get(*name).cloned()).then_some((*name, Provider::Vars))
            }
        });
        let first = names.first().copied().unwrap_or_default();
        let (name, provider) = set.unwrap_or((first, Provider::Default));
        Provided {
            name: name.to_owned(),
            provider,
        }
    }

    /// Returns whether a token's source stays within the text limit. Its text in the declarations has been counted.
    pub(super) fn fits(self, source: &SecretSource, diagnostics: &mut Diagnostics) -> bool {
        let bytes = match source {
            SecretSource::Text { template } => template.size(),
            SecretSource::Env { name } => name.len(),
            SecretSource::File { .. }
            | SecretSource::Command { .. }
            | SecretSource::Provider { .. } => return true,
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
        // Half a million texts of 64 KiB would take minutes to expand, even if none is kept.
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
                // The text up to the error has been expanded.
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
                    format!("the value of the variable {name} contains '${{'"),
                    "used here",
                )
                .help("set its final value: a variable's value is not expanded again"),
            );
        }
        for variable in &undefined {
            let name = &variable.name;
            let help = if used.not_read.contains(name) {
                format!(
                    "set {VARIABLE_PREFIX}{name} in the environment, or {name} under 'vars' of the target: a public \
                    field does not read {name} from the environment"
                )
            } else if scope == Scope::Command {
                format!(
                    "set it under 'vars' of the target, or give it a default, ${{{name}:-default}}: a command reads \
                    no environment variables"
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
        // Text that is not kept has been expanded too.
        let fits = variables.budget.spend(text.len(), diagnostics);
        (is_final && fits).then_some(text)
    }
}

/// What gave a text of variables its value.
pub(super) struct Provided {
    name: String,
    provider: Provider,
}

/// Where the value of a variable is set.
#[derive(Clone, Copy)]
enum Provider {
    Environment,
    Vars,
    Default,
}

impl Provided {
    /// Returns a name of the value.
    pub(super) fn what(&self) -> String {
        let name = &self.name;
        match self.provider {
            Provider::Environment | Provider::Vars => format!("the variable {name}"),
            Provider::Default => format!("the default of {name}"),
        }
    }

    /// Returns a label that says where the value is set.
    pub(super) fn place(&self) -> String {
        let name = &self.name;
        match self.provider {
            Provider::Environment => format!("{VARIABLE_PREFIX}{name} of the environment sets it"),
            Provider::Vars => format!("{name} under 'vars' of the target sets it"),
            Provider::Default => format!("{name} is not set"),
        }
    }
}

/// What the lookup of variables found.
#[derive(Default)]
struct Used {
    /// Names of environment variables that are not read here.
    not_read: BTreeSet<String>,
    /// Names of variables whose values look as if they should be expanded again.
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
        format!("the environment variable {name} is not read"),
        "the default is used",
    )
    .help(format!(
        "set {VARIABLE_PREFIX}{name} in the environment, or {name} under 'vars' of the target: a public field \
        does not read {name} from the environment"
    ))
}

fn parse(node: &Node, text: &str, diagnostics: &mut Diagnostics) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(error) => {
            diagnostics.push(
                node.problem(Code::InvalidTemplate, error.to_string(), "not a variable")
                    .help("use '${NAME}' or '${NAME:-default}' for a variable, and '$$' for a dollar sign"),
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
        // One more is expanded before the limit is noticed.
        assert_eq!(lookups.load(Ordering::Relaxed), 2_049);
        assert_eq!(diagnostics.len(), 1);
    }
}
