//! The mapping form of `targets`: the fields that differ in some targets.

use std::collections::BTreeMap;

use super::raw::{Fields, RawField, SAME_EVERYWHERE, fields};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, excerpt};
use crate::yaml::Mapping;

/// The fields that differ in a target.
pub(super) struct Override {
    /// The range of the name of the target.
    pub(super) target: Span,
    pub(super) fields: Fields,
}

/// What differs, by target. The names may be unknown.
pub(super) type Overrides = BTreeMap<String, Override>;

/// Returns the fields that differ, for each target of a mapping in `targets`. A list of targets has none. What is not a
/// mapping of fields is reported; the names are not checked.
pub(super) fn overrides(targets: &RawField, diagnostics: &mut Diagnostics) -> Overrides {
    let entries = targets.value.as_mapping().into_iter();
    entries
        .flat_map(Mapping::iter)
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
            let of_target = Override {
                target: entry.key.span,
                fields: own,
            };
            (entry.key.value.clone(), of_target)
        })
        .collect()
}
