//! How much of a plan and of its results is shown: everything, a line for each kind of change, or only the summary.

use std::collections::BTreeMap;

use super::human::{action, beside, plan_line, report_line};
use super::outcome::outcome;
use super::settings;
use super::style::{Styles, paint};
use super::{RenderContext, RunStats};
use crate::plan::{Action, Plan, PlannedAction};
use crate::report::{ActionResult, Outcome, SyncReport};
use crate::webhook::TokenChange;

/// Above this number of actions, a plan no longer fits on a screen.
const MOST_IN_FULL: usize = 50;

/// How many keys of a group are named.
const NAMED: usize = 4;

/// How many lines of one kind are shown where not everything is.
const LISTED: usize = 20;

/// How many actions that were not attempted are listed one by one.
const LISTED_UNTRIED: usize = 5;

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Every change of every webhook.
    Full,
    /// A line for each kind of change. What loses something is still shown one by one.
    Compact,
    /// Only the counts, and what failed.
    Summary,
}

impl Detail {
    /// Returns the detail that fits on a screen.
    pub const fn that_fits(plan: &Plan) -> Self {
        if plan.actions.len() > MOST_IN_FULL {
            Self::Compact
        } else {
            Self::Full
        }
    }
}

/// Renders a plan.
pub fn plan(plan: &Plan, context: RenderContext<'_>, styles: &Styles, detail: Detail) -> String {
    let mut text = String::new();
    if detail != Detail::Summary {
        text = match detail {
            Detail::Compact => groups(plan, styles),
            _ => plan
                .actions
                .iter()
                .map(|one| full(plan, one, styles))
                .collect(),
        };
        if !plan.actions.is_empty() {
            text.push('\n');
        }
        text += &beside(plan, styles);
        text += &settings::for_people(context.settings, styles);
    }
    text += &paint(styles.headline, &plan_line(plan, context));
    text.push('\n');
    if detail == Detail::Compact {
        text += &paint(styles.aside, "--full shows each change");
        text.push('\n');
    }
    text
}

/// Renders an action with its changes and, if it silences a webhook, with its recent events.
fn full(plan: &Plan, planned: &PlannedAction, styles: &Styles) -> String {
    let mut text = action(planned, styles);
    let recent = planned.id().and_then(|id| plan.recent_events.get(id));
    if let Some(count) = recent.filter(|_| planned.silences()) {
        text += &format!("      events in the last 24 h: {count}\n");
    }
    text
}

/// Returns whether an action loses something: a webhook, its events, or its token.
fn loses(planned: &PlannedAction) -> bool {
    let clears = |action: &Action| {
        action
            .patch()
            .is_some_and(|patch| patch.token() == TokenChange::Clear)
    };
    matches!(planned.action, Action::Delete(_)) || planned.silences() || clears(&planned.action)
}

/// Renders a line for each kind of action with the same changed fields.
fn groups(plan: &Plan, styles: &Styles) -> String {
    let mut groups: BTreeMap<(u8, String), Vec<&PlannedAction>> = BTreeMap::new();
    let mut text = String::new();
    let mut losses = 0;
    for planned in &plan.actions {
        if loses(planned) && losses < LISTED {
            losses += 1;
            text += &full(plan, planned, styles);
        } else {
            groups.entry(kind(planned)).or_default().push(planned);
        }
    }
    for ((_, what), group) in groups {
        let style = match group.first().map(|planned| &planned.action) {
            Some(Action::Create(_) | Action::Recreate { .. }) => styles.create,
            Some(Action::Delete(_)) => styles.destroy,
            Some(Action::Forget { .. }) | None => styles.aside,
            Some(Action::Update(_) | Action::Adopt(_)) => styles.change,
        };
        let sign = match group.first().map(|planned| &planned.action) {
            Some(Action::Create(_) | Action::Recreate { .. }) => '+',
            Some(Action::Update(_)) => '~',
            Some(Action::Adopt(_)) => '>',
            Some(Action::Delete(_)) => '-',
            Some(Action::Forget { .. }) | None => '.',
        };
        let head = paint(style, &format!("{sign} {} to {what}", group.len()));
        text += &format!("  {head}: {}\n", named(&group));
    }
    text
}

/// Returns what an action does and to which fields, after its place among the groups.
fn kind(planned: &PlannedAction) -> (u8, String) {
    let rank = match planned.action {
        Action::Create(_) => 0,
        Action::Recreate { .. } => 1,
        Action::Adopt(_) => 2,
        Action::Update(_) => 3,
        Action::Delete(_) => 4,
        Action::Forget { .. } => 5,
    };
    let verb = planned.action.as_str();
    let has_fields = matches!(planned.action, Action::Update(_) | Action::Adopt(_));
    if !has_fields || planned.changes.is_empty() {
        return (rank, verb.to_owned());
    }
    let mut by_cause: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for change in &planned.changes {
        let fields = by_cause.entry(change.cause().as_str()).or_default();
        fields.push(change.field_name());
    }
    let parts = by_cause
        .into_iter()
        .map(|(cause, fields)| format!("{} ({cause})", fields.join(", ")));
    (
        rank,
        format!("{verb} {}", parts.collect::<Vec<_>>().join(", ")),
    )
}

/// Names the first keys of a group, and how many more there are.
fn named(group: &[&PlannedAction]) -> String {
    let keys: Vec<&str> = group
        .iter()
        .take(NAMED)
        .map(|planned| planned.key.as_str())
        .collect();
    match group.len().saturating_sub(NAMED) {
        0 => keys.join(", "),
        more => format!("{}, and {more} more", keys.join(", ")),
    }
}

/// Renders the results of a plan.
pub fn report(
    plan: &Plan,
    report: &SyncReport,
    stats: RunStats,
    styles: &Styles,
    detail: Detail,
) -> String {
    let untried: Vec<&PlannedAction> = report
        .results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::NotAttempted))
        .map(|result| &*result.planned)
        .collect();
    let counts_untried = untried.len() > LISTED_UNTRIED || detail == Detail::Summary;
    let is_shown = |result: &&ActionResult| match &result.outcome {
        Outcome::NotAttempted => !counts_untried,
        Outcome::Applied { remarks, .. } => {
            detail == Detail::Full || (detail == Detail::Compact && !remarks.is_empty())
        }
        _ => true,
    };
    let shown: Vec<&ActionResult> = report.results.iter().filter(is_shown).collect();
    let most = match detail {
        Detail::Full => usize::MAX,
        Detail::Compact | Detail::Summary => LISTED,
    };
    let mut text = String::new();
    for result in shown.iter().take(most) {
        text += &outcome(result, styles);
    }
    if shown.len() > most {
        text += &format!("  … and {} more\n", shown.len() - most);
    }
    if counts_untried && detail != Detail::Summary {
        text += &format!("  not attempted: {}\n", named(&untried));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text += &paint(styles.headline, &report_line(plan, report, stats));
    text.push('\n');
    text
}
