//! `hookctl explain`: explains a diagnostic code, with an example and its fix.

use clap::Args;
use hookctl::diagnostic::nearest;
use hookctl::render::explanations;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::ui::Ui;

/// The arguments of `hookctl explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as out-of-range [default: list all codes]
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ui: &Ui, args: &ExplainArgs) -> ExitStatus {
    let Some(code) = &args.code else {
        for (code, _) in explanations() {
            ui.result(&format!("{code}\n"));
        }
        return ExitStatus::Success;
    };
    if let Some((_, text)) = explanations().find(|(known, _)| known == code) {
        ui.result(&format!("{code}\n\n{text}\n"));
        return ExitStatus::Success;
    }
    let codes = explanations().map(|(known, _)| known);
    let help = match nearest(code, codes) {
        Some(near) => format!("did you mean '{near}'?"),
        None => "`hookctl explain` lists all codes".to_owned(),
    };
    let message = format!("unknown code '{}'", hookctl::render::sanitize(code));
    let error = CommandError::new("usage", message).status(ExitStatus::Usage);
    let error = error.hint(help);
    ui.failure(&error);
    error.status
}
