//! `hookctl doctor`: checks the whole set-up. Writes nothing, and sends only requests that read.

mod api;
mod files;
mod machine;
mod record;
mod verdict;

use clap::Args;
use hookctl::render::{Check, DoctorDocument, Styles};

use self::api::Access;
use crate::args::{Form, GlobalArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::mask;
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::ui::Ui;

/// The arguments of `hookctl doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "It writes nothing, sends only requests that read, and runs no program without consent. The exit \
    code is 1 if there is a problem.

Examples:
  hookctl doctor                 check everything that the default target needs
  hookctl --target prod doctor   check another target"
)]
pub(crate) struct DoctorArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    output: Form,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &DoctorArgs,
    environment: &Environment,
) -> ExitStatus {
    match examine(ui, global, environment).await {
        Ok((target, mut checks)) => {
            for check in &mut checks {
                check.message = mask::masked(&check.message);
                check
                    .hints
                    .iter_mut()
                    .for_each(|hint| *hint = mask::masked(hint));
            }
            let document = DoctorDocument::new(target.as_deref(), &checks);
            match args.output {
                Form::Human => ui.human(&document.to_human(&Styles::new(ui.color_out()))),
                Form::Json => ui.result(&document.to_text()),
            }
            if document.has_problems() {
                ExitStatus::Error
            } else {
                ExitStatus::Success
            }
        }
        Err(error) => ui.fail(&error, args.output == Form::Json),
    }
}

/// Makes all checks. Returns the name of the target if the configuration is valid.
async fn examine(
    ui: &Ui,
    global: &GlobalArgs,
    environment: &Environment,
) -> Result<(Option<String>, Vec<Check>), CommandError> {
    let cancellation = cancel_on_signal()?;
    let resolved = Settings::resolve(global);
    let mut checks = vec![files::configuration(&resolved)];
    let Ok(settings) = resolved else {
        let lacks = "a valid configuration";
        let further = [
            "declarations",
            "consent",
            "API key",
            "API",
            "clock",
            "record",
            "tokens",
        ];
        checks.extend(further.map(|name| Check::skipped(name, lacks)));
        checks.extend(machine::checks(ui));
        return Ok((None, checks));
    };
    let (check, declarations) = files::declarations(&settings, environment);
    checks.push(check);
    let asked_for = declarations.as_ref().map(|(declarations, _)| declarations);
    checks.push(api::consent(ui, &settings, environment, asked_for).await);
    let access = unless_cancelled(&cancellation, Access::check(ui, &settings, environment)).await?;
    checks.extend(access.into_checks());
    let kept = record::check(ui, &settings, environment);
    checks.push(unless_cancelled(&cancellation, kept).await?);
    checks.push(match &declarations {
        Some(declarations) => {
            let resolving = files::tokens(ui, &settings, environment, declarations);
            unless_cancelled(&cancellation, resolving).await?
        }
        None => Check::skipped("tokens", "valid declarations"),
    });
    checks.push(machine::events(&settings));
    checks.extend(machine::checks(ui));
    Ok((Some(settings.target.name), checks))
}
