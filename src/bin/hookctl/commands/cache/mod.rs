//! `hookctl record`: show, check, and repair the local record.

mod repair;
mod settle;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use hookctl::cache::{Account, Cache, CacheOptions, CacheReader, Snapshot};
use hookctl::record::{After, HistoryEntry, Settlement};
use hookctl::render::{HistoryDocument, RecordDocument, Styles};
use hookctl::state::LastApplied;
use hookctl::webhook::{Key, RemoteId};

use self::settle::settle;
use crate::args::{Form, GlobalArgs};
use crate::environment::Environment;
use crate::error::{CommandError, error_json};
use crate::exit_status::ExitStatus;
use crate::problems::show_settings_error;
use crate::session::{record_error, record_options};
use crate::settings::Settings;
use crate::signals::cancel_on_signal;
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
    History {
        /// Show only changes of this key
        key: Option<String>,
        /// Show at most this many changes
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// Output format
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
        output: Form,
    },
    /// Check every stored value
    Verify,
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
            Self::Show { output } | Self::History { output, .. } => *output,
            Self::Verify | Self::Repair | Self::Forget { .. } | Self::Rename { .. } => Form::Human,
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
        Err(error) => {
            if args.command.form() == Form::Json {
                ui.result(&error_json(&error));
            }
            ui.failure(&error);
            error.status
        }
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
    let options = record_options(&settings)?;
    match &args.command {
        RecordCommand::Verify => {
            let verified =
                hookctl::cache::verify(&options).map_err(|error| record_error(&error))?;
            ui.result(&match verified {
                None => "No record exists yet.\n".to_owned(),
                Some(found) => format!(
                    "The record is intact: {} bound, {} pending, {} in the history, {} in the last list.\n",
                    found.records, found.pending, found.history, found.observed
                ),
            });
        }
        RecordCommand::Repair => {
            repair::repair(ui, &settings, environment, args.sandbox, &options).await?;
        }
        RecordCommand::Show { output } => {
            let account = account(&settings, args.sandbox, &options)?;
            show(ui, &settings, &options, account, *output)?;
        }
        RecordCommand::History { key, limit, output } => {
            let account = account(&settings, args.sandbox, &options)?;
            let key = key.as_deref().map(parsed).transpose()?;
            let reader =
                CacheReader::open(&options, account).map_err(|error| record_error(&error))?;
            let entries = match &reader {
                None => Vec::new(),
                Some(reader) => history(reader, key.as_ref(), *limit)?,
            };
            ui.result(&match output {
                Form::Human => hookctl::render::history(&entries, &Styles::new(ui.color_out())),
                Form::Json => HistoryDocument::new(&settings.target.name, &entries).to_text(),
            });
        }
        RecordCommand::Forget { key } => {
            let account = account(&settings, args.sandbox, &options)?;
            forget(ui, &options, account, &parsed(key)?).await?;
        }
        RecordCommand::Rename { old, new } => {
            let account = account(&settings, args.sandbox, &options)?;
            rename(ui, &options, account, &parsed(old)?, parsed(new)?).await?;
        }
    }
    Ok(ExitStatus::Success)
}

fn show(
    ui: &Ui,
    settings: &Settings,
    options: &CacheOptions,
    account: Account,
    output: Form,
) -> Result<(), CommandError> {
    let failed = |error| record_error(&error);
    let reader = CacheReader::open(options, account).map_err(failed)?;
    let (last_applied, pending, observed, entries) = match &reader {
        None => Default::default(),
        Some(reader) => (
            reader.last_applied().map_err(failed)?,
            reader.pending().map_err(failed)?,
            reader.observed().map_err(failed)?,
            reader.history(usize::MAX).map_err(failed)?,
        ),
    };
    let seen = observed.as_ref().map(|snapshot| {
        (
            snapshot.at.as_str(),
            known(snapshot, &last_applied, &entries),
        )
    });
    ui.result(&match output {
        Form::Human => {
            let styles = Styles::new(ui.color_out());
            hookctl::render::record(&last_applied, &pending, seen, &styles)
        }
        Form::Json => {
            let at = seen.map(|(at, _)| at);
            RecordDocument::new(&settings.target.name, &last_applied, &pending, at).to_text()
        }
    });
    Ok(())
}

/// Counts the webhooks of the account: those in the last list, with the writes since then applied.
fn known(snapshot: &Snapshot, last_applied: &LastApplied, entries: &[HistoryEntry]) -> usize {
    let mut ids: BTreeSet<&RemoteId> = snapshot.webhooks.iter().map(|found| &found.id).collect();
    ids.extend(last_applied.values().map(|record| &record.id));
    for entry in entries.iter().filter(|entry| entry.action == "delete") {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        if time(&entry.at) >= time(&snapshot.at) {
            ids.remove(&entry.id);
        }
    }
    ids.len()
}

/// Returns the latest changes, of one key or of all.
fn history(
    reader: &CacheReader,
    key: Option<&Key>,
    limit: usize,
) -> Result<Vec<HistoryEntry>, CommandError> {
    let read = if key.is_some() { usize::MAX } else { limit };
    let mut entries = reader.history(read).map_err(|error| record_error(&error))?;
    entries.retain(|entry| key.is_none_or(|key| entry.key == *key));
    entries.truncate(limit);
    Ok(entries)
}

async fn forget(
    ui: &Ui,
    options: &CacheOptions,
    account: Account,
    key: &Key,
) -> Result<(), CommandError> {
    let cache = Cache::open(options, account).map_err(|error| record_error(&error))?;
    let records = cache.last_applied().map_err(|error| record_error(&error))?;
    let record = records.get(key).ok_or_else(|| not_bound(key))?;
    let pending = cache.pending().map_err(|error| record_error(&error))?;
    let forgotten = Settlement {
        key: key.clone(),
        after: After::Dropped,
        // A request in flight may still take effect.
        lingering: pending.of(key).cloned().map(Box::new),
        history: Some(entry(key, record.id.clone(), "forget")),
    };
    settle(&cache, vec![forgotten]).await?;
    ui.result(&format!(
        "Dropped the binding of '{key}'. Its webhook {} stays at the API; `hookctl sync` finds it by its name while a \
         file declares it.\n",
        record.id.as_str()
    ));
    cache.close().map_err(|error| record_error(&error))
}

async fn rename(
    ui: &Ui,
    options: &CacheOptions,
    account: Account,
    old: &Key,
    new: Key,
) -> Result<(), CommandError> {
    let cache = Cache::open(options, account).map_err(|error| record_error(&error))?;
    let records = cache.last_applied().map_err(|error| record_error(&error))?;
    let record = records.get(old).ok_or_else(|| not_bound(old))?;
    let pending = cache.pending().map_err(|error| record_error(&error))?;
    if let Some(other) = records.get(&new) {
        return Err(CommandError::new(
            "bound",
            format!("'{new}' is already bound to {}", other.id.as_str()),
        )
        .hint(format!("`hookctl record forget {new}` drops that binding")));
    }
    let dropped = Settlement {
        key: old.clone(),
        after: After::Dropped,
        lingering: None,
        history: None,
    };
    let bound = Settlement {
        key: new.clone(),
        after: After::Record(Box::new(record.clone())),
        lingering: pending
            .of(old)
            .map(|intent| Box::new(intent.clone().renamed(&new))),
        history: Some(entry(&new, record.id.clone(), "rename")),
    };
    settle(&cache, vec![dropped, bound]).await?;
    ui.result(&format!(
        "Bound {} to '{new}' instead of '{old}'.\n",
        record.id.as_str()
    ));
    cache.close().map_err(|error| record_error(&error))
}

fn entry(key: &Key, id: RemoteId, action: &'static str) -> HistoryEntry {
    HistoryEntry {
        at: jiff::Timestamp::now().to_string(),
        key: key.clone(),
        id,
        action: action.into(),
        changes: Vec::new(),
        provenance: None,
    }
}

/// Returns the account of the target: the one of its API URL, or else the only one in the record.
fn account(
    settings: &Settings,
    sandbox: bool,
    options: &CacheOptions,
) -> Result<Account, CommandError> {
    let target = &settings.target;
    if sandbox {
        return Ok(Account::new(&target.name, "sandbox"));
    }
    if let Some(url) = &target.api_url {
        return Ok(Account::new(&target.name, &url.to_string()));
    }
    let any = Account::new(&target.name, "");
    let reader = CacheReader::open(options, any.clone()).map_err(|error| record_error(&error))?;
    let accounts = match reader {
        None => Vec::new(),
        Some(reader) => reader.accounts().map_err(|error| record_error(&error))?,
    };
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

fn not_bound(key: &Key) -> CommandError {
    CommandError::new("not-bound", format!("'{key}' is not bound to a webhook"))
        .hint("`hookctl record show` lists the bound keys")
}
