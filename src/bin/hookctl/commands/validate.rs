//! `hookctl validate`: checks the files, offline and without secrets.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hookctl::diagnostic::Severity;
use hookctl::render::{Message, ValidateDocument};

use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::exit_status::ExitStatus;
use crate::files::load;
use crate::git::Repository;
use crate::problems::show_diagnostics;
use crate::settings::{Settings, SettingsError};
use crate::ui::Ui;

/// The arguments of `hookctl validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
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
            ui.failure(&error);
            let message = Message::error(error.code, error.message.clone(), error.help());
            show(ui, args.output, &here, environment, (0, 0), vec![message]);
            return error.status;
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
    let loaded = load(&settings, environment);
    let webhooks = loaded
        .declarations
        .as_ref()
        .map_or(0, hookctl::declaration::Declarations::len);
    let messages = remarks
        .iter()
        .map(|(sources, diagnostics)| (sources, diagnostics))
        .chain([(&loaded.sources, &loaded.diagnostics)])
        .flat_map(|(sources, diagnostics)| {
            let all = diagnostics.iter();
            all.map(move |diagnostic| Message::of_diagnostic(diagnostic, sources))
        })
        .collect();
    let counts = (loaded.files, webhooks);
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
        show_diagnostics(ui, &loaded.diagnostics, &loaded.sources, loaded.files);
        if loaded.diagnostics.count(Severity::Error) == 0 {
            let noun = |count: usize, word: &str| {
                let plural = if count == 1 { "" } else { "s" };
                format!("{count} {word}{plural}")
            };
            ui.human(&format!(
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
