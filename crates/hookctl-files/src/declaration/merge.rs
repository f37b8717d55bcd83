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
use super::overrides::{Override, Overrides};
use super::raw::Fields;
use crate::diagnostic::{Code, Diagnostic, SourceMap, Span, excerpt};
use hookctl_core::state::Origin;

/// The fields of a webhook in one target.
pub(super) struct Merged<'a> {
    pub(super) fields: Cow<'a, Fields>,
    /// The fields that the target removes, with the ranges of their nulls.
    pub(super) removed: Vec<(&'static str, Span)>,
    /// The fields that the target replaces or removes.
    pub(super) differing: Vec<&'static str>,
}

/// Returns the fields of a webhook in a target. `defaults` are the overrides of its file.
pub(super) fn in_target<'a>(
    webhook: &'a RawWebhook,
    defaults: &Overrides,
    target: &str,
) -> Merged<'a> {
    let mut merged = Merged {
        fields: Cow::Borrowed(&webhook.fields),
        removed: Vec::new(),
        differing: Vec::new(),
    };
    if let Some(shared) = defaults.get(target) {
        let is_default = |name: &str| {
            let field = webhook.fields.get(name);
            field.is_none_or(|field| field.is_default)
        };
        merged.replace(shared, is_default);
    }
    if let Some(own) = webhook.overrides.get(target) {
        merged.replace(own, |_| true);
    }
    merged
}

impl Merged<'_> {
    /// Returns the locations of the fields, and of the nulls that remove some.
    pub(super) fn origin(&self, webhook: &RawWebhook, sources: &SourceMap) -> Origin {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, field)| (name, field.value.span()));
        let fields = fields.chain(self.removed.iter().copied());
        Origin {
            key: sources.location(webhook.span),
            fields: fields
                .map(|(name, span)| (name, sources.location(span)))
                .collect(),
            in_target: self.differing.clone(),
        }
    }

    fn replace(&mut self, of_target: &Override, is_replaced: impl Fn(&str) -> bool) {
        for (name, field) in of_target
            .fields
            .iter()
            .filter(|(name, _)| is_replaced(name))
        {
            let fields = self.fields.to_mut();
            self.removed.retain(|(removed, _)| *removed != name);
            self.differing.push(name);
            if field.is_removal(name) {
                fields.retain(|known, _| known != name);
                self.removed.push((name, field.value.span()));
            } else {
                fields.insert(name, field.clone());
            }
        }
    }
}

/// Returns the diagnostic of a field that is missing in a webhook.
pub(super) fn missing_field(raw: &RawWebhook, name: &str) -> Diagnostic {
    let help = match name {
        "actions" => "add 'actions: [workflow_run_completed]' or 'actions: all'",
        _ => "add 'url: https://...', the delivery address",
    };
    Diagnostic::new(
        Code::MissingField,
        format!("'{}' has no '{name}'", excerpt(&raw.written)),
    )
    .at(raw.span, format!("'{name}' is missing"))
    .help(help)
}
