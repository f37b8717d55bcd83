//! The local record and its history, as text and as JSON.

use anstyle::Style;
use jiff::Timestamp;
use serde::Serialize;

use super::human::plural;
use super::sanitize::sanitize;
use super::style::{Screen, paint};
use super::table::table;
use crate::outside::json;
use crate::record::{HistoryChange, HistoryEntry, IntendedWrite, Pending, Provenance};
use crate::state::LastApplied;

/// Renders the record of an account as text.
pub fn record(
    last_applied: &LastApplied,
    pending: &Pending,
    observed: Option<(Timestamp, usize)>,
    screen: &Screen,
) -> String {
    let styles = &screen.styles;
    let rows: Vec<Vec<String>> = last_applied
        .iter()
        .map(|(key, record)| {
            let marks = [
                (record.token.is_some(), "token"),
                (record.prevent_destroy, "protected"),
            ];
            let marks = marks.iter().filter(|(holds, _)| *holds);
            let marks: Vec<&str> = marks.map(|(_, mark)| *mark).collect();
            vec![
                key.to_string(),
                record.id.to_string(),
                if marks.is_empty() {
                    "-".to_owned()
                } else {
                    marks.join(", ")
                },
                record.sent.name.clone(),
            ]
        })
        .collect();
    let mut text = String::new();
    if !rows.is_empty() {
        let head = ["webhook", "id", "notes", "name"];
        text += &table(&head, &rows, screen.columns, styles, |_| Style::new());
        text.push('\n');
    }
    for intent in pending.intents.values() {
        let state = if intent.superseded {
            "has no response, and was retried or replaced since; it may still take effect"
        } else {
            "has no known outcome; the next sync settles it"
        };
        text += &format!(
            "{}: the {} of '{}' sent at {} by {} {state}\n",
            paint(styles.warning, "pending"),
            verb(&intent.write),
            intent.key,
            screen.time(intent.sent.at),
            sanitize(&intent.sent.writer.host),
        );
    }
    let seen = observed.map_or_else(String::new, |(at, count)| {
        format!(
            " Last observed: {} at {}.",
            plural(count, "webhook"),
            screen.time(at)
        )
    });
    let line = format!("{} bound.{seen}", plural(last_applied.len(), "webhook"));
    text += &paint(styles.headline, &line);
    text.push('\n');
    text
}

/// Renders applied changes as text, newest first.
pub fn history(entries: &[HistoryEntry], screen: &Screen) -> String {
    let mut text = String::new();
    for entry in entries {
        let commit = entry.provenance.as_deref().map_or_else(String::new, commit);
        // A process of this machine says nothing that a person looks for.
        let job = entry.run.as_ref().filter(|run| run.contains("://"));
        let run = job.map_or_else(String::new, |job| format!("   {job}"));
        text += &format!(
            "{}  {} {} ({}){}{}\n",
            screen.time(entry.at),
            sanitize(entry.action.as_str()),
            entry.key,
            entry.id.as_str(),
            paint(screen.styles.aside, &sanitize(&commit)),
            paint(screen.styles.aside, &sanitize(&run))
        );
        for change in &entry.changes {
            text += &format!("    {}\n", sanitize(&line(change)));
        }
    }
    if entries.is_empty() {
        text.push_str("No changes yet.\n");
    }
    text
}

fn line(change: &HistoryChange) -> String {
    let HistoryChange {
        field,
        from,
        to,
        cause,
    } = change;
    match from {
        // A secret is never shown, only that it is another one.
        Some(from) if from == to && field.as_ref() == "bearer_token" => {
            format!("{field}: (another secret) ({cause})")
        }
        Some(from) => format!("{field}: {from} -> {to} ({cause})"),
        None => format!("{field}: {to}"),
    }
}

fn commit(provenance: &Provenance) -> String {
    let short: String = provenance.commit.chars().take(10).collect();
    let modified = if provenance.modified {
        ", modified"
    } else {
        ""
    };
    format!("   {short}{modified} by {}", provenance.author)
}

const fn verb(write: &IntendedWrite) -> &'static str {
    match write {
        IntendedWrite::Create { .. } => "create",
        IntendedWrite::Patch { .. } => "update",
        IntendedWrite::Delete { .. } => "delete",
    }
}

/// The document of `schemas/record-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct RecordDocument<'a> {
    format_version: &'static str,
    target: &'a str,
    observed_at: Option<Timestamp>,
    bindings: Vec<Binding<'a>>,
    pending: Vec<PendingEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct Binding<'a> {
    key: &'a str,
    id: &'a str,
    name: &'a str,
    token_set: bool,
    prevent_destroy: bool,
}

#[derive(Debug, Serialize)]
struct PendingEntry<'a> {
    key: &'a str,
    action: &'static str,
    at: Timestamp,
    host: &'a str,
    superseded: bool,
}

impl<'a> RecordDocument<'a> {
    /// Creates the document of the record of a target's account.
    pub fn new(
        target: &'a str,
        last_applied: &'a LastApplied,
        pending: &'a Pending,
        observed_at: Option<Timestamp>,
    ) -> Self {
        Self {
            format_version: "1",
            target,
            observed_at,
            bindings: last_applied
                .iter()
                .map(|(key, record)| Binding {
                    key: key.as_str(),
                    id: record.id.as_str(),
                    name: &record.sent.name,
                    token_set: record.token.is_some(),
                    prevent_destroy: record.prevent_destroy,
                })
                .collect(),
            pending: pending
                .intents
                .values()
                .map(|intent| PendingEntry {
                    key: intent.key.as_str(),
                    action: verb(&intent.write),
                    at: intent.sent.at,
                    host: &intent.sent.writer.host,
                    superseded: intent.superseded,
                })
                .collect(),
        }
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        json::text(self)
    }
}

/// The document of `schemas/history-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct HistoryDocument<'a> {
    format_version: &'static str,
    target: &'a str,
    entries: &'a [HistoryEntry],
}

impl<'a> HistoryDocument<'a> {
    /// Creates the document of these entries, newest first.
    pub const fn new(target: &'a str, entries: &'a [HistoryEntry]) -> Self {
        Self {
            format_version: "1",
            target,
            entries,
        }
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        json::text(self)
    }
}

/// The document of `schemas/record-status-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct RecordStatusDocument<'a> {
    format_version: &'static str,
    target: &'a str,
    /// The folder or the address.
    place: String,
    /// What the head of a shared record says. `None` for a local one.
    shared: Option<SharedHead<'a>>,
}

/// What the head of a shared record says.
#[derive(Clone, Debug, Serialize)]
pub struct SharedHead<'a> {
    /// The id of the record.
    pub record: &'a str,
    /// The number of holders so far.
    pub epoch: u64,
    /// The sequence of the last entry that the head knows.
    pub sequence: u64,
    /// The sequence up to which a checkpoint covers the log.
    pub checkpoint: Option<u64>,
    /// The process that holds the record.
    pub holder: Option<HolderEntry<'a>>,
    /// The watch that makes the passes, among those of all keys.
    pub leader: Option<HolderEntry<'a>>,
}

/// The process that holds a shared record.
#[derive(Clone, Debug, Serialize)]
pub struct HolderEntry<'a> {
    /// The run, as it describes itself.
    pub run: &'a str,
    /// When it took the record, by its own clock.
    pub since: Timestamp,
}

impl<'a> RecordStatusDocument<'a> {
    /// Creates the document of a target's record in a folder or at an address.
    pub const fn new(target: &'a str, place: String, shared: Option<SharedHead<'a>>) -> Self {
        Self {
            format_version: "1",
            target,
            place,
            shared,
        }
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        json::text(self)
    }

    /// Renders the document for people.
    pub fn to_human(&self) -> String {
        let place = sanitize(&self.place);
        let target = self.target;
        let Some(shared) = &self.shared else {
            return format!("The record of '{target}' is local, in {place}.\n");
        };
        let entries = match shared.sequence {
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        };
        let checkpoint = match shared.checkpoint {
            Some(sequence) => format!("a checkpoint at {sequence}"),
            None => "no checkpoint".to_owned(),
        };
        let holder = match &shared.holder {
            None => "No process is writing it.".to_owned(),
            Some(holder) => format!(
                "It is being written by {} since {} (epoch {}).",
                sanitize(holder.run),
                holder.since,
                shared.epoch
            ),
        };
        let leader = shared.leader.as_ref().map_or_else(String::new, |leader| {
            format!(
                "{} leads the watches since {}.\n",
                sanitize(leader.run),
                leader.since
            )
        });
        format!(
            "The record of '{target}' is shared, in {place}: {entries}, {checkpoint}, {} so far.\n{holder}\n{leader}",
            plural(
                usize::try_from(shared.epoch).unwrap_or(usize::MAX),
                "writer"
            )
        )
    }
}
