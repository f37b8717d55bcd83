//! `hookctl schema`: prints the JSON Schema of declaration files, for editors.

use crate::exit_status::ExitStatus;
use crate::ui::Ui;

/// Runs the command.
pub(crate) fn run(ui: &Ui) -> ExitStatus {
    ui.result(&text());
    ExitStatus::Success
}

/// Returns the schema as text that ends with a line break.
pub(crate) fn text() -> String {
    hookctl::outside::json::text(&hookctl::declaration::json_schema(&[]))
}
