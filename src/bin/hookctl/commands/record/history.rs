//! `hookctl record history`: the applied changes, of all webhooks or the chosen ones.

use std::time::Duration;

use clap::Args;
use hookctl::record::{HistoryEntry, Record};
use hookctl::render::HistoryDocument;
use hookctl::webhook::Key;
use jiff::Timestamp;

use crate::args::{Form, duration};
use crate::error::CommandError;
use crate::session::record_error;
use crate::ui::Ui;

/// The fewest digits by which a commit is named.
const SHORTEST_COMMIT: usize = 4;

/// The arguments of `hookctl record history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookctl record history --since 7d          what changed in the last week
  hookctl record history billing             what changed of one webhook
  hookctl record history --commit 1f3a9c2    what a commit changed
  hookctl record history --run 8412903       what a job of CI changed, by the end of its URL")]
pub(super) struct HistoryArgs {
    /// Show only changes of this key
    #[arg(value_name = "KEY", value_parser = key)]
    key: Option<Key>,
    /// Show only changes of this key
    #[arg(long = "key", value_name = "KEY", conflicts_with = "key", value_parser = key)]
    key_option: Option<Key>,
    /// Show only changes since this long ago, such as 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Show only changes that this commit of the files made, by at least 4 digits
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    commit: Option<String>,
    /// Show only changes of this run: the URL of a CI job or its last part, such as the id, or a process
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Show at most this many changes
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    pub(super) output: Form,
}

fn key(text: &str) -> Result<Key, String> {
    Key::parse(text).map_err(|error| error.to_string())
}

fn commit(text: &str) -> Result<String, String> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && text.len() >= SHORTEST_COMMIT {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "a commit is named by at least {SHORTEST_COMMIT} hexadecimal digits"
        ))
    }
}

impl HistoryArgs {
    fn key(&self) -> Option<&Key> {
        self.key.as_ref().or(self.key_option.as_ref())
    }

    fn chooses(&self) -> bool {
        self.key().is_some() || self.since.is_some() || self.commit.is_some() || self.run.is_some()
    }

    /// Returns whether a change is one of the chosen ones.
    fn selects(&self, entry: &HistoryEntry, now: Timestamp) -> bool {
        let of_commit = |commit: &String| {
            let made_by = entry.provenance.as_ref();
            made_by.is_some_and(|made_by| made_by.commit.starts_with(commit.as_str()))
        };
        // A time before the first timestamp excludes nothing.
        let since = self.since.and_then(|since| now.checked_sub(since).ok());
        self.key().is_none_or(|key| entry.key == *key)
            && since.is_none_or(|since| entry.at >= since)
            && self.commit.as_ref().is_none_or(of_commit)
            && self.run.as_ref().is_none_or(|run| {
                let made_by = entry.run.as_deref();
                made_by.is_some_and(|made_by| names_run(made_by, run))
            })
    }
}

/// Returns whether a text names a run, by all of its name or by its last part.
fn names_run(name: &str, text: &str) -> bool {
    let before = name.strip_suffix(text.trim_end_matches('/'));
    before.is_some_and(|before| {
        before.is_empty() || (!text.is_empty() && before.ends_with(['/', ' ']))
    })
}

/// Shows the latest of the chosen changes.
pub(super) async fn history(
    ui: &Ui,
    args: &HistoryArgs,
    target: &str,
    record: &Record,
) -> Result<(), CommandError> {
    let read = if args.chooses() {
        usize::MAX
    } else {
        args.limit
    };
    let entries = record.history(read).await;
    let mut entries = entries.map_err(|error| record_error(&error))?;
    let now = Timestamp::now();
    entries.retain(|entry| args.selects(entry, now));
    entries.truncate(args.limit);
    match args.output {
        Form::Human if entries.is_empty() && args.chooses() => ui.result("No change matches.\n"),
        Form::Human => ui.human(&hookctl::render::history(&entries, &ui.screen())),
        Form::Json => ui.result(&HistoryDocument::new(target, &entries).to_text()),
    }
    Ok(())
}
