//! The mapping form of `targets`: the fields that differ in some targets.

use super::raw::{Fields, RawField, SAME_EVERYWHERE, fields};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, excerpt};
use crate::yaml::Name;

/// The fields that differ in a target.
pub(super) struct Override {
    /// The name of the target, which may be unknown.
    pub(super) target: Name,
    pub(super) fields: Fields,
}

/// Returns the fields that differ, for each target of a mapping in `targets`. A list of targets has none. What is not a
/// mapping of fields is reported; the names are not checked.
pub(super) fn overrides(targets: &RawField, diagnostics: &mut Diagnostics) -> Vec<Override> {
    let entries = targets.value.as_mapping().into_iter();
    entries
        .flat_map(|mapping| mapping.iter())
        .map(|entry| {
            let mut own = Fields::default();
            if !entry.value.is_null() {
                let what = format!("targets.{}", excerpt(&entry.key.value));
                own = fields(&entry.value, &what, diagnostics).unwrap_or_default();
            }
            own.retain(|name, field| {
                let may_differ = !SAME_EVERYWHERE.contains(&name);
                if !may_differ {
                    diagnostics.push(
                        Diagnostic::new(
                            Code::FieldNotAllowed,
                            format!("'{name}' cannot differ by target"),
                        )
                        .at(field.key, "not allowed here")
                        .help("move it out of 'targets'"),
                    );
                }
                may_differ
            });
            Override {
                target: entry.key.clone(),
                fields: own,
            }
        })
        .collect()
}
