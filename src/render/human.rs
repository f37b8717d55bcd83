//! Plans and results as text.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::message::Message;
use super::sanitize::sanitize;
use super::style::{Styles, paint};
use super::{RenderContext, RunStats};
use crate::outside::Outside;
use crate::plan::{
    Action, Change, DeletionReason, ForgetReason, Plan, PlannedAction, Summary, TokenShown,
};
use crate::report::{Outcome, SyncReport};
use crate::webhook::{Field, FieldValue, limits};

/// Longer values are shown on lines of their own, in characters. Two values of this length and the text around them fit
/// into 80 columns.
const INLINE_LENGTH: usize = 24;

/// The time limit of highlighting the difference of two texts.
const MARKING_TIME: Duration = Duration::from_millis(50);

/// How many orphans and unmanaged webhooks are listed by name.
const LISTED: usize = 20;

/// Renders an action with its changes.
pub(super) fn action(planned: &PlannedAction, styles: &Styles) -> String {
    let (sign, style, word) = match &planned.action {
        Action::Create(_) => ("+", styles.create, "create".to_owned()),
        Action::Update(_) => ("~", styles.change, "update".to_owned()),
        Action::Adopt(adoption) => (
            ">",
            styles.change,
            match adoption.patch {
                None => "adopt unchanged".to_owned(),
                Some(_) => "adopt and update".to_owned(),
            },
        ),
        Action::Recreate { .. } => (
            "+",
            styles.create,
            "recreate: deleted at the API (drift)".to_owned(),
        ),
        Action::Delete(deletion) => (
            "-",
            styles.destroy,
            match deletion.reason {
                DeletionReason::Absent => "delete: declared absent".to_owned(),
                DeletionReason::Orphan => "delete: no longer declared".to_owned(),
            },
        ),
        Action::Forget { reason, .. } => (
            ".",
            styles.aside,
            match reason {
                ForgetReason::Gone => "forget: neither declared nor at the API",
                ForgetReason::Moved => {
                    "forget: bound to another key, or its key is bound to another webhook"
                }
                ForgetReason::Released => "forget: declared released; the webhook stays at the API",
            }
            .to_owned(),
        ),
    };
    let id = planned
        .id()
        .map(|id| format!(" ({id})"))
        .unwrap_or_default();
    let place = planned.location().map_or_else(String::new, |location| {
        paint(
            styles.aside,
            &format!("   {}:{}", Outside::path(&location.path), location.line),
        )
    });
    let head = paint(style, &format!("{sign} {}{id}: {word}", planned.key));
    let mut text = format!("  {head}{place}\n");
    if matches!(planned.action, Action::Delete(_) | Action::Forget { .. }) {
        text += &format!("      name: {}\n", quoted(&planned.name));
    }
    let making = makes(planned);
    for change in &planned.changes {
        if making {
            text += &made(change, &place_of(planned, change, styles));
        } else {
            text += &changed(change, &place_of(planned, change, styles), styles);
        }
    }
    text
}

/// Returns whether an action makes a new webhook.
fn makes(planned: &PlannedAction) -> bool {
    matches!(planned.action, Action::Create(_) | Action::Recreate { .. })
}

/// Renders the location of a value that differs by target, after spaces. Empty for other values.
fn place_of(planned: &PlannedAction, change: &Change, styles: &Styles) -> String {
    let location = planned.location_in_target(change);
    location.map_or_else(String::new, |location| {
        let place = format!("   {}:{}", Outside::path(&location.path), location.line);
        paint(styles.aside, &place)
    })
}

/// Renders a field of a new webhook. Documented defaults are omitted.
fn made(change: &Change, place: &str) -> String {
    match change {
        Change::Field { field, to, .. } if is_default(*field, to) => String::new(),
        Change::Field { field, to, .. } => format!("      {field}: {}{place}\n", value(to)),
        Change::Token { to, .. } => format!("      bearer_token: {}{place}\n", to.as_str()),
    }
}

fn is_default(field: Field, to: &FieldValue) -> bool {
    let default = match field {
        Field::Name | Field::Url | Field::Actions => return false,
        Field::Enabled => FieldValue::Flag(limits::DEFAULT_ENABLED),
        Field::TimeoutSeconds => FieldValue::Number(limits::DEFAULT_TIMEOUT_SECONDS),
        Field::MaxRetries => FieldValue::Number(limits::DEFAULT_MAX_RETRIES),
        Field::RetryBackoffSeconds => FieldValue::Number(limits::DEFAULT_RETRY_BACKOFF_SECONDS),
    };
    *to == default
}

/// Renders the changes of an action on one line, for a log. Documented defaults of a new webhook are omitted.
pub fn brief(planned: &PlannedAction) -> String {
    let making = makes(planned);
    let parts = planned.changes.iter().map(|change| {
        if making {
            return made(change, "").trim().to_owned();
        }
        let (from, to) = sides(change);
        format!("{}: {from} -> {to}", change.field_name())
    });
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// Returns the two values of a changed field.
fn sides(change: &Change) -> (String, String) {
    match change {
        Change::Field { from, to, .. } => {
            let from = from.as_ref().map(value).unwrap_or_default();
            let to = value(to);
            // The difference is in the hidden query.
            let to = if from == to {
                format!("{to} (another query)")
            } else {
                to
            };
            (from, to)
        }
        Change::Token { from, to, .. } => (from.as_str().to_owned(), token(*from, *to)),
    }
}

fn changed(change: &Change, place: &str, styles: &Styles) -> String {
    let (from, to) = sides(change);
    let cause = paint(styles.aside, &format!("({})", change.cause()));
    let field = change.field_name();
    if from.chars().count() <= INLINE_LENGTH && to.chars().count() <= INLINE_LENGTH {
        return format!("      {field}: {from} -> {to}   {cause}{place}\n");
    }
    let (from, to) = marked(&from, &to, styles);
    format!("      {field}:   {cause}{place}\n        - {from}\n        + {to}\n")
}

fn token(from: TokenShown, to: TokenShown) -> String {
    match (from, to) {
        (TokenShown::Secret, TokenShown::Secret) => "(another secret)".to_owned(),
        (_, to) => to.as_str().to_owned(),
    }
}

/// Returns two texts with their difference highlighted, if colors are used.
fn marked(from: &str, to: &str, styles: &Styles) -> (String, String) {
    if !styles.colored {
        return (from.to_owned(), to.to_owned());
    }
    let (from, to) = (tokens(from), tokens(to));
    let diff = TextDiff::configure()
        .timeout(MARKING_TIME)
        .diff_slices(&from, &to);
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, run)) if *tag == change.tag() => *run += change.value(),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    let (mut old, mut new) = (String::new(), String::new());
    for (tag, run) in runs {
        match tag {
            ChangeTag::Equal => {
                old += &paint(styles.destroy, &run);
                new += &paint(styles.create, &run);
            }
            ChangeTag::Delete => old += &paint(emphasized(styles.destroy, styles), &run),
            ChangeTag::Insert => new += &paint(emphasized(styles.create, styles), &run),
        }
    }
    (old, new)
}

/// Splits a text into words and what is between them, so that one part of an address can differ.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last: Option<char> = None;
    for (at, letter) in text.char_indices() {
        let continues = last.is_some_and(char::is_alphanumeric) && letter.is_alphanumeric();
        if last.is_some() && !continues {
            tokens.extend(text.get(start..at));
            start = at;
        }
        last = Some(letter);
    }
    tokens.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    tokens
}

fn emphasized(style: Style, styles: &Styles) -> Style {
    style.effects(styles.emphasis.get_effects())
}

/// Returns a value on one line. Passwords in addresses are masked.
pub(super) fn value(value: &FieldValue) -> String {
    match value {
        FieldValue::Actions(actions) if actions.is_all() => "all".to_owned(),
        value => sanitize(&value.to_string()).into_owned(),
    }
}

fn quoted(text: &str) -> String {
    sanitize(&format!("{text:?}")).into_owned()
}

/// Renders what accompanies the actions of a plan: notices and orphans.
pub fn beside(plan: &Plan, styles: &Styles) -> String {
    let mut text = String::new();
    for notice in &plan.notices {
        text += &message(&Message::of_notice(notice), styles);
    }
    if !plan.orphans.is_empty() {
        text += &format!(
            "{}: no longer declared, and left alone; --prune deletes them\n",
            paint(styles.warning, &plural(plan.orphans.len(), "orphan"))
        );
        for orphan in plan.orphans.iter().take(LISTED) {
            text += &format!(
                "  ? {} ({}): {}\n",
                orphan.key,
                orphan.id,
                quoted(&orphan.name)
            );
        }
        text += &more(plan.orphans.len());
        text.push('\n');
    }
    text
}

fn more(count: usize) -> String {
    if count > LISTED {
        format!("  … and {} more\n", count - LISTED)
    } else {
        String::new()
    }
}

/// Renders a message followed by an empty line.
pub(super) fn message(message: &Message, styles: &Styles) -> String {
    line(message, styles) + "\n"
}

/// Renders a message with its location and hints.
pub fn line(message: &Message, styles: &Styles) -> String {
    let style = match message.severity {
        "error" => styles.destroy,
        "warning" => styles.warning,
        _ => styles.change,
    };
    let mut text = format!(
        "{}: {}\n",
        paint(style, &format!("{}[{}]", message.severity, message.code)),
        sanitize(&message.message)
    );
    if let Some(place) = message.place() {
        text += &format!("  {}\n", paint(styles.aside, &format!("--> {place}")));
    }
    for hint in message.help.iter().flat_map(|help| help.lines()) {
        text += &format!("  {}: {}\n", paint(styles.hint, "hint"), sanitize(hint));
    }
    text
}

pub(super) fn plan_line(plan: &Plan, context: RenderContext<'_>) -> String {
    let place = if context.sandbox {
        format!("target {}, in the sandbox", sanitize(context.target))
    } else {
        format!("target {}", sanitize(context.target))
    };
    let rest = rest(plan);
    if plan.actions.is_empty() {
        return format!("No changes.{rest} ({place})");
    }
    let summary = plan.summary();
    let counts = counts(summary, |word| format!("to {word}"));
    format!("Plan: {counts}.{rest} ({place})")
}

fn counts(summary: Summary, word: impl Fn(&str) -> String) -> String {
    [
        (summary.create, "create"),
        (summary.recreate, "recreate"),
        (summary.adopt, "adopt"),
        (summary.update, "update"),
        (summary.delete, "delete"),
        (summary.forget, "forget"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, verb)| format!("{count} {}", word(verb)))
    .collect::<Vec<_>>()
    .join(", ")
}

/// Summarizes the webhooks without an action, after a space. Empty if there are none.
fn rest(plan: &Plan) -> String {
    let mut parts = Vec::new();
    match plan.unchanged.len() {
        0 if !plan.actions.is_empty() => {}
        count if !plan.actions.is_empty() => parts.push(format!("{count} unchanged")),
        1 => parts.push("1 webhook is as declared".to_owned()),
        count => parts.push(format!("{count} webhooks are as declared")),
    }
    if !plan.held.is_empty() {
        parts.push(format!("{} held", plan.held.len()));
    }
    if plan.not_selected > 0 {
        parts.push(format!("{} not selected", plan.not_selected));
    }
    if !plan.unmanaged.is_empty() {
        parts.push(format!("{} unmanaged", plan.unmanaged.len()));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!(" {}.", parts.join(", "))
}

pub(super) fn report_line(plan: &Plan, report: &SyncReport, stats: RunStats) -> String {
    let mut done = Summary::default();
    for result in &report.results {
        if matches!(result.outcome, Outcome::Applied { .. }) {
            let count = match result.planned.action {
                Action::Create(_) => &mut done.create,
                Action::Update(_) => &mut done.update,
                Action::Delete(_) => &mut done.delete,
                Action::Adopt(_) => &mut done.adopt,
                Action::Recreate { .. } => &mut done.recreate,
                Action::Forget { .. } => &mut done.forget,
            };
            *count += 1;
        }
    }
    let counted = counts(done, |verb| match verb {
        "forget" => "forgotten".to_owned(),
        "adopt" => "adopted".to_owned(),
        verb => format!("{verb}d"),
    });
    let failed = report.failed();
    let untried = report.results.len() - report.applied() - failed;
    let mut line = if counted.is_empty() {
        String::new()
    } else {
        format!("Applied: {counted}")
    };
    for (count, first, word) in [
        (failed, "Failed", "failed"),
        (untried, "Not attempted", "not attempted"),
    ] {
        if count > 0 && line.is_empty() {
            line = format!("{first}: {count}");
        } else if count > 0 {
            line += &format!(", {count} {word}");
        }
    }
    if line.is_empty() {
        line += "No changes";
    }
    line.push('.');
    // Writing to a `String` cannot fail.
    let _ = write!(
        line,
        "{} {} in {:.2} s.",
        rest(plan),
        plural(
            usize::try_from(stats.requests).unwrap_or(usize::MAX),
            "request"
        ),
        stats.duration.as_secs_f64()
    );
    line
}

pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_an_address_that_differs_is_highlighted() {
        let styles = Styles::colored();
        let from = "https://hooks.example.com/billing/v1?team=a";
        let (old, new) = marked(from, &from.replace("v1", "v2"), &styles);
        for (shown, part, style) in [(old, "v1", styles.destroy), (new, "v2", styles.create)] {
            let expected = [
                paint(style, "https://hooks.example.com/billing/"),
                paint(emphasized(style, &styles), part),
                paint(style, "?team=a"),
            ];
            assert_eq!(shown, expected.concat());
        }
    }
}
