//! Whether a declaration can have a value of the API, and the text of it.

use std::ops::RangeInclusive;

use super::reason::Reason;
use hookctl_core::webhook::{EndpointUrl, Field, FieldValue, WorkflowAction, limits, normal_name};

/// Returns the value as a declaration has it: a name with control characters in its white space in normal form, which
/// compares equal.
///
/// # Errors
/// Returns [`Reason::Undeclarable`] for a value outside the limits of a declaration.
pub(super) fn declarable(field: Field, value: &FieldValue) -> Result<FieldValue, Reason> {
    match problem(field, value) {
        Ok(value) => Ok(value),
        Err(why) => Err(Reason::Undeclarable { why }),
    }
}

fn problem(field: Field, value: &FieldValue) -> Result<FieldValue, String> {
    match value {
        FieldValue::Text(name) => {
            let is_exact = name.trim() == name && !name.contains(char::is_control);
            let name = if is_exact {
                name.clone()
            } else {
                normal_name(name)
            };
            if name.contains(char::is_control) {
                return Err("it contains a control character".to_owned());
            }
            let length = name.chars().count();
            if !limits::NAME_LENGTH.contains(&length) {
                return Err(format!("it has {length} characters"));
            }
            Ok(FieldValue::Text(name))
        }
        FieldValue::Url(url) => match EndpointUrl::parse(url.as_str()) {
            Ok(_) => Ok(value.clone()),
            Err(error) => Err(format!("the address {error}")),
        },
        FieldValue::Actions(actions) => {
            let unknown: Vec<_> = actions.unknown().map(|name| format!("{name:?}")).collect();
            if !unknown.is_empty() {
                return Err(format!(
                    "this version does not know the action {}",
                    unknown.join(", ")
                ));
            }
            if actions.is_empty() {
                return Err("it has no actions".to_owned());
            }
            Ok(value.clone())
        }
        FieldValue::Flag(_) => Ok(value.clone()),
        FieldValue::Number(number) => {
            let range = range(field);
            if range.contains(number) {
                Ok(value.clone())
            } else {
                let (low, high) = (range.start(), range.end());
                Err(format!("{number} is not from {low} to {high}"))
            }
        }
    }
}

const fn range(field: Field) -> RangeInclusive<i64> {
    match field {
        Field::MaxRetries => limits::MAX_RETRIES,
        Field::RetryBackoffSeconds => limits::RETRY_BACKOFF_SECONDS,
        _ => limits::TIMEOUT_SECONDS,
    }
}

/// Returns the names of actions that a declaration has for a set, in the documented order.
pub(super) fn names(actions: &hookctl_core::webhook::WorkflowActions) -> Vec<&str> {
    actions.iter().map(WorkflowAction::as_str).collect()
}

/// Escapes a text for interpolation.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
