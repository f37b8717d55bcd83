//! The edits of one value.

use super::NewValue;
use super::actions;
use super::declarable::{declarable, literal};
use super::find::{Declared, Level, Trees, Written, range};
use super::insert::{Addition, at_null, insert, rendered};
use super::reason::Reason;
use super::scalar::{Quotes, rewritten};
use super::source::Edit;
use crate::yaml::{Entry, Node, Style, Value};
use hookctl_core::webhook::FieldValue;

/// The edits of one value.
pub(super) struct ValueEdits<'a> {
    pub(super) edits: Vec<Edit>,
    /// The pair to add to a target that has nothing yet.
    pub(super) first: Option<FirstPair<'a>>,
    /// The value as the file has it.
    pub(super) value: FieldValue,
    /// Whether the key is new in the webhook.
    pub(super) is_added: bool,
    /// The mapping that it is written to.
    pub(super) level: Level,
    /// The targets that have the value. `None` means all.
    pub(super) targets: Option<Vec<String>>,
}

/// A pair for a target without fields. All of them are written at once.
pub(super) struct FirstPair<'a> {
    pub(super) target: &'a Entry,
    pub(super) pair: String,
}

/// Returns the edits that give a field its new value.
///
/// # Errors
/// Returns why there are none.
pub(super) fn edits<'a>(
    text: &str,
    trees: &Trees<'a>,
    wanted: &NewValue,
) -> Result<ValueEdits<'a>, Reason> {
    let form = || Reason::Form {
        value: wanted.value.clone(),
    };
    let field = wanted.field;
    let name = field.as_str();
    let declared = trees.declared(&wanted.key).ok_or_else(form)?;
    trees.check_variables(&declared, field)?;
    let value = declarable(field, &wanted.value)?;
    if declared.is_shared {
        return Err(Reason::Shared);
    }
    let level = trees.level(&declared, name);
    let addition = Addition {
        trees,
        webhook: &declared,
        field,
        value: &value,
    };
    let mut first = None;
    let (edits, is_added) = match trees.at(&declared, level) {
        Some(fields) if !fields.mapping.is_empty() => changed(text, &fields, &addition)?,
        _ => {
            let (target, is_shared) = trees.of_target(&declared).ok_or_else(form)?;
            if is_shared {
                return Err(Reason::Shared);
            }
            let pair = addition.pair(text);
            first = Some(FirstPair { target, pair });
            (Some(Vec::new()), true)
        }
    };
    Ok(ValueEdits {
        edits: edits.ok_or_else(form)?,
        first,
        targets: trees.targets(&declared, name, level),
        value,
        is_added,
        level,
    })
}

/// Returns the edits of the fields that have the value or get it, and whether it is added. Returns `None` if the form does
/// not allow it.
fn changed(
    text: &str,
    fields: &Declared<'_>,
    addition: &Addition<'_>,
) -> Result<(Option<Vec<Edit>>, bool), Reason> {
    if fields.is_shared {
        return Err(Reason::Shared);
    }
    let value = addition.value;
    Ok(match fields.written(addition.field.as_str()) {
        Written::Own(node) if addition.trees.is_shared(node.span()) => {
            return Err(Reason::Shared);
        }
        Written::Own(node) => (in_place(text, node, value), false),
        Written::Alias(alias) => {
            let text = rendered(value, Quotes::None);
            (Some(vec![Edit { range: alias, text }]), false)
        }
        Written::Null(entry) => {
            let edit = at_null(text, entry, &rendered(value, Quotes::None));
            (edit.map(|edit| vec![edit]), false)
        }
        Written::Missing => {
            let edit = insert(text, fields, addition);
            (edit.map(|edit| vec![edit]), true)
        }
    })
}

/// Replaces a value.
fn in_place(text: &str, node: &Node, value: &FieldValue) -> Option<Vec<Edit>> {
    let span = range(node.span());
    let written = text.get(span.clone())?;
    let new = match (node.value(), value) {
        (Value::Sequence(_), FieldValue::Actions(actions)) => {
            return actions::edit(text, node, actions);
        }
        (Value::Scalar(old), FieldValue::Text(new)) => {
            rewritten(old.style(), written, &literal(new))?
        }
        (Value::Scalar(old), FieldValue::Url(new)) => {
            rewritten(old.style(), written, &literal(new.as_str()))?
        }
        (Value::Scalar(old), _) if old.style() != Style::Block => {
            rendered(value, Quotes::of(written))
        }
        _ => return None,
    };
    Some(vec![Edit {
        range: span,
        text: new,
    }])
}
