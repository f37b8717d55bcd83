//! `hookctl schema`: the JSON Schema of declaration files, for editors.

use crate::exit_status::ExitStatus;
use crate::ui::Ui;

/// Runs the command.
pub(crate) fn run(ui: &Ui) -> ExitStatus {
    ui.result(&text());
    ExitStatus::Success
}

/// The schema as text, with a line break at its end.
pub(crate) fn text() -> String {
    hookctl::outside::json::text(&hookctl::declaration::json_schema())
}
