//! Problems of the files and of the arguments, shown on standard error.

use hookctl::diagnostic::{Diagnostic, Diagnostics, Severity, SourceMap};
use hookctl::render::{Message, PlanDocument, Styles, ValidateDocument};

use crate::error::{CommandError, error_json};
use crate::settings::SettingsError;
use crate::ui::Ui;

/// Returns the document for arguments that do not parse, in the format of their command.
pub(crate) fn usage_document(
    command: Option<&str>,
    form: &str,
    error: CommandError,
) -> Option<String> {
    let messages = |error: CommandError| vec![error.into_message()];
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = match (command, form) {
        (Some("validate"), "json") => ValidateDocument::new(0, 0, messages(error)).write(&mut text),
        (Some("validate"), "sarif") => hookctl::render::sarif(&messages(error), &mut text),
        (Some("validate"), "github") => hookctl::render::github(&messages(error), &mut text),
        (Some("sync" | "apply"), "json") => {
            return Some(PlanDocument::of_messages(None, false, false, messages(error)).to_text());
        }
        (_, "json") => return Some(error_json(&error)),
        _ => return None,
    };
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the error of a configuration whose problems have been shown.
pub(crate) fn invalid_config() -> CommandError {
    CommandError::new("invalid-config", "the configuration is invalid")
}

/// Shows why the settings could not be resolved.
pub(crate) fn show_settings_error(ui: &Ui, error: SettingsError) -> CommandError {
    match error {
        SettingsError::Command(error) => error,
        SettingsError::Diagnostics(sources, diagnostics) => {
            show_diagnostics(ui, &diagnostics, &sources, 1);
            invalid_config()
        }
    }
}

/// Shows diagnostics of files on standard error.
pub(crate) fn show_diagnostics(
    ui: &Ui,
    diagnostics: &Diagnostics,
    sources: &SourceMap,
    files: usize,
) {
    if ui.logs_json() {
        let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
        let others = diagnostics.iter().filter(|one| !is_error(one));
        let errors_first = diagnostics.iter().filter(is_error).chain(others);
        for diagnostic in errors_first.take(ui.most_diagnostics()) {
            ui.report(&Message::of_diagnostic(diagnostic, sources));
        }
        if let (true, Some(line)) = (files > 0, hookctl::render::count_line(diagnostics, files)) {
            ui.remark(&line);
        }
        return;
    }
    let text = hookctl::render::diagnostics(
        diagnostics,
        sources,
        &Styles::new(ui.color_err()),
        ui.width(),
        ui.most_diagnostics(),
    );
    if diagnostics.has_errors() {
        ui.message(&text);
    } else {
        ui.remark(&text);
    }
    if let (true, Some(line)) = (files > 0, hookctl::render::count_line(diagnostics, files)) {
        ui.remark(&format!("{line}\n"));
    }
}
