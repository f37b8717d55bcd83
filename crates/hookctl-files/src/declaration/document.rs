//! Converts the trees of a file to raw declarations.

use super::ReadFile;
use super::overrides::{Overrides, overrides};
use super::presence::Presence;
use super::raw::{Fields, NOT_SHARED, OF_NAMED, fields};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, excerpt, excerpt_key, nearest};
use crate::yaml::{Entry, MAX_NODES, Name};
use hookctl_core::webhook::Key;

/// How many values `defaults` may repeat in the webhooks of one file, counted as for [`MAX_NODES`], since they are read
/// once per webhook.
pub const MAX_SHARED_NODES: usize = 2 * MAX_NODES;

/// A webhook as written.
pub(super) struct RawWebhook {
    /// The key. `None` if it is invalid, which has been reported.
    pub(super) key: Option<Key>,
    /// The key as written.
    pub(super) written: String,
    /// The range of the key.
    pub(super) span: Span,
    /// The fields, including those from `defaults`.
    pub(super) fields: Fields,
    /// The fields that differ in some targets. A list of targets has none.
    pub(super) overrides: Overrides,
}

impl RawWebhook {
    /// Returns how many values come from `defaults`.
    fn shared_weight(&self) -> usize {
        let shared = self.fields.iter().filter(|(_, field)| field.is_default);
        shared.fold(0, |sum, (_, field)| {
            sum.saturating_add(field.value.weight())
        })
    }
}

/// The content of a file.
pub(super) struct RawFile {
    /// The fields shared by all webhooks of the file.
    pub(super) defaults: Fields,
    /// The shared fields that differ in some targets.
    pub(super) default_overrides: Overrides,
    pub(super) webhooks: Vec<RawWebhook>,
}

/// Parses the documents of a file. `defaults` of any document apply to all of them.
pub(super) fn parse(file: &ReadFile, diagnostics: &mut Diagnostics) -> RawFile {
    let mut defaults: Option<&Entry> = None;
    let mut sections = Vec::new();
    for document in &file.documents {
        if document.root.is_null() {
            continue;
        }
        let Some(root) = document.root.mapping("the document", diagnostics) else {
            continue;
        };
        for entry in root.iter() {
            match entry.key.value.as_str() {
                "webhooks" => sections.push(&entry.value),
                "defaults" => match defaults {
                    None => defaults = Some(entry),
                    Some(first) => diagnostics.push(
                        Diagnostic::new(
                            Code::RepeatedDefaults,
                            "a file can have only one 'defaults', which applies to all its documents",
                        )
                        .at(entry.key.span, "the second one")
                        .and(first.key.span, "the first one")
                        .help("merge them, or move the document to a file of its own"),
                    ),
                },
                name if name.starts_with("x-") => {}
                _ => diagnostics.push(unknown_section(&entry.key)),
            }
        }
    }
    let place = defaults.map(|entry| entry.key.span);
    let (defaults, default_overrides) = defaults
        .map(|entry| shared(entry, diagnostics))
        .unwrap_or_default();
    let mut file = RawFile {
        defaults,
        default_overrides,
        webhooks: Vec::new(),
    };
    let mut shared = 0_usize;
    for section in sections {
        let Some(section) = section.mapping("webhooks", diagnostics) else {
            continue;
        };
        for entry in section.iter() {
            let webhook = webhook(entry, &file.defaults, diagnostics);
            shared = shared.saturating_add(webhook.as_ref().map_or(0, RawWebhook::shared_weight));
            if let (true, Some(place)) = (shared > MAX_SHARED_NODES, place) {
                diagnostics.push(too_much_shared(place));
                file.webhooks.clear();
                return file;
            }
            file.webhooks.extend(webhook);
        }
    }
    file
}

fn too_much_shared(place: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TooManyNodes,
        format!(
            "'defaults' repeats more than {MAX_SHARED_NODES} values in the webhooks of the file"
        ),
    )
    .at(place, "repeated in each webhook")
    .help("shorten it, or split the file")
}

fn unknown_section(key: &Name) -> Diagnostic {
    let help = match nearest(&key.value, ["webhooks", "defaults"]) {
        Some(known) => format!("did you mean '{known}'?"),
        None => {
            "a document contains 'webhooks', 'defaults', and keys that begin with 'x-'; webhooks are \
            declared below 'webhooks'"
                .to_owned()
        }
    };
    Diagnostic::new(
        Code::UnknownField,
        format!("unknown section '{}'", excerpt_key(&key.value)),
    )
    .at(key.span, "not a section of a declaration file")
    .help(help)
}

/// Returns the shared fields, and those that differ in some targets.
fn shared(entry: &Entry, diagnostics: &mut Diagnostics) -> (Fields, Overrides) {
    let mut shared = fields(&entry.value, "defaults", diagnostics).unwrap_or_default();
    shared_only(&mut shared, diagnostics);
    let mut by_target = shared
        .get("targets")
        .map(|field| overrides(field, diagnostics))
        .unwrap_or_default();
    for of_target in by_target.values_mut() {
        shared_only(&mut of_target.fields, diagnostics);
    }
    (shared, by_target)
}

/// Keeps the fields that may be shared. The others are reported.
fn shared_only(fields: &mut Fields, diagnostics: &mut Diagnostics) {
    fields.retain(|name, field| {
        let is_shared = !NOT_SHARED.contains(&name);
        if !is_shared {
            diagnostics.push(
                Diagnostic::new(
                    Code::FieldNotAllowed,
                    format!("'{name}' cannot be a default, since each webhook needs its own"),
                )
                .at(field.key, "not allowed here")
                .help("move it to each webhook"),
            );
        }
        field.is_default = true;
        is_shared
    });
}

fn webhook(entry: &Entry, defaults: &Fields, diagnostics: &mut Diagnostics) -> Option<RawWebhook> {
    let key = Key::parse(&entry.key.value);
    if let Err(error) = &key {
        diagnostics.push(
            Diagnostic::new(Code::InvalidKey, error.to_string())
                .at(entry.key.span, "not a valid key")
                .help(key_help(&entry.key.value)),
        );
    }
    let mut fields = fields(&entry.value, &excerpt(&entry.key.value), diagnostics)?;
    let presence = presence(&fields).unwrap_or(Presence::Present);
    let mut overrides = fields
        .get("targets")
        .map(|field| overrides(field, diagnostics))
        .unwrap_or_default();
    with_meaning(&mut fields, presence, diagnostics);
    for of_target in overrides.values_mut() {
        let own = match of_target.fields.get("state") {
            Some(field) if field.is_removal("state") => Presence::Present,
            _ => self::presence(&of_target.fields).unwrap_or(presence),
        };
        with_meaning(&mut of_target.fields, own, diagnostics);
    }
    let may_exist = presence == Presence::Present || !overrides.is_empty();
    for (name, shared) in defaults.iter() {
        let has_meaning = may_exist || OF_NAMED.contains(&name);
        if has_meaning && !fields.contains_key(name) {
            fields.add(name, shared.clone());
        }
    }
    Some(RawWebhook {
        key: key.ok(),
        written: entry.key.value.clone(),
        span: entry.key.span,
        fields,
        overrides,
    })
}

/// Returns the presence that fields declare.
pub(super) fn presence(fields: &Fields) -> Option<Presence> {
    let state = fields.get("state")?.value.as_scalar()?;
    Presence::named(state.text())
}

/// Drops fields that have no meaning for a webhook to delete or release, and reports them.
fn with_meaning(fields: &mut Fields, presence: Presence, diagnostics: &mut Diagnostics) {
    if presence == Presence::Present {
        return;
    }
    let state = presence.as_str();
    fields.retain(|name, field| {
        let has_meaning = OF_NAMED.contains(&name);
        if !has_meaning {
            diagnostics.push(
                Diagnostic::new(
                    Code::FieldNotAllowed,
                    format!("'{name}' has no meaning with 'state: {state}'"),
                )
                .at(field.key, "has no effect")
                .help(format!("remove it, or remove 'state: {state}'")),
            );
        }
        has_meaning
    });
}

/// Suggests a valid key for an invalid one.
fn key_help(written: &str) -> String {
    let mut key = String::new();
    for character in written.to_lowercase().chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
            key.push(character);
        } else if !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
    }
    let key = key.trim_matches(['-', '.', '_']);
    if Key::parse(key).is_ok() {
        format!("use '{key}' as the key, and keep the text as its 'name'")
    } else {
        "use a short key, such as 'billing-run', and keep the text as its 'name'".to_owned()
    }
}
