//! The outcome of an action as text.

use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::outside::Outside;
use crate::plan::{Action, PlannedAction};
use crate::report::{ActionResult, Outcome, Remark};

fn pending(planned: &PlannedAction, why: &str, styles: &Styles) -> String {
    let action = format!("{} pending", planned.action.as_str());
    let action = paint(styles.warning, &action);
    format!("  {}: {action}: {}\n", planned.key, sanitize(why))
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
                text += &format!("      {}\n", sanitize(&remark_text(remark)));
            }
            text
        }
        Outcome::Pending(error) => pending(planned, &error.to_string(), styles),
        Outcome::Held => pending(planned, Outcome::WHY_HELD, styles),
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
        Outcome::NotAttempted => format!(
            "  {}: {} not attempted\n",
            planned.key,
            planned.action.as_str()
        ),
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

fn remark_text(remark: &Remark) -> String {
    match remark {
        Remark::StoredOtherwise {
            field,
            sent,
            stored,
        } => format!(
            "the API stores {field} as {stored}, sent as {sent}; the record keeps this, and it is not sent \
             again"
        ),
        Remark::ConcurrentEdit { field, before, now } => format!(
            "another writer changed {field} from {before} to {now} in the meantime; planned again"
        ),
        Remark::FoundAfterNoAnswer => {
            "the API did not respond; the list shows that it was created".to_owned()
        }
    }
}
