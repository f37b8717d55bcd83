//! The outcome of an action as text.

use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::outside::Outside;
use crate::plan::{Action, PlannedAction};
use crate::report::{ActionResult, Outcome};

/// Renders the outcome of an action that neither succeeded nor failed.
fn unsettled(planned: &PlannedAction, outcome: &Outcome, styles: &Styles) -> String {
    let ended = format!("{} {}", planned.action.as_str(), outcome.as_str());
    match outcome.why() {
        Some(why) => format!(
            "  {}: {}: {}\n",
            planned.key,
            paint(styles.warning, &ended),
            sanitize(&why)
        ),
        None => format!("  {}: {ended}\n", planned.key),
    }
}

/// Renders the outcome of an action.
pub(super) fn outcome(result: &ActionResult, styles: &Styles) -> String {
    let planned = &result.planned;
    match &result.outcome {
        Outcome::Applied { id, remarks } => {
            let done = past(&planned.action);
            let mut text = format!(
                "  {} ({id}): {done}\n",
                paint(styles.create, planned.key.as_str())
            );
            for remark in remarks {
                text += &format!("      {}\n", sanitize(&remark.to_string()));
            }
            text
        }
        Outcome::Failed(error) => {
            let place = planned.origin.as_ref().map(|origin| {
                let location = error
                    .field()
                    .map_or(&origin.key, |field| origin.of_field(field));
                format!(
                    "      {}\n",
                    paint(
                        styles.aside,
                        &format!(
                            "--> {}:{}:{}",
                            Outside::path(&location.path),
                            location.line,
                            location.column
                        )
                    )
                )
            });
            format!(
                "  {}: {}: {}\n{}",
                planned.key,
                paint(
                    styles.destroy,
                    &format!("{} failed", planned.action.as_str())
                ),
                sanitize(&error.to_string()),
                place.unwrap_or_default()
            )
        }
        other => unsettled(planned, other, styles),
    }
}

fn past(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "created",
        Action::Update(_) => "updated",
        Action::Delete(_) => "deleted",
        Action::Adopt(_) => "adopted",
        Action::Recreate { .. } => "recreated",
        Action::Forget { .. } => "forgotten",
    }
}
