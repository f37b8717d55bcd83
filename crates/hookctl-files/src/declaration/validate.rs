//! Validates the raw declarations of all files.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::declarations::{Declarations, Present};
use super::document::{RawFile, RawWebhook, parse};
use super::fields::FieldReader;
use super::interpolate::{Interpolation, TextBudget, Variables};
use super::lints::{self, Side};
use super::merge::{Merged, in_target, missing_field};
use super::overrides::Overrides;
use super::presence::Presence;
use super::raw::{Fields, RawField};
use super::{LoadOptions, ReadFile, keep_new};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, SourceMap, Span, Spanned};
use crate::secret_source::SourceContext;
use hookctl_core::state::{AbsentWebhook, Origin};
use hookctl_core::webhook::{Key, RemoteId, WebhookSpec, limits};

/// The declarations and problems found so far.
#[derive(Default)]
pub(super) struct Found {
    /// The first declaration of each key.
    keys: HashMap<Key, Span>,
    /// Further declarations of the same keys.
    again: Vec<(Key, Span)>,
    sides: Vec<Side>,
    declarations: Declarations,
}

impl Found {
    /// Validates a file. Invalid declarations are reported and dropped.
    pub(super) fn add(
        &mut self,
        file: &ReadFile,
        sources: &SourceMap,
        options: &LoadOptions<'_>,
        budget: &TextBudget,
        diagnostics: &mut Diagnostics,
    ) {
        let raw = parse(file, diagnostics);
        let mut own = Diagnostics::default();
        let mut validation = Validation {
            options,
            sources,
            budget,
            broken_defaults: Vec::new(),
            diagnostics: &mut own,
            found: self,
        };
        validation.defaults(&raw, file);
        // A problem of a shared value is kept once, however many webhooks share it.
        let mut seen = HashSet::new();
        for webhook in &raw.webhooks {
            validation.webhook(webhook, &raw.default_overrides, file);
            let said = std::mem::take(validation.diagnostics);
            keep_new(said, &mut seen, diagnostics);
        }
        keep_new(own, &mut seen, diagnostics);
    }

    /// Appends what was found in later files. Keys that are already declared here are kept.
    pub(super) fn append(&mut self, mut next: Self) {
        if self.keys.is_empty() {
            *self = next;
            return;
        }
        let mut taken = HashSet::new();
        for (key, span) in next.keys {
            match self.keys.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(span);
                }
                Entry::Occupied(place) => {
                    let key = place.key();
                    next.declarations.present.remove(key);
                    next.declarations.absent.remove(key);
                    next.declarations.released.remove(key);
                    self.again.push((key.clone(), span));
                    taken.insert(key.clone());
                }
            }
        }
        if !taken.is_empty() {
            next.sides.retain(|side| !taken.contains(&side.key));
        }
        self.again.append(&mut next.again);
        self.sides.append(&mut next.sides);
        let (declarations, next) = (&mut self.declarations, &mut next.declarations);
        declarations.present.append(&mut next.present);
        declarations.absent.append(&mut next.absent);
        declarations.released.append(&mut next.released);
        declarations.elsewhere += next.elsewhere;
    }

    /// Compares all declarations, and returns them.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) -> Declarations {
        for (key, span) in &self.again {
            let first = self.keys.get(key).unwrap_or(span);
            diagnostics.push(
                Diagnostic::new(
                    Code::DuplicateKey,
                    format!("the key '{key}' is declared twice"),
                )
                .at(*span, "the second declaration")
                .and(*first, "the first declaration")
                .help("rename one of them: a key is unique in the repository"),
            );
        }
        lints::side_by_side(&self.sides, &self.declarations, diagnostics);
        self.declarations
    }
}

/// The validation of a file.
pub(super) struct Validation<'a> {
    options: &'a LoadOptions<'a>,
    sources: &'a SourceMap,
    budget: &'a TextBudget,
    broken_defaults: Vec<&'static str>,
    pub(super) diagnostics: &'a mut Diagnostics,
    found: &'a mut Found,
}

/// A webhook with its fields in the selected target.
#[derive(Clone, Copy)]
struct Selected<'a> {
    raw: &'a RawWebhook,
    merged: &'a Merged<'a>,
    /// Whether missing fields are reported here. With a mapping of targets, they are reported by target.
    is_required: bool,
    /// Whether it is declared for the target, for the first time.
    is_kept: bool,
}

impl Validation<'_> {
    pub(super) fn reader<'r>(
        &'r mut self,
        fields: &'r Fields,
        file: &'r ReadFile,
        interpolation: Interpolation<'r>,
    ) -> FieldReader<'r> {
        FieldReader {
            fields,
            broken_defaults: &self.broken_defaults,
            interpolation,
            context: SourceContext {
                folder: &file.folder,
                root: self.options.repository_root,
                providers: self.options.providers,
            },
            plaintext_secrets: self.options.plaintext_secrets,
            keys: self.options.keys,
            vars: self.options.vars,
            diagnostics: self.diagnostics,
        }
    }

    /// Checks the shared fields, which are reported even if no webhook uses them.
    fn defaults(&mut self, raw: &RawFile, file: &ReadFile) {
        let mut broken = Vec::new();
        self.each_field(&raw.defaults, file, &mut broken, |_, _| true);
        for of_target in raw.default_overrides.values() {
            let is_value = |name: &str, field: &RawField| !field.is_removal(name);
            self.each_field(&of_target.fields, file, &mut broken, is_value);
        }
        self.broken_defaults = broken;
    }

    /// Checks fields one by one, without their variables. Adds those with errors to `broken`.
    pub(super) fn each_field(
        &mut self,
        fields: &Fields,
        file: &ReadFile,
        broken: &mut Vec<&'static str>,
        is_checked: impl Fn(&str, &RawField) -> bool,
    ) {
        let known = self.options.known_targets;
        let mut reader = self.reader(fields, file, Interpolation::CheckOnly);
        let checked = fields
            .iter()
            .filter(|(name, field)| is_checked(name, field));
        for (name, _) in checked {
            let before = reader.diagnostics.count(Severity::Error);
            match name {
                "name" => _ = reader.name(),
                "url" => _ = reader.url(),
                "actions" => _ = reader.actions(),
                "bearer_token" => _ = reader.bearer_token(),
                "enabled" | "prevent_destroy" => _ = reader.boolean(name),
                "timeout_seconds" => _ = reader.number(name, &limits::TIMEOUT_SECONDS),
                "max_retries" => _ = reader.number(name, &limits::MAX_RETRIES),
                "retry_backoff_seconds" => {
                    _ = reader.number(name, &limits::RETRY_BACKOFF_SECONDS);
                }
                "id" => _ = reader.id(),
                "previously" => _ = reader.previously(),
                "targets" => _ = reader.targets(known),
                "ignore_changes" => _ = reader.ignore_changes(),
                "state" => _ = reader.state(),
                _ => {}
            }
            if reader.diagnostics.count(Severity::Error) > before {
                broken.push(name);
            }
        }
    }

    fn webhook(&mut self, raw: &RawWebhook, defaults: &Overrides, file: &ReadFile) {
        // An invalid key does not hide problems below it.
        let is_first = raw.key.as_ref().is_some_and(|key| {
            let is_first = !self.found.keys.contains_key(key);
            if is_first {
                self.found.keys.insert(key.clone(), raw.span);
            } else {
                self.found.again.push((key.clone(), raw.span));
            }
            is_first
        });
        let options = self.options;
        let mut reader = self.reader(&raw.fields, file, Interpolation::CheckOnly);
        let targets = reader.targets(options.known_targets);
        // An invalid list selects no target, so that variables that may be unused are not required.
        let is_selected = match &targets {
            Some(targets) => targets.iter().any(|target| target == options.target),
            None => !raw.fields.contains_key("targets"),
        };
        let merged = in_target(raw, defaults, options.target);
        let differs = !raw.overrides.is_empty() || !defaults.is_empty();
        if differs {
            let selected_only = [options.target.to_owned()];
            let names: &[String] = match &targets {
                Some(targets) => targets,
                None if raw.fields.contains_key("targets") => &[],
                None if options.known_targets.is_empty() => &selected_only,
                None => options.known_targets,
            };
            let selected = Some(&merged).filter(|_| is_selected);
            self.other_targets(raw, defaults, selected, names, file);
        }
        let interpolation = if is_selected {
            Interpolation::Replace(Variables {
                vars: options.vars,
                environment: options.environment,
                budget: self.budget,
            })
        } else {
            Interpolation::CheckOnly
        };
        // What differs by target need not be complete in another one.
        if is_selected || !differs {
            let found = Selected {
                raw,
                merged: &merged,
                is_required: !differs,
                is_kept: is_selected && is_first,
            };
            self.selected(&found, file, interpolation);
        }
        self.found.declarations.elsewhere += usize::from(!is_selected);
    }

    /// Reads the fields of a webhook in the selected target, or in any if it is not selected.
    fn selected(
        &mut self,
        selected: &Selected<'_>,
        file: &ReadFile,
        interpolation: Interpolation<'_>,
    ) {
        let Selected { raw, merged, .. } = *selected;
        let mut reader = self.reader(&merged.fields, file, interpolation);
        let presence = reader.state().unwrap_or(Presence::Present);
        let origin = merged.origin(raw, self.sources);
        match presence {
            Presence::Present => {
                let found = self.present(selected, file, interpolation, origin);
                if let Some((webhook, side)) = found.filter(|_| selected.is_kept) {
                    let key = side.key.clone();
                    self.found.sides.push(side);
                    self.found.declarations.present.insert(key, webhook);
                }
            }
            Presence::Absent | Presence::Released => {
                let found = self.named(selected, file, interpolation, origin);
                if let Some((webhook, side)) = found.filter(|_| selected.is_kept) {
                    let key = side.key.clone();
                    self.found.sides.push(side);
                    let declarations = &mut self.found.declarations;
                    let named = match presence {
                        Presence::Released => &mut declarations.released,
                        Presence::Present | Presence::Absent => &mut declarations.absent,
                    };
                    named.insert(key, webhook);
                }
            }
        }
    }

    fn present(
        &mut self,
        selected: &Selected<'_>,
        file: &ReadFile,
        interpolation: Interpolation<'_>,
        origin: Origin,
    ) -> Option<(Present, Side)> {
        let Selected { raw, merged, .. } = *selected;
        if selected.is_required {
            self.require(raw, merged, file, "url");
            self.require(raw, merged, file, "actions");
        }
        let mut reader = self.reader(&merged.fields, file, interpolation);
        let identity = identity(&mut reader, raw);
        let url = reader.url();
        let actions = reader.actions();
        let token = reader.bearer_token();
        let enabled = reader.boolean("enabled");
        let timeout_seconds = reader.number("timeout_seconds", &limits::TIMEOUT_SECONDS);
        let max_retries = reader.number("max_retries", &limits::MAX_RETRIES);
        let retry_backoff_seconds =
            reader.number("retry_backoff_seconds", &limits::RETRY_BACKOFF_SECONDS);
        let ignore_changes = reader.ignore_changes().unwrap_or_default();
        let prevent_destroy = reader.boolean("prevent_destroy").unwrap_or(false);
        let retries = max_retries.unwrap_or(limits::DEFAULT_MAX_RETRIES);
        let backoff = retry_backoff_seconds.unwrap_or(limits::DEFAULT_RETRY_BACKOFF_SECONDS);
        let schedule = reader
            .span("retry_backoff_seconds")
            .or_else(|| reader.span("max_retries"))
            .unwrap_or(raw.span);
        lints::retry_schedule(retries, backoff, schedule, reader.diagnostics);

        let identity = identity?;
        let (url, address) = url?;
        let spec = WebhookSpec {
            name: identity.name.clone(),
            url,
            actions: actions?,
            enabled: enabled.unwrap_or(limits::DEFAULT_ENABLED),
            timeout_seconds: timeout_seconds.unwrap_or(limits::DEFAULT_TIMEOUT_SECONDS),
            max_retries: retries,
            retry_backoff_seconds: backoff,
        };
        let side = Side {
            key: raw.key.clone()?,
            key_span: raw.span,
            address: Some(address),
            name: identity.name,
            name_span: identity.name_span,
            id: identity.id.clone(),
        };
        let webhook = Present {
            spec,
            token,
            id: identity.id.map(|id| id.value),
            previously: identity.previously,
            ignore_changes,
            prevent_destroy,
            origin,
        };
        Some((webhook, side))
    }

    fn named(
        &mut self,
        selected: &Selected<'_>,
        file: &ReadFile,
        interpolation: Interpolation<'_>,
        origin: Origin,
    ) -> Option<(AbsentWebhook, Side)> {
        let Selected { raw, merged, .. } = *selected;
        let mut reader = self.reader(&merged.fields, file, interpolation);
        let identity = identity(&mut reader, raw)?;
        let side = Side {
            key: raw.key.clone()?,
            key_span: raw.span,
            address: None,
            name: identity.name.clone(),
            name_span: identity.name_span,
            id: identity.id.clone(),
        };
        let webhook = AbsentWebhook {
            name: identity.name,
            id: identity.id.map(|id| id.value),
            previously: identity.previously,
            origin,
        };
        Some((webhook, side))
    }

    /// Reports a missing field.
    fn require(&mut self, raw: &RawWebhook, merged: &Merged<'_>, file: &ReadFile, name: &str) {
        // The unreadable part of a file may contain `defaults` with the actions.
        let may_be_unread = name == "actions" && !file.is_complete;
        if !merged.fields.contains_key(name) && !may_be_unread {
            self.diagnostics.push(missing_field(raw, name));
        }
    }
}

/// How a webhook is identified at the API.
struct Identity {
    name: String,
    name_span: Span,
    id: Option<Spanned<RemoteId>>,
    previously: Vec<String>,
}

fn identity(reader: &mut FieldReader<'_>, raw: &RawWebhook) -> Option<Identity> {
    let name_span = reader.span("name");
    let name = reader.name();
    let id = reader.id();
    let previously = reader.previously().unwrap_or_default();
    Some(Identity {
        name: match name_span {
            Some(_) => name?,
            None => raw.written.clone(),
        },
        name_span: name_span.unwrap_or(raw.span),
        id,
        previously,
    })
}
