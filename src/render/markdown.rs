//! A plan as a comment on a pull request: counts first, details folded, and within what a comment may hold.

use std::fmt::Write as _;

use super::diff;
use super::human::{plan_line, report_line};
use super::message::Message;
use super::sanitize::sanitize;
use super::settings;
use super::style::Styles;
use super::{Cost, LooseSettings, Scene};
use crate::outside::Outside;
use crate::plan::{Plan, PlannedAction};
use crate::record::{ActionResult, Outcome, SyncReport};

/// What GitHub takes as one comment is 65,536 characters; some are left for what a workflow adds.
pub const LONGEST: usize = 65_000;

/// How much of it single actions may take: messages and the words around come first.
const FOR_MESSAGES: usize = 16_000;

/// How many settings are listed: all but a great many levels of lints.
const SETTINGS: usize = 30;

/// The plan, or what became of it, with what is to be said beside it.
pub fn markdown(
    scene: Scene<'_>,
    plan: Option<&Plan>,
    report: Option<(&SyncReport, Cost)>,
    messages: &[Message],
) -> String {
    let mut text = String::new();
    let nothing = plan.is_some_and(|plan| plan.actions.is_empty() && plan.orphans.is_empty());
    let notices: Vec<Message> = plan
        .map(|plan| plan.notices.iter().map(Message::of_notice).collect())
        .unwrap_or_default();
    let messages: Vec<&Message> = messages.iter().chain(&notices).collect();
    let line = match (plan, report) {
        (Some(plan), Some((report, cost))) => report_line(plan, report, cost),
        (Some(plan), None) => plan_line(plan, scene),
        (None, _) => format!("There is no plan (target {}).", sanitize(scene.target)),
    };
    let settings = if plan.is_some() {
        scene.settings
    } else {
        &LooseSettings::NONE
    };
    if nothing && messages.is_empty() && settings.is_empty() {
        return format!("{}\n", escaped(&line));
    }
    text += &format!("**{}**\n\n", escaped(&line));
    if let Some(plan) = plan {
        text += &table(plan);
    }
    text += &loose(settings);
    text += &told(&messages);
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
    let details: Vec<String> = match report {
        Some((report, _)) => report.results.iter().map(of_result).collect(),
        None => plan
            .actions
            .iter()
            .map(|planned| {
                let recent = planned.id().and_then(|id| plan.recent_events.get(id));
                match recent.filter(|_| planned.silences()) {
                    Some(count) => folded(planned, &format!(" — {count} events in the last 24 h")),
                    None => folded(planned, ""),
                }
            })
            .collect(),
    };
    let total = details.len();
    for (index, detail) in details.iter().enumerate() {
        if text.len() + detail.len() + 200 > LONGEST {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "… and {} of {total} more, which do not fit into a comment: see `--output diff` or \
                 `--output json`.",
                total - index
            );
            break;
        }
        text += detail;
    }
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
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rule = columns.iter().map(|_| "---:".to_owned()).collect();
    let counts = columns.iter().map(|(_, count)| count.to_string()).collect();
    format!("{}{}{}\n", row(names), row(rule), row(counts))
}

/// The settings that make the plan less careful.
fn loose(settings: &LooseSettings) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut text = format!("**{}**\n\n", settings::HEADLINE);
    if let Some(doubt) = settings.doubt() {
        text += &format!("- {}\n", escaped(&cut(&doubt)));
    }
    let settings = &settings.settings;
    for setting in settings.iter().take(SETTINGS) {
        let place = setting
            .source()
            .map_or_else(String::new, |place| format!(" ({})", code(&place)));
        text += &format!("- {}{place}\n", escaped(&cut(&setting.sentence())));
    }
    if settings.len() > SETTINGS {
        text += &format!("- … and {} more\n", settings.len() - SETTINGS);
    }
    text.push('\n');
    text
}

fn told(messages: &[&Message]) -> String {
    let mut text = String::new();
    for (index, message) in messages.iter().enumerate() {
        if text.len() > FOR_MESSAGES {
            text += &format!("- … and {} more\n", messages.len() - index);
            break;
        }
        let place = message
            .place()
            .map_or_else(String::new, |place| format!(" ({})", code(&place)));
        let help = message
            .help
            .as_ref()
            .map_or_else(String::new, |help| format!(" — {}", escaped(&cut(help))));
        text += &format!(
            "- **{}** `{}`: {}{place}{help}\n",
            message.severity,
            message.code,
            escaped(&cut(&message.message))
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// No single text may crowd out the rest.
fn cut(text: &str) -> String {
    const MOST: usize = 1_000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn of_result(result: &ActionResult) -> String {
    let ended = match &result.outcome {
        Outcome::Applied { .. } => ": applied".to_owned(),
        Outcome::Failed { error, .. } => format!(": <b>failed</b>: {}", escaped(&cut(error))),
        Outcome::Pending { error, .. } => format!(": <b>pending</b>: {}", escaped(&cut(error))),
        Outcome::Held => format!(": <b>pending</b>: {}", Outcome::WHY_HELD),
        Outcome::NotAttempted => ": not attempted".to_owned(),
    };
    folded(&result.planned, &ended)
}

fn folded(planned: &PlannedAction, ended: &str) -> String {
    let place = planned.location().map_or_else(String::new, |location| {
        let place = format!("{}:{}", Outside::path(&location.path), location.line);
        format!(" — {}", code_in_html(&place))
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
    format!("<details><summary>{head}</summary>\n\n{causes}{diff}\n</details>\n")
}

/// A fence that no line of the text can end.
fn fence(text: &str) -> String {
    "`".repeat((longest_run(text) + 1).max(3))
}

/// How many backticks follow each other at most.
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

/// Text that Markdown, HTML, and mentions leave as it is.
fn escaped(text: &str) -> String {
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
            // No address becomes a link.
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
    fn no_text_can_end_its_fence_or_call_somebody() {
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
