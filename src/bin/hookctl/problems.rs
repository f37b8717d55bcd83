//! What is wrong with the files, on standard error: excerpts for people, fields for machines.

use hookctl::diagnostic::{Diagnostic, Diagnostics, Severity, SourceMap};
use hookctl::render::{Message, Styles};

use crate::error::CommandError;
use crate::settings::SettingsError;
use crate::ui::Ui;

/// The error of a configuration whose problems are shown.
pub(crate) fn invalid_config() -> CommandError {
    CommandError::new("invalid-config", "the configuration does not validate")
}

/// Shows what is wrong with the configuration.
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
            ui.tell(&Message::of_diagnostic(diagnostic, sources));
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
