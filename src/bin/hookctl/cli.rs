//! The arguments, as written, and where they lead.

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use hookctl::outside::escape;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{ColorWhen, GlobalArgs, LogFormat};
use crate::commands;
use crate::commands::deliveries::Request;
use crate::completers;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::log::start_log;
use crate::problems::usage_document;
use crate::ui::Ui;

/// Keep the workflow webhooks of an Interactly team as the YAML files in a Git repository say.
#[derive(Debug, Parser)]
#[command(
    name = "hookctl",
    version,
    max_term_width = 100,
    propagate_version = true
)]
#[command(
    after_help = "Exit codes: 0 done or nothing to do; 1 error; 2 changes and 3 drift only \
(with --dry-run --detailed-exitcode); 4 partly failed; 5 refused by a safety rule; 64 wrong usage; \
130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin: check the API and the key, write hookctl.yaml, and import what is there
    Init(commands::init::InitArgs),
    /// Make the plan and apply it
    Sync(commands::sync::SyncArgs),
    /// Apply a plan that `sync --dry-run --out` saved, if it still holds
    Apply(commands::apply::ApplyArgs),
    /// Follow the files: plan and apply on every save, and mend drift
    Watch(commands::watch::WatchArgs),
    /// Check the files: offline, without any secret
    Validate(commands::validate::ValidateArgs),
    /// Show how each webhook is doing: against the files, and in its deliveries
    Status(commands::status::StatusArgs),
    /// Write declarations for webhooks that no file declares yet, and bind them
    Import(commands::import::ImportArgs),
    /// List events and how their deliveries went
    Events(commands::deliveries::EventsArgs),
    /// List the attempts to deliver one event
    Attempts(commands::deliveries::AttemptsArgs),
    /// Ask for one event to be delivered again
    Retry(commands::deliveries::RetryArgs),
    /// Look into the local record and mend it
    #[command(alias = "record")]
    Cache(commands::cache::CacheArgs),
    /// Run the built-in emulator of the API as a server
    Sandbox(commands::sandbox::SandboxArgs),
    /// Show what the files ask for that needs consent, and consent to it
    Trust(commands::trust::TrustArgs),
    /// Print the JSON Schema of declaration files, for editors
    Schema,
    /// Say what a code means, and how to mend it
    Explain(commands::explain::ExplainArgs),
    /// Print what a shell has to read to complete commands, keys, and targets
    Completions(commands::shell::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(commands::shell::ManArgs),
}

/// The command line, with what shells complete.
fn command() -> clap::Command {
    completers::attach(Cli::command())
}

/// Parses the arguments. A variable that is set to nothing counts as not set, whichever it is.
fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let matches = without_empty_variables(command()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty =
        |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(clap::builder::Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(without_empty_variables)
}

/// Parses the arguments and runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitStatus {
    match completers::answers_shell(command, arguments) {
        Ok(false) => {}
        Ok(true) => return ExitStatus::Success,
        Err(error) => return usage(&error, arguments),
    }
    let cli = match parse(arguments.to_vec()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, arguments),
    };
    let environment = Environment::of_process();
    let no_color = environment.setting("NO_COLOR").is_some();
    let ui = Ui::new(cli.global.color, no_color, cli.global.quiet)
        .showing_all(cli.global.all)
        .logging_json(cli.global.log_format == LogFormat::Json);
    // A watch is read by its log; other commands show results.
    let usual = match cli.command {
        Command::Watch(_) => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    start_log(&cli.global, usual, ui.color_err());
    let runtime = match runtime(&cli.command) {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.error("error", &format!("could not start: {error}"));
            return ExitStatus::Error;
        }
    };
    let status = runtime.block_on(async {
        match cli.command {
            Command::Init(args) => commands::init::run(&ui, &cli.global, &args, &environment).await,
            Command::Sync(args) => commands::sync::run(&ui, &cli.global, &args, &environment).await,
            Command::Apply(args) => {
                commands::apply::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Watch(args) => {
                commands::watch::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Validate(args) => {
                commands::validate::run(&ui, &cli.global, &args, &environment)
            }
            Command::Status(args) => {
                commands::status::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Import(args) => {
                commands::import::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Events(args) => {
                let request = Request::Events(&args);
                commands::deliveries::run(&ui, &cli.global, request, &environment).await
            }
            Command::Attempts(args) => {
                let request = Request::Attempts(&args);
                commands::deliveries::run(&ui, &cli.global, request, &environment).await
            }
            Command::Retry(args) => {
                let request = Request::Retry(&args);
                commands::deliveries::run(&ui, &cli.global, request, &environment).await
            }
            Command::Trust(args) => {
                commands::trust::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Schema => commands::schema::run(&ui),
            Command::Explain(args) => commands::explain::run(&ui, &args),
            Command::Completions(args) => commands::shell::completions(&ui, &args),
            Command::Man(args) => commands::shell::man(&ui, command(), &args),
            Command::Cache(args) => {
                commands::cache::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Sandbox(args) => {
                commands::sandbox::run(&ui, &cli.global, &args, &environment).await
            }
        }
    });
    ui.conclude(status)
}

/// What the command runs on. One thread takes fewer turns than several that wake each other; only a server
/// has to answer while something else is at work.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Watch(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

/// Shows what clap says. Standard output stays one JSON document if JSON was asked for, and standard error one
/// JSON object a line.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitStatus {
    let logs_json = value_of(arguments, "--log-format") == Some("json")
        || Environment::of_process()
            .setting("HOOKCTL_LOG_FORMAT")
            .is_some_and(|form| form == "json");
    let ui = Ui::new(ColorWhen::Auto, false, false).logging_json(logs_json);
    let text = error.render().to_string();
    if !error.use_stderr() {
        ui.result(&text);
        return ui.conclude(ExitStatus::Success);
    }
    // The first paragraph: what is missing is listed below the first line.
    let said: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let message = said.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let failure = CommandError::new("usage", message).status(ExitStatus::Usage);
    if logs_json {
        ui.failure(&failure);
    } else {
        // An argument may hold anything.
        let lines: Vec<_> = text.lines().map(escape).collect();
        ui.message(&format!("{}\n", lines.join("\n")));
    }
    let command = command_named(arguments);
    let output = value_of(arguments, "--output");
    let document = output.and_then(|form| usage_document(command.as_deref(), form, failure));
    if let Some(document) = document {
        ui.result(&document);
    }
    ui.conclude(ExitStatus::Usage)
}

/// The value of an option, as far as can be told from arguments that do not parse.
fn value_of<'a>(arguments: &'a [OsString], option: &str) -> Option<&'a str> {
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix(option) {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if value.is_some() {
            return value;
        }
    }
    None
}

/// The command that arguments name which do not parse.
fn command_named(arguments: &[OsString]) -> Option<String> {
    let command = Cli::command();
    arguments
        .iter()
        .skip(1)
        .filter_map(|word| word.to_str())
        .find(|word| command.find_subcommand(word).is_some())
        .map(str::to_owned)
}
