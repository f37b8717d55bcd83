//! `hookctl schema`: prints the JSON Schema of declaration files or of hookctl.yaml, for editors.

use clap::{Args, ValueEnum};

use crate::exit_status::ExitStatus;
use crate::ui::Ui;

/// The arguments of `hookctl schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// What the schema describes
    #[arg(value_name = "WHAT", value_enum, default_value_t = Subject::Webhooks)]
    subject: Subject,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Declaration files
    Webhooks,
    /// hookctl.yaml
    Config,
}

/// Runs the command.
pub(crate) fn run(ui: &Ui, args: &SchemaArgs) -> ExitStatus {
    ui.result(&text(args.subject));
    ExitStatus::Success
}

/// Returns a schema as text that ends with a line break.
pub(crate) fn text(subject: Subject) -> String {
    hookctl::outside::json::text(&match subject {
        Subject::Webhooks => hookctl::declaration::json_schema(&[]),
        Subject::Config => hookctl::config::json_schema(),
    })
}
