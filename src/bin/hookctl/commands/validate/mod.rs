//! `hookctl validate`: checks the files, offline and without secrets.

mod part;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hookctl::diagnostic::Severity;
use hookctl::render::{Message, ValidateDocument};

use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::git::Repository;
use crate::problems::show_diagnostics;
use crate::settings::{Settings, SettingsError};
use crate::ui::Ui;

/// The arguments of `hookctl validate`.
#[derive(Debug, Args)]
#[command(
    after_help = "With FILE, only problems that concern these files count: of their content, and of a key or an \
    id that another file declares, too.

Examples:
  hookctl validate                      check all files
  hookctl validate webhooks.d/a.yaml    check one file, for example before a commit"
)]
pub(crate) struct ValidateArgs {
    /// Files of the folder of declarations, or folders in it [default: all]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ValidateOutput::Human)]
    output: ValidateOutput,
}

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ValidateOutput {
    /// Human-readable text
    Human,
    /// One JSON document (schemas/validate-v1.schema.json)
    Json,
    /// Annotations for the log of a GitHub workflow
    Github,
    /// One SARIF 2.1.0 log, for code scanning
    Sarif,
}

/// Writes the result in a machine-readable format; does nothing for [`ValidateOutput::Human`]. Paths below `root`
/// become relative to the repository's root, as reviews name files.
fn show(
    ui: &Ui,
    output: ValidateOutput,
    root: &Path,
    environment: &Environment,
    (files, webhooks): (usize, usize),
    mut messages: Vec<Message>,
) {
    if matches!(output, ValidateOutput::Github | ValidateOutput::Sarif) {
        let repository = review_root(root, environment);
        for message in &mut messages {
            if let (Some(file), Some(repository)) = (&mut message.file, &repository) {
                let absolute = root.join(&file);
                if let Ok(below) = absolute.strip_prefix(repository) {
                    below.clone_into(file);
                }
            }
        }
    }
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

/// Returns the folder that reviews name files relative to: the workspace of a GitHub job, or the root of the Git
/// repository.
fn review_root(root: &Path, environment: &Environment) -> Option<PathBuf> {
    let workspace = environment
        .setting("GITHUB_WORKSPACE")
        .map(PathBuf::from)
        .filter(|workspace| root.starts_with(workspace));
    workspace.or_else(|| Some(Repository::around(root)?.root().to_owned()))
}

/// Shows an error that ends the command.
fn fail(
    ui: &Ui,
    output: ValidateOutput,
    here: &Path,
    environment: &Environment,
    error: &CommandError,
) -> ExitStatus {
    ui.failure(error);
    let message = Message::error(error.code, error.message.clone(), error.help());
    show(ui, output, here, environment, (0, 0), vec![message]);
    error.status
}

/// Runs the command.
pub(crate) fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ValidateArgs,
    environment: &Environment,
) -> ExitStatus {
    let human = args.output == ValidateOutput::Human;
    // Diagnostics of hookctl.yaml are relative to the working directory.
    let here = std::env::current_dir().unwrap_or_default();
    let mut settings = match Settings::resolve(global) {
        Ok(settings) => settings,
        Err(SettingsError::Command(error)) => {
            return fail(ui, args.output, &here, environment, &error);
        }
        Err(SettingsError::Diagnostics(sources, diagnostics)) => {
            let messages = diagnostics
                .iter()
                .map(|diagnostic| Message::of_diagnostic(diagnostic, &sources))
                .collect();
            show(ui, args.output, &here, environment, (1, 0), messages);
            if human {
                show_diagnostics(ui, &diagnostics, &sources, 1);
            }
            return ExitStatus::Error;
        }
    };
    let remarks = settings.remarks.take();
    let config = global.config.as_deref();
    let checked = match part::check(&args.files, config, &settings, environment) {
        Ok(checked) => checked,
        Err(error) => return fail(ui, args.output, &here, environment, &error),
    };
    let webhooks = checked.webhooks;
    let messages = remarks
        .iter()
        .map(|(sources, diagnostics)| (sources, diagnostics))
        .chain([(&checked.sources, &checked.diagnostics)])
        .flat_map(|(sources, diagnostics)| {
            let all = diagnostics.iter();
            all.map(move |diagnostic| Message::of_diagnostic(diagnostic, sources))
        })
        .collect();
    let counts = (checked.files, webhooks);
    show(
        ui,
        args.output,
        &settings.root,
        environment,
        counts,
        messages,
    );
    if human {
        if let Some((sources, diagnostics)) = &remarks {
            show_diagnostics(ui, diagnostics, sources, 1);
        }
        show_diagnostics(ui, &checked.diagnostics, &checked.sources, checked.files);
        if checked.diagnostics.count(Severity::Error) == 0 {
            let noun = |count: usize, word: &str| {
                let plural = if count == 1 { "" } else { "s" };
                format!("{count} {word}{plural}")
            };
            ui.human(&format!(
                "{} in {} {} valid.\n",
                noun(webhooks, "webhook"),
                noun(checked.files, "file"),
                if webhooks == 1 { "is" } else { "are" }
            ));
        }
    }
    if checked.diagnostics.has_errors() {
        ExitStatus::Error
    } else {
        ExitStatus::Success
    }
}
