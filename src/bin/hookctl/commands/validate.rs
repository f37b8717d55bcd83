//! `hookctl validate`: check the files, offline and without any secret.

use clap::{Args, ValueEnum};
use hookctl::diagnostic::Severity;
use hookctl::render::{Message, ValidateDocument};

use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::exit_status::ExitStatus;
use crate::files::load;
use crate::presenter::show_diagnostics;
use crate::settings::{Settings, SettingsError};
use crate::ui::Ui;

/// The arguments of `hookctl validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ValidateOutput::Human)]
    output: ValidateOutput,
}

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ValidateOutput {
    /// For people.
    Human,
    /// One JSON document (schemas/validate-v1.schema.json).
    Json,
    /// Annotations in a GitHub workflow's log.
    Github,
    /// One SARIF 2.1.0 log, for code scanning.
    Sarif,
}

/// Shows what was found in a form for machines; nothing in the form for people.
fn show(ui: &Ui, output: ValidateOutput, files: usize, webhooks: usize, messages: Vec<Message>) {
    match output {
        ValidateOutput::Human => {}
        ValidateOutput::Json => {
            let document = ValidateDocument::new(files, webhooks, messages);
            ui.stream(|out| document.write(out));
        }
        ValidateOutput::Github => ui.stream(|out| hookctl::render::github(&messages, out)),
        ValidateOutput::Sarif => ui.stream(|out| hookctl::render::sarif(&messages, out)),
    }
}

/// Runs the command.
pub(crate) fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ValidateArgs,
    environment: &Environment,
) -> ExitStatus {
    let human = args.output == ValidateOutput::Human;
    let settings = match Settings::resolve(global) {
        Ok(settings) => settings,
        Err(SettingsError::Command(error)) => {
            ui.failure(&error);
            let message = Message::error(error.code, error.message.clone(), error.help);
            show(ui, args.output, 0, 0, vec![message]);
            return error.status;
        }
        Err(SettingsError::Diagnostics(sources, diagnostics)) => {
            let messages = diagnostics
                .iter()
                .map(|diagnostic| Message::of_diagnostic(diagnostic, &sources))
                .collect();
            show(ui, args.output, 1, 0, messages);
            if human {
                show_diagnostics(ui, &diagnostics, &sources, 1);
            }
            return ExitStatus::Error;
        }
    };
    let loaded = load(&settings, environment);
    let webhooks = loaded
        .declarations
        .as_ref()
        .map_or(0, hookctl::declaration::Declarations::len);
    let messages = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| Message::of_diagnostic(diagnostic, &loaded.sources))
        .collect();
    show(ui, args.output, loaded.files, webhooks, messages);
    if human {
        show_diagnostics(ui, &loaded.diagnostics, &loaded.sources, loaded.files);
        if loaded.diagnostics.count(Severity::Error) == 0 {
            let noun = |count: usize, word: &str| {
                let plural = if count == 1 { "" } else { "s" };
                format!("{count} {word}{plural}")
            };
            ui.result(&format!(
                "{} in {} {} valid.\n",
                noun(webhooks, "webhook"),
                noun(loaded.files, "file"),
                if webhooks == 1 { "is" } else { "are" }
            ));
        }
    }
    if loaded.declarations.is_some() {
        ExitStatus::Success
    } else {
        ExitStatus::Error
    }
}
