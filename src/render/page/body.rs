//! The body of the page: the facts, the webhooks, and the history.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::html::Html;
use super::sparkline::sparkline;
use super::{FilesState, LastPass, Page, PageForm};
use crate::record::{HistoryCause, HistoryChange, HistoryEntry};
use crate::render::after_pass::is_pending;
use crate::render::status::{StatusDocument, StatusRow};
use crate::render::verification::word;
use crate::render::{ChangeVerdict, Deliveries};

/// Appends the body.
pub(super) fn body(html: &mut Html, page: &Page, form: PageForm<'_>) {
    html.raw("<header>\n<h1><span id=\"target\">")
        .text(&page.target);
    html.raw("</span> <small>hookctl</small></h1>\n");
    if form != PageForm::File {
        html.raw("<p id=\"live\" role=\"status\"></p>\n");
    }
    html.raw("</header>\n<main>\n");
    facts(html, page);
    html.raw("<form id=\"filter\" role=\"search\" hidden>\n<label for=\"words\">Filter webhooks</label>\n");
    html.raw("<input id=\"words\" type=\"search\" placeholder=\"key, name, id, or status\" autocomplete=\"off\" spellcheck=\"false\" aria-describedby=\"keys\">\n");
    html.raw("<span id=\"keys\"><kbd>/</kbd> to filter, <kbd>Esc</kbd> to clear</span>\n");
    html.raw("<output id=\"shown\" for=\"words\"></output>\n</form>\n");
    webhooks(html, page);
    history(html, &page.history);
    html.raw("</main>\n");
}

fn facts(html: &mut Html, page: &Page) {
    html.raw("<dl id=\"facts\">\n");
    fact(html, "Files");
    match page.files {
        FilesState::Unread => html.raw("not read yet"),
        FilesState::Valid { warnings: 0 } => html.raw("valid"),
        FilesState::Valid { warnings } => {
            html.raw("valid, ");
            count(html, warnings, "warning", "warnings")
        }
        FilesState::Invalid { errors, warnings } => {
            html.raw("<strong class=\"bad\">invalid: ");
            count(html, errors, "error", "errors").raw("</strong>");
            if warnings > 0 {
                html.raw(", ");
                count(html, warnings, "warning", "warnings");
            }
            html.raw("; the last valid files stay in effect")
        }
    };
    fact_ends(html);
    if let Some(standby) = page
        .passes
        .as_ref()
        .and_then(|passes| passes.standby.as_ref())
    {
        fact(html, "State");
        html.text(standby);
        fact_ends(html);
    }
    if let Some(status) = &page.status {
        fact(html, "Pending differences");
        match status.pending() {
            0 => html.raw("none"),
            pending => {
                html.raw("<strong class=\"warn\">");
                html.number(pending as u64).raw("</strong>")
            }
        };
        fact_ends(html);
        if let Some(verdicts) = &status.verdicts {
            fact(html, "Deliveries after changes");
            totals(html, verdicts);
            fact_ends(html);
        }
        if let Some(why) = &page.unknown_deliveries {
            fact(html, "Deliveries of 24 hours");
            html.raw("unknown: ").text(why);
            fact_ends(html);
        }
    }
    times(html, page);
    html.raw("</dl>\n");
}

fn times(html: &mut Html, page: &Page) {
    if let Some(passes) = &page.passes {
        fact(html, "Last pass");
        match &passes.last {
            None => {
                html.raw("none yet");
            }
            Some(last) => last_pass(html, last),
        }
        fact_ends(html);
        if let Some(next) = passes.next {
            fact(html, "Next pass");
            time(html, next);
            fact_ends(html);
        }
    } else {
        fact(html, "Made at");
        time(html, page.at);
        fact_ends(html);
    }
}

/// Appends the number of webhooks with each verdict, failures first.
fn totals(html: &mut Html, verdicts: &BTreeMap<&'static str, usize>) {
    let mut verdicts: Vec<_> = verdicts.iter().filter(|(_, count)| **count > 0).collect();
    verdicts.sort_by_key(|(verdict, _)| urgency(verdict));
    if verdicts.is_empty() {
        html.raw("no changes yet");
    }
    for (index, (verdict, count)) in verdicts.into_iter().enumerate() {
        if index > 0 {
            html.raw(", ");
        }
        let is_failure = urgency(verdict) == 0;
        if is_failure {
            html.raw("<strong class=\"bad\">");
        }
        html.number(*count as u64).raw(" ").text(word(verdict));
        if is_failure {
            html.raw("</strong>");
        }
    }
}

/// Returns the place of a verdict among others.
fn urgency(verdict: &str) -> u8 {
    match verdict {
        "failing" | "rejected" => 0,
        "pending" => 1,
        "no_traffic" | "disabled" => 2,
        _ => 3,
    }
}

fn fact(html: &mut Html, name: &'static str) {
    html.raw("<div><dt>").raw(name).raw("</dt><dd>");
}

fn fact_ends(html: &mut Html) {
    html.raw("</dd></div>\n");
}

fn last_pass(html: &mut Html, last: &LastPass) {
    time(html, last.at);
    html.raw(" (").text(last.reason).raw(", ");
    html.number(last.took.as_millis().try_into().unwrap_or(u64::MAX));
    html.raw(" ms)");
    if let Some(error) = &last.error {
        html.raw("<br><strong class=\"bad\">failed: ");
        html.text(error).raw("</strong>");
    } else if !last.is_complete {
        html.raw("<br><strong class=\"bad\">incomplete; it is retried</strong>");
    }
}

fn webhooks(html: &mut Html, page: &Page) {
    html.raw("<section id=\"webhooks\">\n");
    html.raw("<h2 id=\"webhooks-title\">Webhooks</h2>\n");
    let Some(status) = &page.status else {
        html.raw("<p>No pass has made a plan yet.</p>\n</section>\n");
        return;
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &status.webhooks {
        *counts.entry(row.status).or_default() += 1;
    }
    html.raw("<p>");
    if counts.is_empty() {
        html.raw("No webhooks.");
    }
    for (index, (word, count)) in counts.into_iter().enumerate() {
        if index > 0 {
            html.raw(", ");
        }
        html.number(count as u64).raw(" ");
        html.text(&word.replace('_', " "));
    }
    html.raw("</p>\n");
    if status.incomplete {
        html.raw("<p>Only the latest events were counted, since there were too many.</p>\n");
    }
    if status.webhooks.is_empty() {
        html.raw("</section>\n");
        return;
    }
    let columns = Columns {
        verdicts: status.verdicts.is_some(),
        deliveries: status.since.is_some(),
    };
    html.raw("<div id=\"webhooks-table\" class=\"scroll\" role=\"region\" aria-labelledby=\"webhooks-title\" tabindex=\"0\">\n");
    html.raw("<table>\n<thead><tr><th scope=\"col\">Webhook</th><th scope=\"col\">Status</th>");
    html.raw("<th scope=\"col\">Differences</th>");
    if columns.verdicts {
        html.raw("<th scope=\"col\">Deliveries since the last change</th>");
    }
    if columns.deliveries {
        html.raw("<th scope=\"col\">Deliveries of 24 hours</th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for row in sorted(page, status) {
        webhook(html, page, row, columns);
    }
    html.raw("</tbody>\n</table>\n</div>\n</section>\n");
}

/// Returns the rows by urgency: held and failing ones first.
fn sorted<'a>(page: &Page, status: &'a StatusDocument) -> Vec<&'a StatusRow> {
    let mut rows: Vec<&StatusRow> = status.webhooks.iter().collect();
    rows.sort_by_key(|row| {
        let problem = row.key.as_ref().and_then(|key| page.problems.get(key));
        let fails = |deliveries: &Deliveries| deliveries.failed > 0;
        let is_failing = row.deliveries.as_ref().is_some_and(fails)
            || row
                .verification
                .as_ref()
                .is_some_and(ChangeVerdict::is_failure);
        match row.status {
            "held" => 0,
            _ if problem.is_some() => 1,
            _ if is_failing => 2,
            status if is_pending(status) => 3,
            "orphan" => 4,
            "unmanaged" => 6,
            _ => 5,
        }
    });
    rows
}

/// The columns that only some pages have.
#[derive(Clone, Copy)]
struct Columns {
    verdicts: bool,
    deliveries: bool,
}

fn webhook(html: &mut Html, page: &Page, row: &StatusRow, columns: Columns) {
    html.raw("<tr><th scope=\"row\">");
    let title = row.key.as_ref().or(row.name.as_ref());
    html.raw("<span class=\"key\">");
    html.text(title.map_or("(no name)", String::as_str));
    html.raw("</span>");
    if let Some(name) = row.name.as_ref().filter(|name| Some(*name) != title) {
        html.raw(" <span class=\"name\">").text(name).raw("</span>");
    }
    if let Some(id) = &row.id {
        html.raw(" <code>").text(id).raw("</code>");
    }
    html.raw("</th><td data-label=\"Status\"><span class=\"");
    html.raw(class(row.status)).raw("\">");
    html.text(&row.status.replace('_', " "));
    html.raw("</span></td><td data-label=\"Differences\">");
    html.text(&row.fields.join(", "));
    if let Some(held) = row.held {
        html.raw("<em>").raw(held.as_str()).raw("</em>");
    }
    if let Some(problem) = row.key.as_ref().and_then(|key| page.problems.get(key)) {
        html.raw(" <strong class=\"bad\">");
        html.text(problem).raw("</strong>");
    }
    html.raw("</td>");
    if columns.verdicts {
        html.raw("<td data-label=\"Last change\">");
        if let Some(verdict) = &row.verification {
            judged(html, verdict);
        }
        html.raw("</td>");
    }
    if columns.deliveries {
        html.raw("<td data-label=\"Deliveries\">");
        if let Some(deliveries) = &row.deliveries {
            counted(html, deliveries);
        }
        html.raw("</td>");
    }
    html.raw("</tr>\n");
}

fn judged(html: &mut Html, verdict: &ChangeVerdict) {
    html.raw("<span class=\"");
    html.raw(match verdict.verdict {
        "failing" | "rejected" => "badge bad",
        "pending" => "badge warn",
        "proven" => "badge ok",
        _ => "badge",
    });
    html.raw("\">").text(word(verdict.verdict));
    html.raw("</span> <small>").text(&verdict.evidence);
    html.raw("</small>");
}

fn counted(html: &mut Html, deliveries: &Deliveries) {
    sparkline(html, &deliveries.hours);
    let ended = deliveries.delivered + deliveries.failed;
    let waiting = deliveries.pending + deliveries.retrying;
    if ended + waiting == 0 {
        html.raw("none");
        return;
    }
    if let Some(percent) = (deliveries.delivered * 100).checked_div(ended) {
        html.raw(" <span class=\"");
        html.raw(if deliveries.failed > 0 { "bad" } else { "ok" });
        html.raw("\">").number(percent).raw(" %</span> ");
    }
    html.raw(" <span class=\"counts\">")
        .number(deliveries.delivered);
    html.raw(" delivered");
    if waiting > 0 {
        html.raw(", ").number(waiting).raw(" waiting");
    }
    if deliveries.failed > 0 {
        html.raw(", ").number(deliveries.failed).raw(" failed");
    }
    html.raw("</span>");
    if deliveries.failed + deliveries.retrying == 0 {
        return;
    }
    // The last status may be that of a later delivery.
    if let Some(error) = &deliveries.last_error {
        html.raw(" <small>last error: ").text(error);
        html.raw("</small>");
    } else if let Some(code) = deliveries.last_status_code {
        html.raw(" <small>last status: ").number(code);
        html.raw("</small>");
    }
}

const fn class(status: &str) -> &'static str {
    match status.as_bytes() {
        b"held" => "badge bad",
        b"drifted" | b"missing" | b"edited" => "badge warn",
        b"in_sync" => "badge ok",
        _ => "badge",
    }
}

fn history(html: &mut Html, entries: &[HistoryEntry]) {
    html.raw("<section id=\"history\">\n");
    html.raw("<h2 id=\"history-title\">History</h2>\n");
    if entries.is_empty() {
        html.raw("<p>No changes yet.</p>\n</section>\n");
        return;
    }
    html.raw("<div id=\"history-table\" class=\"scroll\" role=\"region\" aria-labelledby=\"history-title\" tabindex=\"0\">\n");
    html.raw("<table>\n<thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Change</th>");
    html.raw("<th scope=\"col\">Fields</th><th scope=\"col\">Commit</th></tr></thead>\n<tbody>\n");
    for entry in entries {
        html.raw("<tr><td data-label=\"Time\">");
        time(html, entry.at);
        html.raw("</td><td data-label=\"Change\">");
        html.text(entry.action.as_str()).raw(" ");
        html.text(entry.key.as_str())
            .raw("</td><td data-label=\"Fields\">");
        html.text(&fields(&entry.changes))
            .raw("</td><td data-label=\"Commit\">");
        if let Some(provenance) = &entry.provenance {
            let short: String = provenance.commit.chars().take(10).collect();
            html.raw("<code>").text(&short).raw("</code>");
            if provenance.modified {
                html.raw(", modified");
            }
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody>\n</table>\n</div>\n</section>\n");
}

/// Returns the names of the fields, and that drift was corrected. A create has every field. The values are for
/// `record history`.
fn fields(changes: &[HistoryChange]) -> String {
    let updates = changes.iter().filter(|change| change.from.is_some());
    let named = updates.map(|change| match change.cause {
        HistoryCause::Drift => format!("{} (drift)", change.field),
        _ => change.field.to_string(),
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Appends a time to the second, for people and programs.
fn time(html: &mut Html, at: Timestamp) {
    let text = format!("{at:.0}");
    html.raw("<time datetime=\"").text(&text).raw("\">");
    html.text(&text.replace('T', " ").replace('Z', " UTC"));
    html.raw("</time>");
}

fn count<'a>(
    html: &'a mut Html,
    number: usize,
    one: &'static str,
    several: &'static str,
) -> &'a mut Html {
    html.number(number as u64).raw(" ");
    html.raw(if number == 1 { one } else { several })
}
