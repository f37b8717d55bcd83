//! Shell completion of keys and targets.

use std::ffi::{OsStr, OsString};

use clap::{Command, Parser};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::settings::Settings;

/// The environment variable by which a shell requests completions.
pub(crate) const VARIABLE: &str = "HOOKCTL_COMPLETE";

/// The global arguments, which locate the configuration.
#[derive(Debug, Parser)]
struct Globals {
    #[command(flatten)]
    global: GlobalArgs,
}

/// Attaches the completers to the arguments: the only place that maps them.
pub(crate) fn attach(command: Command) -> Command {
    let only = |command: Command| command.mut_arg("only", |argument| argument.add(keys()));
    command
        .mut_arg("target", |argument| argument.add(targets()))
        .mut_subcommand("sync", only)
        .mut_subcommand("watch", only)
        .mut_subcommand("status", only)
        .mut_subcommand("report", only)
        .mut_subcommand("events", |events| {
            events.mut_arg("webhook", |argument| argument.add(keys()))
        })
}

/// Answers a completion request of a shell. Returns whether there was one.
pub(crate) fn answers_shell(
    command: fn() -> Command,
    arguments: &[OsString],
) -> clap::error::Result<bool> {
    let here = std::env::current_dir().ok();
    clap_complete::CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .try_complete(arguments.iter().cloned(), here.as_deref())
}

/// Completes keys of the declarations.
fn keys() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Ok(globals) = Globals::try_parse_from(["hookctl"]) else {
            return Vec::new();
        };
        let Ok(settings) = Settings::resolve(&globals.global) else {
            return Vec::new();
        };
        let loaded = crate::files::load(&settings, &Environment::of_process());
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

/// Completes targets of hookctl.yaml.
fn targets() -> ArgValueCompleter {
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
