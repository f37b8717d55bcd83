//! The fields of a webhook in one target.
//!
//! A field has the value of the first of these that contains it:
//!
//! 1. `targets.<target>` of the webhook,
//! 2. the webhook,
//! 3. `targets.<target>` of `defaults`,
//! 4. `defaults`.
//!
//! A value is replaced as a whole. A null in a mapping of `targets` removes the field.

use std::borrow::Cow;

use super::document::RawWebhook;
use super::overrides::Override;
use super::raw::Fields;
use crate::diagnostic::Span;

/// The fields of a webhook in one target.
pub(super) struct Merged<'a> {
    pub(super) fields: Cow<'a, Fields>,
    /// The fields that the target removes, with the ranges of their nulls.
    pub(super) removed: Vec<(&'static str, Span)>,
}

/// Returns the fields of a webhook in a target. `defaults` are the overrides of its file.
pub(super) fn in_target<'a>(
    webhook: &'a RawWebhook,
    defaults: &[Override],
    target: &str,
) -> Merged<'a> {
    let find = |overrides: &'_ [Override]| {
        let mut overrides = overrides.iter();
        overrides.position(|one| one.target.value == target)
    };
    let shared = find(defaults).and_then(|index| defaults.get(index));
    let own = find(&webhook.overrides).and_then(|index| webhook.overrides.get(index));
    let mut merged = Merged {
        fields: Cow::Borrowed(&webhook.fields),
        removed: Vec::new(),
    };
    if let Some(shared) = shared {
        let is_default = |name: &str| {
            let field = webhook.fields.get(name);
            field.is_none_or(|field| field.is_default)
        };
        merged.replace(shared, is_default);
    }
    if let Some(own) = own {
        merged.replace(own, |_| true);
    }
    merged
}

impl Merged<'_> {
    fn replace(&mut self, of_target: &Override, is_replaced: impl Fn(&str) -> bool) {
        for (name, field) in of_target
            .fields
            .iter()
            .filter(|(name, _)| is_replaced(name))
        {
            let fields = self.fields.to_mut();
            self.removed.retain(|(removed, _)| *removed != name);
            if field.is_removal(name) {
                fields.retain(|known, _| known != name);
                self.removed.push((name, field.value.span()));
            } else {
                fields.insert(name, field.clone());
            }
        }
    }
}
