//! What a pull wrote into the files, as text and as JSON.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::RenderContext;
use super::file_diff::{file_diff, styled_diff};
use super::human::{self, plural};
use super::json::value;
use super::message::Message;
use super::style::{Styles, paint};
use crate::diagnostic::Location;
use crate::outside::{Outside, json};
use crate::plan::Plan;
use crate::pull::{Changed, Left, PulledFile};
use crate::webhook::Attribute;

/// The document of `schemas/pull-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct PullDocument {
    format_version: &'static str,
    target: String,
    sandbox: bool,
    dry_run: bool,
    files: Vec<FileEntry>,
    values: Vec<ValueEntry>,
    left: Vec<LeftEntry>,
    /// The webhooks that a sync would still change.
    remaining: usize,
    diagnostics: Vec<Message>,
    /// Why some files were not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorEntry>,
    #[serde(skip)]
    unmanaged: usize,
}

#[derive(Debug, Serialize)]
struct ErrorEntry {
    code: &'static str,
    message: String,
    help: Option<String>,
}

#[derive(Debug, Serialize)]
struct FileEntry {
    path: String,
    diff: String,
}

#[derive(Debug, Serialize)]
struct ValueEntry {
    key: String,
    field: &'static str,
    from: Value,
    to: Value,
    cause: &'static str,
    file: String,
    line: usize,
    added: bool,
    #[serde(skip)]
    shown: String,
}

#[derive(Debug, Serialize)]
struct LeftEntry {
    key: String,
    field: Option<&'static str>,
    reason: &'static str,
    message: String,
    help: String,
}

impl PullDocument {
    /// Creates the document of a pull. `plan` is the plan with the new files.
    pub fn new(
        context: RenderContext<'_>,
        files: &[PulledFile],
        changed: &[Changed],
        left: &[Left],
        plan: &Plan,
        diagnostics: Vec<Message>,
    ) -> Self {
        let entries = files.iter().map(|file| FileEntry {
            path: file.path.to_string_lossy().into_owned(),
            diff: file_diff(&file.path, &file.before, &file.after),
        });
        Self {
            format_version: "1",
            target: context.target.to_owned(),
            sandbox: context.sandbox,
            dry_run: context.dry_run,
            files: entries.collect(),
            values: values(files, changed),
            left: left.iter().map(LeftEntry::new).collect(),
            remaining: plan
                .actions
                .iter()
                .filter(|planned| planned.action.has_request())
                .count(),
            unmanaged: plan.unmanaged.len(),
            diagnostics,
            error: None,
        }
    }

    /// Adds why only some of the files were written: those of this document.
    pub fn fail(&mut self, error: Message) {
        self.error = Some(ErrorEntry {
            code: error.code,
            message: error.message,
            help: error.help,
        });
    }

    /// Removes secrets from the texts: `mask` receives each and returns it without secrets.
    pub fn filter_texts(&mut self, mask: impl Fn(&str) -> String) {
        for file in &mut self.files {
            file.diff = mask(&file.diff);
        }
        for entry in &mut self.values {
            entry.shown = mask(&entry.shown);
            for side in [&mut entry.from, &mut entry.to] {
                if let Value::String(text) = side {
                    *text = mask(text);
                }
            }
        }
        for entry in &mut self.left {
            entry.message = mask(&entry.message);
            entry.help = mask(&entry.help);
        }
    }

    /// Returns whether the files change.
    pub const fn changes_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        json::text(self)
    }

    /// Renders the diffs of the files.
    pub fn diffs(&self, styles: &Styles) -> String {
        let diffs = self.files.iter();
        diffs.map(|file| styled_diff(&file.diff, styles)).collect()
    }

    /// Renders a line for each value, with its place.
    pub fn lines(&self, styles: &Styles) -> String {
        let lines = self.values.iter().map(|entry| {
            let path = Outside::path(Path::new(&entry.file)).to_string();
            let place = paint(styles.aside, &format!("{path}:{}", entry.line));
            format!("{place}: {}\n", entry.shown)
        });
        lines.collect()
    }

    /// Renders the summary.
    pub fn summary(&self, styles: &Styles) -> String {
        let values = plural(self.values.len(), "value");
        let files = plural(self.files.len(), "file");
        let mut text = match (self.values.is_empty(), self.dry_run) {
            (true, _) if self.left.is_empty() => {
                "Nothing to pull: the files have the values of the API.".to_owned()
            }
            (true, _) => "Nothing was pulled.".to_owned(),
            (false, true) => format!("{values} in {files} would change."),
            (false, false) => format!("Pulled {values} into {files}."),
        };
        match self.remaining {
            0 if self.values.is_empty() => {}
            0 if self.dry_run => text += " The plan would be empty.",
            0 => text += " The plan is empty: a sync only updates the record.",
            count => text += &format!(" A sync would still change {}.", plural(count, "webhook")),
        }
        let mut text = paint(styles.headline, &text) + "\n";
        if self.unmanaged > 0 {
            text += &format!(
                "{} no file declares: `hookctl import` writes declarations.\n",
                plural(self.unmanaged, "webhook")
            );
        }
        text
    }
}

fn values(files: &[PulledFile], changed: &[Changed]) -> Vec<ValueEntry> {
    let mut entries = Vec::new();
    for file in files {
        for written in &file.written {
            let mut all = changed.iter();
            let change = all
                .find(|change| change.new.key == written.key && change.new.field == written.field);
            let Some(change) = change else {
                continue;
            };
            let (from, to) = (human::value(&change.from), human::value(&written.value));
            let suffix = if from == to { " (another query)" } else { "" };
            entries.push(ValueEntry {
                key: written.key.to_string(),
                field: written.field.as_str(),
                from: value(&change.from),
                to: value(&written.value),
                cause: change.cause.as_str(),
                file: file.path.to_string_lossy().into_owned(),
                line: written.line,
                added: written.is_added,
                shown: format!(
                    "'{}' {}: {from} -> {to}{suffix}",
                    written.key, written.field
                ),
            });
        }
    }
    entries
}

impl LeftEntry {
    fn new(left: &Left) -> Self {
        Self {
            key: left.key.to_string(),
            field: left.field.map(Attribute::as_str),
            reason: left.reason.as_str(),
            message: left.reason.to_string(),
            help: left.reason.hint(),
        }
    }
}

impl Message {
    /// Converts what a pull leaves: a warning if the files lack a change of the API.
    pub fn of_left(left: &Left, location: Option<&Location>) -> Self {
        let what = match left.field {
            Some(field) => format!("'{field}' of '{}'", left.key),
            None => format!("'{}'", left.key),
        };
        let message = Self::notice("not-pulled", format!("{what}: {}", left.reason));
        Self {
            severity: if left.reason.is_failure() {
                "warning"
            } else {
                message.severity
            },
            help: Some(left.reason.hint()),
            ..message
        }
        .at(location)
    }

    /// Creates the notice that other targets share a declaration that a pull changed.
    pub fn of_other_targets(key: &str, place: (PathBuf, usize), targets: &[String]) -> Self {
        let (file, line) = place;
        let message = format!(
            "'{key}' is also declared for {}, where the pulled values are edits",
            targets.join(", ")
        );
        Self {
            file: Some(file),
            line: Some(line),
            column: Some(1),
            help: Some(
                "review it like any edit; `hookctl pull --target` with that target takes its values".to_owned(),
            ),
            ..Self::notice("other-targets", message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::LooseSettings;

    #[test]
    fn a_failure_is_shown_with_the_files_that_were_written() {
        let files = [PulledFile {
            path: PathBuf::from("a.yaml"),
            before: "a: 1\n".to_owned(),
            after: "a: 2\n".to_owned(),
            written: Vec::new(),
        }];
        let context = RenderContext {
            target: "qa",
            sandbox: false,
            dry_run: false,
            settings: &LooseSettings::default(),
        };
        let plan = Plan::default();
        let mut document = PullDocument::new(context, &files, &[], &[], &plan, Vec::new());
        document.fail(Message::error("pull", "could not write b.yaml", None));
        let shown: Value = serde_json::from_str(&document.to_text()).unwrap();
        assert_eq!(shown["files"][0]["path"], "a.yaml");
        assert_eq!(
            shown["error"],
            serde_json::json!({ "code": "pull", "message": "could not write b.yaml", "help": null })
        );
    }
}
