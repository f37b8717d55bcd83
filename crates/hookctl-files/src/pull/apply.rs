//! The edits of one value.

use super::NewValue;
use super::actions;
use super::declarable::{declarable, literal};
use super::find::{Trees, Written, range};
use super::insert::{insert, rendered};
use super::reason::Reason;
use super::scalar::{Quotes, rewritten};
use super::source::Edit;
use crate::yaml::{Node, Style, Value};
use hookctl_core::webhook::FieldValue;

/// The edits of one value.
pub(super) struct ValueEdits {
    pub(super) edits: Vec<Edit>,
    /// The value as the file has it.
    pub(super) value: FieldValue,
    /// Whether the key is new in the webhook.
    pub(super) is_added: bool,
    /// The targets of the declaration. `None` means all.
    pub(super) targets: Option<Vec<String>>,
}

/// Returns the edits that give a field its new value.
///
/// # Errors
/// Returns why there are none.
pub(super) fn edits(
    text: &str,
    trees: &Trees<'_>,
    wanted: &NewValue,
) -> Result<ValueEdits, Reason> {
    let form = || Reason::Form {
        value: wanted.value.clone(),
    };
    let field = wanted.field;
    let declared = trees.declared(&wanted.key).ok_or_else(form)?;
    trees.check_variables(&declared, field)?;
    let value = declarable(field, &wanted.value)?;
    if declared.is_shared {
        return Err(Reason::Shared);
    }
    let mut is_added = false;
    let edits = match declared.written(field.as_str()) {
        Written::Own(node) if trees.is_shared(node.span()) => return Err(Reason::Shared),
        Written::Own(node) => in_place(text, node, &value).ok_or_else(form)?,
        Written::Alias(alias) => vec![Edit {
            range: alias,
            text: rendered(&value, Quotes::None),
        }],
        Written::Missing => {
            is_added = true;
            vec![insert(text, trees, &declared, field, &value).ok_or_else(form)?]
        }
    };
    Ok(ValueEdits {
        edits,
        value,
        is_added,
        targets: trees.targets(&declared),
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
