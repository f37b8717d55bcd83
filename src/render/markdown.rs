//! A plan as a comment on a pull request: counts first, details folded, within the size limit of comments.

use std::fmt::Write as _;

use super::diff;
use super::human::{plan_line, report_line};
use super::message::Message;
use super::sanitize::sanitize;
use super::settings;
use super::style::Styles;
use super::{LooseSettings, RenderContext, RunStats};
use crate::outside::Outside;
use crate::plan::{Action, Plan, PlannedAction};
use crate::report::{ActionResult, Outcome, SyncReport};

/// The most characters of a comment. GitHub accepts 65,536; the rest is for what a workflow adds.
pub const LONGEST: usize = 65_000;

/// The share of messages, in characters.
const FOR_MESSAGES: usize = 16_000;

/// The share of settings, in characters.
const FOR_SETTINGS: usize = 16_000;

/// The share of one action with its diff, in characters.
const FOR_ACTION: usize = 8_000;

/// The share of the summary of what does not fit, in characters.
const FOR_REST: usize = 500;

/// The most settings that are listed. Only lint levels exceed it.
const SETTINGS: usize = 30;

/// Renders a plan, or its results, with messages. `section` is Markdown that goes before the details.
pub fn markdown(
    context: RenderContext<'_>,
    plan: Option<&Plan>,
    report: Option<(&SyncReport, RunStats)>,
    messages: &[Message],
    section: &str,
) -> String {
    let mut text = String::new();
    let nothing = plan.is_some_and(|plan| plan.actions.is_empty() && plan.orphans.is_empty());
    let notices: Vec<Message> = plan
        .map(|plan| plan.notices.iter().map(Message::of_notice).collect())
        .unwrap_or_default();
    let messages: Vec<&Message> = messages.iter().chain(&notices).collect();
    let line = match (plan, report) {
        (Some(plan), Some((report, stats))) => report_line(plan, report, stats),
        (Some(plan), None) => format!("{}{}", plan_line(plan, context), drifted(plan)),
        (None, _) => format!("No plan (target {}).", sanitize(context.target)),
    };
    let settings = if plan.is_some() {
        context.settings
    } else {
        &LooseSettings::NONE
    };
    if nothing && messages.is_empty() && settings.is_empty() && section.is_empty() {
        return format!("{}\n", escaped(&line));
    }
    text += &format!("**{}**\n\n", escaped(&line));
    if let Some(plan) = plan {
        text += &table(plan);
    }
    text += section;
    text += &loose(settings);
    text += &reported(&messages);
    let Some(plan) = plan else { return text };
    for orphan in plan.orphans.iter().take(20) {
        text += &format!("- orphan `{}` (`{}`), left alone\n", orphan.key, orphan.id);
    }
    if !plan.orphans.is_empty() {
        let more = plan.orphans.len().saturating_sub(20);
        if more > 0 {
            text += &format!("- … and {more} more orphans\n");
        }
        text.push('\n');
    }
    let details: Vec<Detail<'_>> = match report {
        Some((report, _)) => report.results.iter().map(of_result).collect(),
        None => plan
            .actions
            .iter()
            .map(|planned| {
                let recent = planned.id().and_then(|id| plan.recent_events.get(id));
                let ended = match recent.filter(|_| planned.silences()) {
                    Some(count) => format!(" — {count} events in the last 24 h"),
                    None => String::new(),
                };
                Detail::of(planned, &ended, false)
            })
            .collect(),
    };
    text += &fitting(details, LONGEST.saturating_sub(text.len() + FOR_REST));
    text
}

/// An action with its details.
struct Detail<'a> {
    planned: &'a PlannedAction,
    has_failed: bool,
    text: String,
}

impl<'a> Detail<'a> {
    fn of(planned: &'a PlannedAction, ended: &str, has_failed: bool) -> Self {
        Self {
            planned,
            has_failed,
            text: folded(planned, ended),
        }
    }

    /// Returns the priority if not everything fits: what stops deliveries, then failures, then changes of existing
    /// webhooks. Creates come last, so that many of them hide nothing else.
    fn rank(&self) -> u8 {
        match &self.planned.action {
            Action::Delete(_) => 0,
            Action::Recreate { .. } => 1,
            _ if self.planned.silences() => 2,
            _ if self.has_failed => 3,
            Action::Update(_) | Action::Adopt(_) => 4,
            Action::Forget { .. } => 5,
            Action::Create(_) => 6,
        }
    }
}

/// Returns the details in order. If they do not fit, returns those of highest priority and counts the rest by kind.
fn fitting(mut details: Vec<Detail<'_>>, most: usize) -> String {
    let all: usize = details.iter().map(|detail| detail.text.len()).sum();
    if all <= most {
        return details.into_iter().map(|detail| detail.text).collect();
    }
    details.sort_by_key(Detail::rank);
    let mut text = String::new();
    let mut left: Vec<(&str, usize)> = Vec::new();
    for detail in &details {
        if left.is_empty() && text.len() + detail.text.len() <= most {
            text += &detail.text;
            continue;
        }
        let kind = detail.planned.action.as_str();
        match left.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => left.push((kind, 1)),
        }
    }
    let count: usize = left.iter().map(|(_, count)| count).sum();
    let kinds: Vec<_> = left
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        text,
        "… and {count} of {} more ({}) that do not fit into a comment: see `--output diff` or \
         `--output json`.",
        details.len(),
        kinds.join(", ")
    );
    text
}

fn table(plan: &Plan) -> String {
    let summary = plan.summary();
    let columns = [
        ("create", summary.create),
        ("recreate", summary.recreate),
        ("adopt", summary.adopt),
        ("update", summary.update),
        ("delete", summary.delete),
        ("forget", summary.forget),
        ("unchanged", summary.unchanged),
        ("orphan", summary.orphan),
        ("unmanaged", summary.unmanaged),
    ];
    let columns: Vec<_> = columns
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    if columns.is_empty() {
        return String::new();
    }
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rule = columns.iter().map(|_| "---:".to_owned()).collect();
    let counts = columns.iter().map(|(_, count)| count.to_string()).collect();
    format!("{}{}{}\n", row(names), row(rule), row(counts))
}

/// Counts the actions that revert a change made by hand.
fn drifted(plan: &Plan) -> String {
    let drift = plan.actions.iter().filter(|action| action.is_drift_only());
    match drift.count() {
        0 => String::new(),
        1 => " 1 action reverts drift.".to_owned(),
        count => format!(" {count} actions revert drift."),
    }
}

/// Renders the settings that make the plan less careful.
fn loose(settings: &LooseSettings) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut text = format!("**{}**\n\n", settings::HEADLINE);
    if let Some(doubt) = settings.doubt() {
        text += &format!("- {}\n", escaped(&cut(&doubt)));
    }
    let settings = &settings.settings;
    for (index, setting) in settings.iter().enumerate() {
        let place = setting
            .source()
            .map_or_else(String::new, |place| format!(" ({})", code(&cut(&place))));
        let item = format!("- {}{place}\n", escaped(&cut(&setting.sentence())));
        if index == SETTINGS || text.len() + item.len() > FOR_SETTINGS {
            text += &format!("- … and {} more\n", settings.len() - index);
            break;
        }
        text += &item;
    }
    text.push('\n');
    text
}

fn reported(messages: &[&Message]) -> String {
    let mut text = String::new();
    let mut messages = messages.to_vec();
    messages.sort_by_key(|message| match message.severity {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    });
    for (index, message) in messages.iter().enumerate() {
        let place = message
            .place()
            .map_or_else(String::new, |place| format!(" ({})", code(&cut(&place))));
        let help = message.help.as_ref().map_or_else(String::new, |help| {
            format!(" — {}", escaped(&cut(&help.replace('\n', "; "))))
        });
        let item = format!(
            "- **{}** `{}`: {}{place}{help}\n",
            message.severity,
            message.code,
            escaped(&cut(&message.message))
        );
        if text.len() + item.len() > FOR_MESSAGES {
            text += &format!("- … and {} more\n", messages.len() - index);
            break;
        }
        text += &item;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Truncates a text, so that it leaves room for others.
fn cut(text: &str) -> String {
    const MOST: usize = 1_000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn of_result(result: &ActionResult) -> Detail<'_> {
    let ended = match &result.outcome {
        Outcome::Applied { .. } => ": applied".to_owned(),
        other => match other.why() {
            Some(why) => format!(": <b>{}</b>: {}", other.as_str(), escaped(&cut(&why))),
            None => format!(": {}", other.as_str()),
        },
    };
    let has_failed = !matches!(result.outcome, Outcome::Applied { .. });
    Detail::of(&result.planned, &ended, has_failed)
}

fn folded(planned: &PlannedAction, ended: &str) -> String {
    let place = planned.location().map_or_else(String::new, |location| {
        let place = format!("{}:{}", Outside::path(&location.path), location.line);
        format!(" — {}", code_in_html(&cut(&place)))
    });
    let reason = match planned.action.reason() {
        Some(reason) => format!(" ({reason})"),
        None => String::new(),
    };
    let head = format!(
        "{} <b>{}</b>{reason}{place}{ended}",
        planned.action.as_str(),
        planned.key
    );
    let causes: Vec<String> = planned
        .changes
        .iter()
        .map(|change| format!("`{}` {}", change.field_name(), change.cause()))
        .collect();
    let causes = if planned.id().is_some() && !causes.is_empty() {
        format!("{}\n\n", causes.join(", "))
    } else {
        String::new()
    };
    let diff = diff::one(planned, &Styles::new(false));
    let fence = fence(&diff);
    let diff = if diff.is_empty() {
        "Nothing is sent.\n".to_owned()
    } else {
        format!("{fence}diff\n{diff}{fence}\n")
    };
    let folded =
        |inside: &str| format!("<details><summary>{head}</summary>\n\n{inside}\n</details>\n");
    let whole = folded(&format!("{causes}{diff}"));
    if whole.len() > FOR_ACTION {
        return folded("The diff is too long for a comment.\n");
    }
    whole
}

/// Returns a fence that no line of the text closes.
fn fence(text: &str) -> String {
    "`".repeat((longest_run(text) + 1).max(3))
}

/// Returns the length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or_default()
}

fn code(text: &str) -> String {
    let text = sanitize(text).replace('\n', " ");
    match longest_run(&text) {
        0 => format!("`{text}`"),
        run => {
            let fence = "`".repeat(run + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

fn code_in_html(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Escapes Markdown, HTML, and mentions.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let text = sanitize(text);
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '@' => escaped += "&#64;",
            '#' => escaped += "&#35;",
            '\n' => escaped.push(' '),
            '$' => escaped += "&#36;",
            // Prevents autolinks.
            ':' if rest.as_str().starts_with("//") => escaped += "&#58;",
            '.' if escaped.ends_with("www") => escaped += "&#46;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_its_fence_or_mention_a_user() {
        assert_eq!(fence("a ``` b"), "````");
        assert_eq!(fence("none"), "```");
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("`<img>`"), "`` `<img>` ``");
        assert_eq!(code("a``b`c"), "``` a``b`c ```");
        assert_eq!(
            escaped("@all <b> `x` #1 | *"),
            "&#64;all &lt;b&gt; \\`x\\` &#35;1 \\| \\*"
        );
        assert_eq!(
            escaped("https://evil.example www.evil.example $x$"),
            "https&#58;//evil.example www&#46;evil.example &#36;x&#36;"
        );
    }

    #[test]
    fn a_long_text_leaves_room_for_others() {
        assert!(cut(&"ä".repeat(5_000)).chars().count() == 1_001);
    }
}
