//! `hookctl explain`: explains a diagnostic code, with an example and its fix.

use clap::Args;
use hookctl::diagnostic::nearest;
use hookctl::render::{columns, explanation, explanations, meaning, wrap};

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

/// Below this width, the meaning of a code is on lines of its own.
const WIDE: usize = 72;

/// Lists every code with its meaning.
fn list(width: Option<usize>) -> String {
    let widest = explanations().map(|(code, _)| columns(code)).max();
    let margin = widest.unwrap_or_default() + 2;
    let entry = |code: &str| match width {
        None => format!("{code:margin$}{}\n", meaning(code)),
        Some(width) if width < WIDE => wrap(&format!("{code}\n  {}\n", meaning(code)), width),
        Some(width) => {
            let meaning = wrap(&meaning(code), width - margin);
            let meaning = meaning.replace("\n  ", &format!("\n{:margin$}", ""));
            format!("{code:margin$}{meaning}\n")
        }
    };
    explanations().map(|(code, _)| entry(code)).collect()
}

/// Runs the command.
pub(crate) fn run(ui: &Ui, args: &ExplainArgs) -> ExitStatus {
    let Some(code) = &args.code else {
        ui.result(&list(ui.screen().columns));
        return ExitStatus::Success;
    };
    if let Some(text) = explanation(code, &ui.screen()) {
        ui.result(&text);
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
