//! Converts the trees of a file to raw declarations.

use super::ReadFile;
use super::presence::Presence;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, excerpt, excerpt_key, nearest};
use crate::yaml::{Entry, MAX_NODES, Name, Node};
use hookctl_core::webhook::Key;

/// The fields of a declaration.
pub(crate) const FIELDS: [&str; 14] = [
    "name",
    "url",
    "actions",
    "bearer_token",
    "enabled",
    "timeout_seconds",
    "max_retries",
    "retry_backoff_seconds",
    "id",
    "previously",
    "targets",
    "ignore_changes",
    "prevent_destroy",
    "state",
];

/// The fields that cannot be defaults, since they identify a webhook or its address.
pub(super) const NOT_SHARED: [&str; 5] = ["name", "url", "id", "previously", "state"];

/// The fields that are allowed for a webhook to delete or release.
pub(super) const OF_NAMED: [&str; 5] = ["name", "id", "previously", "targets", "state"];

/// How many values `defaults` may repeat in the webhooks of one file, counted as for [`MAX_NODES`], since they are read
/// once per webhook.
pub const MAX_SHARED_NODES: usize = 2 * MAX_NODES;

/// Fields by name. A list, since few fields are faster to scan than to hash.
#[derive(Clone, Default)]
pub(super) struct Fields(Vec<(&'static str, RawField)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&RawField> {
        self.iter()
            .find_map(|(known, field)| (known == name).then_some(field))
    }

    pub(super) fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &RawField)> {
        self.0.iter().map(|(name, field)| (*name, field))
    }

    /// Inserts or replaces a field.
    fn insert(&mut self, name: &'static str, field: RawField) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, field));
    }

    fn retain(&mut self, mut keep: impl FnMut(&'static str, &mut RawField) -> bool) {
        self.0.retain_mut(|(name, field)| keep(name, field));
    }
}

/// A field as written.
#[derive(Clone)]
pub(super) struct RawField {
    /// The range of its key.
    pub(super) key: Span,
    pub(super) value: Node,
    /// Whether it comes from `defaults`.
    pub(super) is_default: bool,
}

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
    let defaults = defaults
        .map(|entry| shared_fields(&entry.value, diagnostics))
        .unwrap_or_default();
    let mut file = RawFile {
        defaults,
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

fn shared_fields(node: &Node, diagnostics: &mut Diagnostics) -> Fields {
    let mut fields = fields(node, "defaults", diagnostics).unwrap_or_default();
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
    fields
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
    let own = fields(&entry.value, &excerpt(&entry.key.value), diagnostics)?;
    let presence = own
        .get("state")
        .and_then(|field| field.value.as_scalar())
        .and_then(|state| Presence::named(state.text()))
        .unwrap_or(Presence::Present);
    let mut fields = own;
    for (name, shared) in defaults.iter() {
        if !fields.contains_key(name) {
            fields.0.push((name, shared.clone()));
        }
    }
    if presence != Presence::Present {
        let state = presence.as_str();
        fields.retain(|name, field| {
            let has_meaning = OF_NAMED.contains(&name);
            if !has_meaning && !field.is_default {
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
    Some(RawWebhook {
        key: key.ok(),
        written: entry.key.value.clone(),
        span: entry.key.span,
        fields,
    })
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

fn fields(node: &Node, what: &str, diagnostics: &mut Diagnostics) -> Option<Fields> {
    let mapping = node.mapping(what, diagnostics)?;
    let mut fields = Fields::default();
    for entry in mapping.iter() {
        match FIELDS.into_iter().find(|name| *name == entry.key.value) {
            Some(name) => {
                fields.insert(
                    name,
                    RawField {
                        key: entry.key.span,
                        value: entry.value.clone(),
                        is_default: false,
                    },
                );
            }
            None => diagnostics.push(unknown_field(&entry.key)),
        }
    }
    Some(fields)
}

fn unknown_field(key: &Name) -> Diagnostic {
    let help = match nearest(&key.value, FIELDS) {
        Some(known) => format!("did you mean '{known}'?"),
        None => format!("the fields are {}", FIELDS.join(", ")),
    };
    Diagnostic::new(
        Code::UnknownField,
        format!("unknown field '{}'", excerpt_key(&key.value)),
    )
    .at(key.span, "not a field of a webhook")
    .help(help)
}
