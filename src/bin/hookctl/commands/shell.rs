//! `hookctl completions` and `hookctl man`: what shells and manuals need.

use std::ffi::{OsStr, OsString};

use clap::{Args, CommandFactory as _, Parser as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::cli::Cli;
use crate::environment::Environment;
use crate::exit_status::ExitStatus;
use crate::settings::Settings;
use crate::ui::Ui;

/// The variable by which a shell asks for completions.
const VARIABLE: &str = "HOOKCTL_COMPLETE";

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Elvish.
    Elvish,
}

/// The arguments of `hookctl completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Keys and targets are completed too: the shell asks hookctl each time.

Examples:
  source <(hookctl completions bash)       # in ~/.bashrc
  source <(hookctl completions zsh)        # in ~/.zshrc
  hookctl completions fish | source        # in ~/.config/fish/config.fish"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints what a shell has to read.
pub(crate) fn completions(ui: &Ui, args: &CompletionsArgs) -> ExitStatus {
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
    };
    let mut script = Vec::new();
    let written =
        completer.write_registration(VARIABLE, "hookctl", "hookctl", "hookctl", &mut script);
    match written {
        Ok(()) => {
            ui.result(&String::from_utf8_lossy(&script));
            ExitStatus::Success
        }
        Err(error) => {
            ui.error(
                "error",
                &format!("could not write the completions: {error}"),
            );
            ExitStatus::Error
        }
    }
}

/// Answers a shell, if one asks; then the program has nothing else to do.
pub(crate) fn answers_shell(arguments: &[OsString]) -> bool {
    let here = std::env::current_dir().ok();
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .try_complete(arguments.iter().cloned(), here.as_deref())
        .unwrap_or(false)
}

/// The arguments of `hookctl man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookctl man | man -l -
  hookctl man --folder /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write the page of each command to this folder, in place of printing the one of hookctl
    #[arg(long, value_name = "FOLDER")]
    folder: Option<std::path::PathBuf>,
}

/// Prints or writes the manual.
pub(crate) fn man(ui: &Ui, args: &ManArgs) -> ExitStatus {
    let done = if let Some(folder) = &args.folder {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map(|()| ui.result(&String::from_utf8_lossy(&page)))
    };
    match done {
        Ok(()) => ExitStatus::Success,
        Err(error) => {
            ui.error("error", &format!("could not write the manual: {error}"));
            ExitStatus::Error
        }
    }
}

/// Completes the keys of the declarations.
pub(crate) fn keys() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Ok(cli) = Cli::try_parse_from(["hookctl", "validate"]) else {
            return Vec::new();
        };
        let Ok(settings) = Settings::resolve(&cli.global) else {
            return Vec::new();
        };
        let loaded = super::presenter::load(&settings, &Environment::of_process());
        let keys = loaded.declarations.map(|declarations| {
            let desired = declarations.into_desired(&std::collections::BTreeMap::new());
            desired
                .webhooks
                .into_keys()
                .map(|key| key.to_string())
                .collect()
        });
        candidates(current, keys.unwrap_or_default())
    })
}

/// Completes the targets of hookctl.yaml.
pub(crate) fn targets() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let here = std::env::current_dir().unwrap_or_default();
        let config = hookctl::config::discover(&here)
            .ok()
            .flatten()
            .and_then(|path| hookctl::config::load(&path).2);
        let names = config.map(|config| config.targets.into_keys().collect());
        candidates(current, names.unwrap_or_default())
    })
}

fn candidates(current: &OsStr, known: Vec<String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    known
        .into_iter()
        .filter(|name| name.starts_with(current.as_ref()))
        .map(CompletionCandidate::new)
        .collect()
}
