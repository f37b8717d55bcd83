//! Variables in values: replaced for the selected target, and only checked for others.

use crate::diagnostic::{Code, Diagnostics};
use crate::template::Template;
use crate::yaml::Node;

/// How variables are treated.
#[derive(Clone, Copy)]
pub(super) enum Interpolation<'a> {
    /// Replaced by what the lookup answers.
    Replace(&'a dyn Fn(&str) -> Option<String>),
    /// Left alone: the webhook is for another target, whose variables are not known here.
    CheckOnly,
}

impl Interpolation<'_> {
    /// The final text of a value. None if it cannot be known; a problem has been reported then, unless
    /// variables are only checked.
    pub(super) fn expand(
        self,
        node: &Node,
        text: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                diagnostics.push(
                    node.problem(Code::InvalidTemplate, error.to_string(), "not a variable")
                        .help("write '${NAME}' or '${NAME:-default}', and '$$' for a dollar"),
                );
                return None;
            }
        };
        let lookup: &dyn Fn(&str) -> Option<String> = match self {
            Self::Replace(lookup) => lookup,
            Self::CheckOnly if template.is_literal() => &|_| None,
            Self::CheckOnly => return None,
        };
        match template.expand(lookup) {
            Ok(text) => Some(text),
            Err(error) => {
                let name = &error.name;
                diagnostics.push(
                    node.problem(Code::UndefinedVariable, error.to_string(), "needed here")
                        .help(format!(
                            "set it under 'vars' of the target or in the environment, or give it a \
                             default: ${{{name}:-default}}"
                        )),
                );
                None
            }
        }
    }
}
