//! The fields of a webhook as written.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, excerpt_key, nearest};
use crate::yaml::{Name, Node};

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

/// The fields that a mapping of `targets` cannot vary: it cannot contain itself, and earlier names find a webhook in any
/// target.
pub(super) const SAME_EVERYWHERE: [&str; 2] = ["previously", "targets"];

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

    /// Adds a field that is absent.
    pub(super) fn add(&mut self, name: &'static str, field: RawField) {
        self.0.push((name, field));
    }

    /// Inserts or replaces a field.
    pub(super) fn insert(&mut self, name: &'static str, field: RawField) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, field));
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&'static str, &mut RawField) -> bool) {
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

impl RawField {
    /// Returns whether an override removes the field. `bearer_token: null` is a value: no token.
    pub(super) fn is_removal(&self, name: &str) -> bool {
        self.value.is_null() && name != "bearer_token"
    }
}

/// Returns the fields of a mapping. Unknown ones are reported.
pub(super) fn fields(node: &Node, what: &str, diagnostics: &mut Diagnostics) -> Option<Fields> {
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
