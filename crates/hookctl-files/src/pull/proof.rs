//! Edits the files and proves, by loading and planning them, that only the pulled changes disappear.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::NewValue;
use super::check::check;
use super::reason::Reason;
use super::rewrite::{Rewritten, WrittenValue, rewrite};
use super::select::Left;
use super::subset::largest;
use crate::declaration::Loaded;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use hookctl_core::location::Location;
use hookctl_core::plan::{Plan, PlanError, Policy, plan};
use hookctl_core::state::{DesiredState, LastApplied, ObservedState};
use hookctl_core::webhook::{Attribute, Field, Key};

/// Loads files from their displayed paths and contents.
pub type Load<'a> = dyn Fn(&[(PathBuf, String)]) -> Loaded + 'a;

/// The states before a pull.
pub struct Baseline<'a> {
    /// The files: displayed paths, and contents.
    pub texts: &'a [(PathBuf, String)],
    /// The selected target.
    pub target: &'a str,
    /// Loads files.
    pub load: &'a Load<'a>,
    /// The desired state of the files.
    pub desired: &'a DesiredState,
    /// The webhooks at the API.
    pub observed: &'a ObservedState,
    /// The record.
    pub last_applied: &'a LastApplied,
    /// The policy of the plan.
    pub policy: &'a Policy,
    /// The plan of these states.
    pub plan: &'a Plan,
}

/// The result of a pull. Nothing is written yet.
#[derive(Clone, Debug, Default)]
pub struct Pulled {
    /// The files that change.
    pub files: Vec<PulledFile>,
    /// The values that could not be written.
    pub left: Vec<Left>,
    /// The plan with the new files.
    pub plan: Plan,
}

/// A file that changes.
#[derive(Clone, Debug)]
pub struct PulledFile {
    /// The displayed path.
    pub path: PathBuf,
    /// The content.
    pub before: String,
    /// The new content.
    pub after: String,
    /// The values that were written.
    pub written: Vec<WrittenValue>,
}

/// Writes values into the texts of the files that declare them.
///
/// # Errors
/// Returns [`PlanError`] if the plan of the unchanged files fails, which a caller has made before.
pub fn pull(baseline: &Baseline<'_>, values: Vec<NewValue>) -> Result<Pulled, PlanError> {
    let mut left = Vec::new();
    let writable = rewritten(baseline, values, &mut left);
    let (kept, refused) = largest(writable, &mut |values| {
        proven(baseline, values.to_vec()).map(drop)
    });
    left.extend(refused.into_iter().map(|(value, reason)| Left {
        key: value.key,
        field: Some(value.field.into()),
        reason,
    }));
    left.sort_by(|one, other| (&one.key, one.field).cmp(&(&other.key, other.field)));
    let (files, plan) = match proven(baseline, kept) {
        Ok(proven) => proven,
        // The kept values hold, or are none.
        Err(_) => (Vec::new(), baseline.plan()?),
    };
    Ok(Pulled { files, left, plan })
}

/// Returns the values that the files can take, each by itself.
fn rewritten(
    baseline: &Baseline<'_>,
    values: Vec<NewValue>,
    left: &mut Vec<Left>,
) -> Vec<NewValue> {
    let mut refused: BTreeSet<(Key, Field)> = BTreeSet::new();
    for (_, _, result) in rewrites(baseline, values.clone()) {
        for (key, field, reason) in result.refused {
            refused.insert((key.clone(), field));
            left.push(Left {
                key,
                field: Some(Attribute::Field(field)),
                reason,
            });
        }
    }
    let is_kept = |value: &NewValue| !refused.contains(&(value.key.clone(), value.field));
    values.into_iter().filter(is_kept).collect()
}

/// Rewrites each file that declares one of the webhooks. Returns its index, its content, and the result.
fn rewrites<'a>(
    baseline: &Baseline<'a>,
    values: Vec<NewValue>,
) -> Vec<(usize, &'a str, Rewritten)> {
    let mut by_path: BTreeMap<&Path, Vec<NewValue>> = BTreeMap::new();
    for value in values {
        if let Some(place) = baseline.location(&value.key) {
            by_path.entry(&*place.path).or_default().push(value);
        }
    }
    let texts = baseline.texts.iter().enumerate();
    let affected = texts.filter_map(|(index, (path, content))| {
        let values = by_path.remove(path.as_path())?;
        Some((
            index,
            content.as_str(),
            rewrite(content, baseline.target, values),
        ))
    });
    affected.collect()
}

/// Returns the new files and their plan, if they hold exactly the values.
fn proven(
    baseline: &Baseline<'_>,
    values: Vec<NewValue>,
) -> Result<(Vec<PulledFile>, Plan), Reason> {
    let pulled: BTreeSet<(Key, Field)> = values
        .iter()
        .map(|value| (value.key.clone(), value.field))
        .collect();
    let mut texts = baseline.texts.to_vec();
    let mut files = Vec::new();
    let mut written = 0;
    for (index, before, result) in rewrites(baseline, values) {
        written += result.written.len();
        if let Some((path, content)) = texts.get_mut(index) {
            content.clone_from(&result.text);
            files.push(PulledFile {
                path: path.clone(),
                before: before.to_owned(),
                after: result.text,
                written: result.written,
            });
        }
    }
    if written < pulled.len() {
        return Err(Reason::Shared);
    }
    let loaded = (baseline.load)(&texts);
    let Some(declarations) = loaded.declarations else {
        return Err(Reason::Invalid {
            why: first_error(&loaded.diagnostics),
        });
    };
    let desired = declarations.into_desired(&BTreeMap::new());
    let after = baseline
        .plan_of(&desired)
        .map_err(|error| Reason::Invalid {
            why: error.to_string(),
        })?;
    check(
        (baseline.desired, baseline.plan),
        (&desired, &after),
        &pulled,
    )?;
    Ok((files, after))
}

fn first_error(diagnostics: &Diagnostics) -> String {
    let mut all = diagnostics.iter();
    let error = all.find(|diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error);
    error.map_or_else(String::new, |error| error.message.clone())
}

impl<'a> Baseline<'a> {
    fn location(&self, key: &Key) -> Option<&'a Location> {
        let webhook = self.desired.webhooks.get(key)?;
        Some(&webhook.origin.key)
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        self.plan_of(self.desired)
    }

    fn plan_of(&self, desired: &DesiredState) -> Result<Plan, PlanError> {
        plan(desired, self.observed, self.last_applied, self.policy)
    }
}

/// Shows what the states are, not the texts, which may contain secrets.
impl std::fmt::Debug for Baseline<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Baseline")
            .field("files", &self.texts.len())
            .field("plan", &Arc::new(self.plan.summary()))
            .finish_non_exhaustive()
    }
}
