//! Shell completion of keys and targets.

use std::ffi::{OsStr, OsString};

use clap::{Command, Parser};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::settings::Settings;

/// The environment variable by which a shell requests completions.
pub(crate) const VARIABLE: &str = "HOOKCTL_COMPLETE";

/// The global arguments that say where the declarations are.
const LOCATING: &[&str] = &["--config", "--dir", "--target"];

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
        .mut_subcommand("pull", |pull| {
            pull.mut_arg("keys", |argument| argument.add(keys()))
        })
        .mut_subcommand("events", |events| {
            events.mut_arg("webhook", |argument| argument.add(keys()))
        })
        .mut_subcommand("verify", |verify| {
            verify.mut_arg("keys", |argument| argument.add(keys()))
        })
        .mut_subcommand("trigger", |trigger| {
            trigger.mut_arg("webhook", |argument| argument.add(keys()))
        })
        .mut_subcommand("explain", |explain| {
            explain.mut_arg("code", |argument| argument.add(codes()))
        })
        .mut_subcommand("record", |record| {
            record
                .mut_subcommand("forget", |forget| {
                    forget.mut_arg("key", |argument| argument.add(keys()))
                })
                .mut_subcommand("rename", |rename| {
                    rename
                        .mut_arg("old", |argument| argument.add(keys()))
                        .mut_arg("new", |argument| argument.add(keys()))
                })
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
        let Some(globals) = typed() else {
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
        let typed_config = typed().and_then(|globals| globals.global.config);
        let config = typed_config
            .or_else(|| hookctl::config::discover(&here).ok().flatten())
            .and_then(|path| hookctl::config::load(&path).2);
        let names = config.map(|config| config.targets.into_keys().collect());
        candidates(current, names.unwrap_or_default())
    })
}

/// Completes diagnostic codes.
fn codes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let codes = hookctl::render::explanations().map(|(code, _)| code.to_owned());
        candidates(current, codes.collect())
    })
}

/// Returns the global arguments on the line that is completed, which is not complete itself.
fn typed() -> Option<Globals> {
    let words: Vec<String> = std::env::args_os()
        .skip_while(|word| word != "--")
        .filter_map(|word| word.into_string().ok())
        .collect();
    Globals::try_parse_from(located(&words)).ok()
}

/// Returns the arguments that locate the configuration, after the name of the program.
fn located(words: &[String]) -> Vec<String> {
    let mut found = vec!["hookctl".to_owned()];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = word.split('=').next().unwrap_or_default();
        if !LOCATING.contains(&option) {
            continue;
        }
        if word.contains('=') {
            found.push(word.clone());
        } else if let Some(value) = words.next().filter(|value| !value.is_empty()) {
            found.extend([word.clone(), value.clone()]);
        }
    }
    found
}

fn candidates(current: &OsStr, known: Vec<String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    known
        .into_iter()
        .filter(|name| name.starts_with(current.as_ref()))
        .map(CompletionCandidate::new)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_arguments_locate_the_configuration() {
        let located = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            located(&words).join(" ")
        };
        assert_eq!(
            located("-- hookctl --config a.yaml sync --dir=b --only "),
            "hookctl --config a.yaml --dir=b"
        );
        assert_eq!(located("-- hookctl sync --target "), "hookctl");
    }
}
