//! `hookctl record`: show, check, and repair the record.

mod bindings;
mod history;
mod migrate;
mod repair;
mod settle;
mod shared;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Subcommand};
use hookctl::config::SharedPlace;
use hookctl::record::sled::{self, SledOptions, SledRecord};
use hookctl::record::{Account, HistoryAction, HistoryEntry, Observation, Record, RecordError};
use hookctl::render::{RecordDocument, RecordStatusDocument};
use hookctl::state::LastApplied;
use hookctl::webhook::{Key, RemoteId};

use self::bindings::{forget, rename};
use self::history::{HistoryArgs, history};
use crate::args::{Form, GlobalArgs, RecordArg, duration};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::problems::show_settings_error;
use crate::record_ahead::{self, record_options};
use crate::session::record_error;
use crate::settings::Settings;
use crate::signals::cancel_on_signal;
use crate::trust::Asks;
use crate::ui::Ui;

/// The arguments of `hookctl record`.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    #[command(subcommand)]
    command: RecordCommand,
    /// Use the record of the built-in emulator
    #[arg(long, global = true)]
    sandbox: bool,
}

#[derive(Debug, Subcommand)]
enum RecordCommand {
    /// Show the recorded state of each webhook
    Show {
        /// Output format
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
        output: Form,
    },
    /// Show the applied changes, newest first
    History(HistoryArgs),
    /// Create the shared record that `record:` names
    Init {
        /// Copy the bindings of the local record
        #[arg(long)]
        from_local: bool,
    },
    /// Move the shared record to another place
    Migrate {
        /// The new place: an address such as s3://BUCKET/PREFIX, or local
        #[arg(long, value_name = "WHERE", value_parser = RecordArg::parse)]
        to: RecordArg,
    },
    /// Show where the record is, and which process is writing it
    Status {
        /// Output format
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
        output: Form,
    },
    /// Check every stored value
    Verify,
    /// Take the shared record away from a process that hangs
    Unlock {
        /// The epoch of the process, as shown by `record status`
        #[arg(long, value_name = "NUMBER")]
        epoch: u64,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Empty the old entries of the shared record's log: the older history
    Trim {
        /// Keep what is younger
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = duration)]
        keep: Duration,
    },
    /// Set a damaged record aside, and rebuild it from the API
    Repair,
    /// Drop the binding of a key; the webhook stays at the API
    Forget {
        /// The key
        key: String,
    },
    /// Bind the webhook of a key to another key
    Rename {
        /// The current key
        old: String,
        /// The new key
        new: String,
    },
}

impl RecordCommand {
    /// Returns the output format, which also applies to errors.
    const fn form(&self) -> Form {
        match self {
            Self::Show { output } | Self::Status { output } => *output,
            Self::History(args) => args.output,
            Self::Init { .. }
            | Self::Migrate { .. }
            | Self::Verify
            | Self::Unlock { .. }
            | Self::Trim { .. }
            | Self::Repair
            | Self::Forget { .. }
            | Self::Rename { .. } => Form::Human,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &RecordArgs,
    environment: &Environment,
) -> ExitStatus {
    match dispatch(ui, global, args, environment).await {
        Ok(status) => status,
        Err(error) => ui.fail(&error, args.command.form() == Form::Json),
    }
}

async fn dispatch(
    ui: &Ui,
    global: &GlobalArgs,
    args: &RecordArgs,
    environment: &Environment,
) -> Result<ExitStatus, CommandError> {
    cancel_on_signal()?;
    let settings = Settings::resolve(global).map_err(|error| show_settings_error(ui, error))?;
    match settings.record.shared().filter(|_| !args.sandbox) {
        Some(place) => match &args.command {
            RecordCommand::Migrate { to } => {
                migrate::migrate(ui, global, place, &settings, to, environment).await?;
            }
            _ => on_shared(ui, args, place, &settings, environment).await?,
        },
        None => on_local(ui, args, &settings, environment).await?,
    }
    Ok(ExitStatus::Success)
}

async fn on_local(
    ui: &Ui,
    args: &RecordArgs,
    settings: &Settings,
    environment: &Environment,
) -> Result<(), CommandError> {
    let options = record_options(settings)?;
    match &args.command {
        RecordCommand::Init { .. } => Err(CommandError::new(
            "usage",
            "the record is local, and is created by the first sync",
        )
        .hint("name a shared one in hookctl.yaml, such as `record: s3://BUCKET/hookctl`")
        .status(ExitStatus::Usage)),
        RecordCommand::Migrate { .. } => Err(CommandError::new("usage", "the record is local")
            .hint("name the new place in hookctl.yaml, and run `hookctl record init --from-local`")
            .status(ExitStatus::Usage)),
        RecordCommand::Unlock { .. } => Err(CommandError::new(
            "usage",
            "the record is local: a process that ends releases it",
        )
        .status(ExitStatus::Usage)),
        RecordCommand::Trim { .. } => Err(CommandError::new("usage", "the record is local")
            .hint("`history` in hookctl.yaml says how long it keeps changes")
            .status(ExitStatus::Usage)),
        RecordCommand::Status { output } => {
            let folder = options.directory.to_string_lossy().into_owned();
            let document = RecordStatusDocument::new(&settings.target.name, folder, None);
            ui.result(&match output {
                Form::Human => document.to_human(),
                Form::Json => document.to_text(),
            });
            Ok(())
        }
        RecordCommand::Verify => {
            let verified = sled::verify(&options).map_err(|error| record_error(&error.into()))?;
            ui.result(&match verified {
                None => "No record exists yet.\n".to_owned(),
                Some(found) => format!(
                    "The record is intact: {} bound, {} pending, {} in the history, {} in the last list.\n",
                    found.records, found.pending, found.history, found.observed
                ),
            });
            Ok(())
        }
        RecordCommand::Repair => {
            repair::repair(ui, settings, environment, args.sandbox, &options).await
        }
        command => {
            let record = record(settings, args.sandbox, options)?;
            on_either(ui, command, settings, &record).await
        }
    }
}

async fn on_shared(
    ui: &Ui,
    args: &RecordArgs,
    place: &SharedPlace,
    settings: &Settings,
    environment: &Environment,
) -> Result<(), CommandError> {
    let command = &args.command;
    let asks = Asks::a_person_unless(command.form() == Form::Json);
    let reached = shared::reach(ui, place, settings, environment, asks).await?;
    match command {
        RecordCommand::Init { from_local } => {
            shared::init(ui, &reached, place, settings, *from_local).await
        }
        RecordCommand::Status { output } => {
            shared::status(ui, &reached, place, settings, *output).await
        }
        RecordCommand::Verify => shared::verify(ui, &reached).await,
        RecordCommand::Repair => repair::shared(ui, settings, environment, &reached).await,
        RecordCommand::Trim { keep } => shared::trim(ui, &reached, *keep).await,
        RecordCommand::Unlock { epoch, yes } => shared::unlock(ui, &reached, *epoch, *yes).await,
        command => {
            let record = Record::new(reached, record_ahead::account(settings, false));
            on_either(ui, command, settings, &record).await
        }
    }
}

/// Runs a command that works on a record of either kind.
async fn on_either(
    ui: &Ui,
    command: &RecordCommand,
    settings: &Settings,
    record: &Record,
) -> Result<(), CommandError> {
    match command {
        RecordCommand::Show { output } => show(ui, settings, record, *output).await,
        RecordCommand::History(args) => history(ui, args, &settings.target.name, record).await,
        RecordCommand::Forget { key } => forget(ui, record, &parsed(key)?).await,
        RecordCommand::Rename { old, new } => rename(ui, record, &parsed(old)?, parsed(new)?).await,
        _ => Ok(()),
    }
}

async fn show(
    ui: &Ui,
    settings: &Settings,
    record: &Record,
    output: Form,
) -> Result<(), CommandError> {
    let remembered = record.remembered().await.map_err(failed)?;
    let observed = record.observed().await.map_err(failed)?;
    let entries = record.history(usize::MAX).await.map_err(failed)?;
    let last_applied = &remembered.last_applied;
    let seen = observed.as_ref().map(|observation| {
        let count = known(observation, last_applied, &entries);
        (observation.at, count)
    });
    match output {
        Form::Human => {
            let pending = &remembered.pending;
            let text = hookctl::render::record(last_applied, pending, seen, &ui.screen());
            ui.human(&text);
        }
        Form::Json => {
            let at = seen.map(|(at, _)| at);
            let target = &settings.target.name;
            let document = RecordDocument::new(target, last_applied, &remembered.pending, at);
            ui.result(&document.to_text());
        }
    }
    Ok(())
}

/// Counts the webhooks of the account: those in the last list, with the writes since then applied.
fn known(observation: &Observation, last_applied: &LastApplied, entries: &[HistoryEntry]) -> usize {
    let mut ids: BTreeSet<&RemoteId> = observation.observed.webhooks.keys().collect();
    ids.extend(last_applied.values().map(|record| &record.id));
    for entry in entries
        .iter()
        .filter(|entry| entry.action == HistoryAction::Delete)
    {
        if entry.at >= observation.at {
            ids.remove(&entry.id);
        }
    }
    ids.len()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: RecordError) -> CommandError {
    record_error(&error)
}

/// Returns the record of the target's account: the one of its API URL, or else the only one in the folder.
fn record(
    settings: &Settings,
    sandbox: bool,
    options: SledOptions,
) -> Result<Record, CommandError> {
    let account = account(settings, sandbox, &options)?;
    Ok(SledRecord::new(options, account).into_record())
}

fn account(
    settings: &Settings,
    sandbox: bool,
    options: &SledOptions,
) -> Result<Account, CommandError> {
    let target = &settings.target;
    if sandbox {
        return Ok(Account::sandbox(&target.name));
    }
    if let Some(url) = &target.api_url {
        return Ok(Account::new(&target.name, &url.to_string()));
    }
    let any = Account::new(&target.name, "");
    let accounts = sled::accounts(options).map_err(|error| record_error(&error.into()))?;
    let mut own: Vec<Account> = accounts
        .into_iter()
        .filter(|account| account.target() == target.name)
        .collect();
    match (own.pop(), own.is_empty()) {
        (None, _) => Ok(any),
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            let apis: Vec<&str> = own.iter().chain([&last]).map(Account::api).collect();
            Err(CommandError::new(
                "usage",
                format!(
                    "the record has several accounts of '{}': {}",
                    target.name,
                    apis.join(", ")
                ),
            )
            .status(ExitStatus::Usage)
            .hint("select one with --api-url, or use --sandbox"))
        }
    }
}

fn parsed(key: &str) -> Result<Key, CommandError> {
    Key::parse(key).map_err(|error| {
        CommandError::new("usage", format!("'{key}': {error}")).status(ExitStatus::Usage)
    })
}
