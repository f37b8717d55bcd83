//! The command line: its arguments, and the command that each of them runs.

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
use crate::progress;
use crate::ui::Ui;
use crate::version;

/// Sync the workflow webhooks of an Interactly team with the YAML files in a Git repository.
#[derive(Debug, Parser)]
#[command(
    name = "hookctl",
    version,
    long_version = version::long(),
    max_term_width = 100,
    propagate_version = true
)]
#[command(
    after_help = "Exit codes: 0 done or nothing to do; 1 error; 2 changes and 3 drift only \
(with --dry-run --detailed-exitcode); 4 partly failed; 5 refused by a safety rule; \
6 deliveries fail; 64 wrong usage; 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Adopt an existing account: write hookctl.yaml and import the account's webhooks
    Init(commands::init::InitArgs),
    /// Plan and apply the changes that the files declare
    Sync(commands::sync::SyncArgs),
    /// Apply a plan saved by `sync --dry-run --out`, if it is still current
    Apply(commands::apply::ApplyArgs),
    /// Print a saved plan, without contacting the API
    Show(commands::show::ShowArgs),
    /// Sync on every save, and correct drift
    Watch(commands::watch::WatchArgs),
    /// Check the files, offline and without secrets
    Validate(commands::validate::ValidateArgs),
    /// Prove by deliveries that the last change of each webhook works
    Verify(commands::verify::VerifyArgs),
    /// Show the state and recent deliveries of each webhook
    Status(commands::status::StatusArgs),
    /// Write the state, deliveries, and history of the account as one HTML page
    Report(commands::report::ReportArgs),
    /// Write declarations for unmanaged webhooks, and bind them
    Import(commands::import::ImportArgs),
    /// Write what changed at the API into the declarations, in place
    Pull(commands::pull::PullArgs),
    /// List events and their delivery status
    Events(commands::deliveries::EventsArgs),
    /// List the delivery attempts of an event
    Attempts(commands::deliveries::AttemptsArgs),
    /// Redeliver an event
    Retry(commands::deliveries::RetryArgs),
    /// Make an event in the sandbox, and deliver it to the receivers
    Trigger(commands::trigger::TriggerArgs),
    /// Show, check, and repair the local record
    #[command(alias = "cache")]
    Record(commands::record::RecordArgs),
    /// Run the built-in API emulator as a server
    Sandbox(commands::sandbox::SandboxArgs),
    /// Review what the files need consent for, and grant it
    Trust(commands::trust::TrustArgs),
    /// Check the whole set-up: files, key, API, record, and this machine
    Doctor(commands::doctor::DoctorArgs),
    /// Print the JSON Schema of declaration files or of hookctl.yaml, for editors
    Schema(commands::schema::SchemaArgs),
    /// Explain a diagnostic code, with an example and its fix
    Explain(commands::explain::ExplainArgs),
    /// Print a completion script for a shell
    Completions(commands::shell::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(commands::shell::ManArgs),
}

/// Commands that read neither a configuration nor an account, and the global arguments that they use.
const OFFLINE: &[&str] = &["schema", "explain", "completions", "man"];

/// The global arguments that mean something to every command.
const EVERYWHERE: &[&str] = &["color", "log_format", "quiet", "verbose"];

/// Returns the command line with its completers attached.
fn command() -> clap::Command {
    let root = Cli::command();
    let meaningless: Vec<clap::Arg> = root
        .get_arguments()
        .filter(|arg| arg.is_global_set() && !EVERYWHERE.contains(&arg.get_id().as_str()))
        .map(|arg| arg.clone().hide(true))
        .collect();
    let root = OFFLINE.iter().fold(root, |root, name| {
        root.mut_subcommand(name, |command| command.args(&meaningless))
    });
    completers::attach(root)
}

/// Parses the arguments. An empty environment variable counts as unset.
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
    let ui = Ui::new(cli.global.color, &environment, cli.global.quiet)
        .showing_all(cli.global.all)
        .logging_json(cli.global.log_format == LogFormat::Json);
    // A watch is followed by its log, except at a terminal, where it shows its changes like a plan.
    let usual = match cli.command {
        Command::Watch(_) if !ui.shows_progress() => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    if ui.shows_progress() && progress::is_possible(&environment) {
        progress::start();
    }
    start_log(&cli.global, usual, ui.color_err());
    let runtime = match runtime() {
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
            Command::Verify(args) => {
                commands::verify::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Status(args) => {
                commands::status::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Report(args) => {
                commands::report::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Import(args) => {
                commands::import::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Pull(args) => commands::pull::run(&ui, &cli.global, &args, &environment).await,
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
            Command::Trigger(args) => {
                commands::trigger::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Show(args) => commands::show::run(&ui, &cli.global, &args, &environment).await,
            Command::Doctor(args) => {
                commands::doctor::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Trust(args) => {
                commands::trust::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Schema(args) => commands::schema::run(&ui, &args),
            Command::Explain(args) => commands::explain::run(&ui, &args),
            Command::Completions(args) => commands::shell::completions(&ui, &args),
            Command::Man(args) => commands::shell::man(&ui, command(), &args),
            Command::Record(args) => {
                commands::record::run(&ui, &cli.global, &args, &environment).await
            }
            Command::Sandbox(args) => {
                commands::sandbox::run(&ui, &cli.global, &args, &environment).await
            }
        }
    });
    progress::end();
    ui.conclude(status)
}

/// How many threads read the files of tokens and look up host names. Each thread has memory of its own.
const BLOCKING_THREADS: usize = 4;

/// Builds the runtime. A single thread avoids wake-ups between threads, and keeps the memory of a long watch in one place.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
}

/// Reports an error or a help text from clap. With JSON output, standard output stays one JSON document, and
/// standard error one JSON object per line.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitStatus {
    let logs_json = value_of(arguments, "--log-format") == Some("json")
        || Environment::of_process()
            .setting("HOOKCTL_LOG_FORMAT")
            .is_some_and(|form| form == "json");
    let ui = Ui::new(ColorWhen::Auto, &Environment::of_process(), false).logging_json(logs_json);
    let text = error.render().to_string();
    if !error.use_stderr() {
        ui.result(&text);
        return ui.conclude(ExitStatus::Success);
    }
    // The first paragraph, since clap lists missing arguments below the first line.
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
        // Arguments may contain control characters.
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

/// Returns the value of an option in arguments that failed to parse.
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

/// Returns the name of the command in arguments that failed to parse.
fn command_named(arguments: &[OsString]) -> Option<String> {
    let command = Cli::command();
    arguments
        .iter()
        .skip(1)
        .filter_map(|word| word.to_str())
        .find(|word| command.find_subcommand(word).is_some())
        .map(str::to_owned)
}
