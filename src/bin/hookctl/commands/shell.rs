//! `hookctl completions` and `hookctl man`.

use clap::{Args, Command};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::completers::VARIABLE;
use crate::exit_status::ExitStatus;
use crate::ui::Ui;

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// PowerShell
    Powershell,
    /// Elvish
    Elvish,
}

/// The arguments of `hookctl completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "The script calls hookctl, which also completes keys and targets.

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

/// Prints the completion script.
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

/// The arguments of `hookctl man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookctl man | man -l -
  hookctl man --folder /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write the page of each command to this folder, instead of printing the page of hookctl
    #[arg(long, value_name = "FOLDER")]
    folder: Option<std::path::PathBuf>,
}

/// Prints or writes the manual of a command line.
pub(crate) fn man(ui: &Ui, command: Command, args: &ManArgs) -> ExitStatus {
    let done = if let Some(folder) = &args.folder {
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder))
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
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
