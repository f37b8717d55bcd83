//! Checks the declared targets that are not selected, so that a problem of one is found in a run for any.
//!
//! The variables of other targets are unknown, so values with variables are only parsed.

use super::ReadFile;
use super::document::{RawWebhook, presence};
use super::interpolate::Interpolation;
use super::lints;
use super::merge::{Merged, in_target, missing_field};
use super::overrides::Overrides;
use super::presence::Presence;
use super::raw::RawField;
use super::validate::Validation;
use crate::diagnostic::{Code, Diagnostic, Span, excerpt};
use hookctl_core::webhook::limits;

impl Validation<'_> {
    /// Checks a webhook whose fields differ by target, in the targets of these names. `selected` are the fields that are
    /// read in the selected target.
    pub(super) fn other_targets(
        &mut self,
        raw: &RawWebhook,
        defaults: &Overrides,
        selected: Option<&Merged<'_>>,
        names: &[String],
        file: &ReadFile,
    ) {
        let is_unread = |name: &str, field: &RawField| {
            let read = selected.and_then(|merged| merged.fields.get(name));
            read.is_none_or(|read| read.key != field.key)
        };
        let mut broken = Vec::new();
        self.each_field(&raw.fields, file, &mut broken, |name, field| {
            !field.is_default && name != "targets" && is_unread(name, field)
        });
        for of_target in raw.overrides.values() {
            self.each_field(&of_target.fields, file, &mut broken, |name, field| {
                !field.is_removal(name) && is_unread(name, field)
            });
        }
        let mut missing = [("url", Missing::default()), ("actions", Missing::default())];
        let mut present = 0_usize;
        for name in names {
            let merged = in_target(raw, defaults, name);
            if presence(&merged.fields).is_some_and(|presence| presence != Presence::Present) {
                continue;
            }
            present += 1;
            self.retry_schedule(raw, &merged, file);
            for (field, missing) in &mut missing {
                if !merged.fields.contains_key(field) {
                    missing.push((name, null(&merged, field)));
                }
            }
        }
        for (field, missing) in missing {
            // The unreadable part of a file may contain `defaults` with the actions.
            if field != "actions" || file.is_complete {
                self.missing(raw, field, &missing, present);
            }
        }
    }

    fn retry_schedule(&mut self, raw: &RawWebhook, merged: &Merged<'_>, file: &ReadFile) {
        let mut reader = self.reader(&merged.fields, file, Interpolation::CheckOnly);
        let names = ["retry_backoff_seconds", "max_retries"];
        let span = names.iter().find_map(|name| reader.span(name));
        let backoff = reader.number("retry_backoff_seconds", &limits::RETRY_BACKOFF_SECONDS);
        let retries = reader.number("max_retries", &limits::MAX_RETRIES);
        let is_known = |name: &str, value: Option<i64>, default: i64| match value {
            None if merged.fields.contains_key(name) => None,
            value => Some(value.unwrap_or(default)),
        };
        let backoff = is_known(
            "retry_backoff_seconds",
            backoff,
            limits::DEFAULT_RETRY_BACKOFF_SECONDS,
        );
        let retries = is_known("max_retries", retries, limits::DEFAULT_MAX_RETRIES);
        if let (Some(retries), Some(backoff)) = (retries, backoff) {
            let span = span.unwrap_or(raw.span);
            lints::retry_schedule(retries, backoff, span, reader.diagnostics);
        }
    }

    /// Reports a field that is missing in some of the targets. In all of them, it is missing in the webhook.
    fn missing(
        &mut self,
        raw: &RawWebhook,
        field: &'static str,
        missing: &Missing<'_>,
        present: usize,
    ) {
        let is_removed = missing.iter().any(|(_, null)| null.is_some());
        if !missing.is_empty() && missing.len() == present && !is_removed {
            self.diagnostics.push(missing_field(raw, field));
            return;
        }
        for (target, null) in missing {
            let name = excerpt(target);
            let own = raw.overrides.get(*target).map(|own| own.target);
            self.diagnostics.push(
                Diagnostic::new(
                    Code::MissingField,
                    format!(
                        "'{}' has no '{field}' in the target '{name}'",
                        excerpt(&raw.written)
                    ),
                )
                .at(
                    null.or(own).unwrap_or(raw.span),
                    format!("'{field}' is missing"),
                )
                .help(format!(
                    "add '{field}' to the webhook, or to the target '{name}' of its 'targets'"
                )),
            );
        }
    }
}

/// The targets without a field, with the ranges of the nulls that remove it.
type Missing<'a> = Vec<(&'a str, Option<Span>)>;

fn null(merged: &Merged<'_>, field: &str) -> Option<Span> {
    let mut removed = merged.removed.iter();
    let null = removed.find(|(name, _)| *name == field);
    null.map(|(_, span)| *span)
}
