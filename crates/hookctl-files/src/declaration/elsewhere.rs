//! Checks the declared targets that are not selected, so that a problem of one is found in a run for any.
//!
//! The variables of other targets are unknown, so values with variables are only parsed.

use super::ReadFile;
use super::document::{RawWebhook, presence};
use super::interpolate::Interpolation;
use super::lints;
use super::merge::{Merged, in_target};
use super::overrides::Override;
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
        defaults: &[Override],
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
        for of_target in &raw.overrides {
            self.each_field(&of_target.fields, file, &mut broken, |name, field| {
                !field.is_removal(name) && is_unread(name, field)
            });
        }
        let mut present = Vec::new();
        for name in names {
            let merged = in_target(raw, defaults, name);
            if presence(&merged.fields).is_none_or(|presence| presence == Presence::Present) {
                self.retry_schedule(raw, &merged, file);
                present.push((name.as_str(), merged));
            }
        }
        for field in ["url", "actions"] {
            self.require_in(raw, &present, file, field);
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

    /// Reports a field that is missing in some targets. In all of them, it is missing in the webhook.
    fn require_in(
        &mut self,
        raw: &RawWebhook,
        targets: &[(&str, Merged<'_>)],
        file: &ReadFile,
        field: &'static str,
    ) {
        let has_field = |(_, merged): &&(&str, Merged<'_>)| merged.fields.contains_key(field);
        let is_removed = |merged: &Merged<'_>| null(merged, field).is_some();
        if targets
            .iter()
            .all(|target| !has_field(&target) && !is_removed(&target.1))
        {
            if let Some((_, merged)) = targets.first() {
                self.require(raw, merged, file, field);
            }
            return;
        }
        if field == "actions" && !file.is_complete {
            return;
        }
        for (target, merged) in targets.iter().filter(|target| !has_field(target)) {
            let name = excerpt(target);
            self.diagnostics.push(
                Diagnostic::new(
                    Code::MissingField,
                    format!(
                        "'{}' has no '{field}' in the target '{name}'",
                        excerpt(&raw.written)
                    ),
                )
                .at(
                    place(raw, merged, target, field),
                    format!("'{field}' is missing"),
                )
                .help(format!(
                    "add '{field}' to the webhook, or to the target '{name}' of its 'targets'"
                )),
            );
        }
    }
}

/// Returns the null that removes a field, or the target, or the webhook.
fn place(raw: &RawWebhook, merged: &Merged<'_>, target: &str, field: &str) -> Span {
    let mut overrides = raw.overrides.iter();
    let own = overrides.find(|one| one.target.value == target);
    null(merged, field)
        .or(own.map(|one| one.target.span))
        .unwrap_or(raw.span)
}

fn null(merged: &Merged<'_>, field: &str) -> Option<Span> {
    let mut removed = merged.removed.iter();
    let null = removed.find(|(name, _)| *name == field);
    null.map(|(_, span)| *span)
}
