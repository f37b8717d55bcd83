//! The commands of a shared record: `init`, `status`, `verify`, `unlock`.

use std::time::Duration;

use hookctl::config::SharedPlace;
use hookctl::outside::Outside;
use hookctl::record::shared::{Holder, SharedError, SharedRecord};
use hookctl::record::sled::SledRecord;
use hookctl::record::{After, Record, RecordError, Remembered, Settlement};
use hookctl::render::{HolderEntry, RecordStatusDocument, SharedHead};

use super::settle::settle;
use crate::args::Form;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::record_ahead::{account, record_options};
use crate::session::record_error;
use crate::settings::Settings;
use crate::shared_record::connect;
use crate::signals::{begin_writing, cancellation, unless_cancelled};
use crate::trust::{Asks, Request, clear, no_api_url};
use crate::ui::Ui;

/// How many bindings are copied in one entry of the log.
const COPIED_AT_ONCE: usize = 500;

/// Returns the shared record of the target, with consent. Sends nothing.
pub(super) async fn reach(
    ui: &Ui,
    place: &SharedPlace,
    settings: &Settings,
    environment: &Environment,
    asks: Asks,
) -> Result<SharedRecord, CommandError> {
    // The address of the API is a part of the record's name.
    if settings.target.api_url.is_none() {
        return Err(no_api_url());
    }
    let request = Request {
        api: false,
        ..Request::of_api(false, asks)
    };
    let cleared = clear(ui, settings, environment, request).await?;
    let account = account(settings, false);
    let connecting = connect(place, account, settings, environment, cleared.permits());
    Ok(connecting.await?.0)
}

/// Creates the record, with the bindings of the local one if asked for.
pub(super) async fn init(
    ui: &Ui,
    shared: &SharedRecord,
    place: &SharedPlace,
    settings: &Settings,
    from_local: bool,
) -> Result<(), CommandError> {
    let target = &settings.target;
    // Opened first, as the writer: a record that is in use or damaged must not leave an empty shared one.
    let local = if from_local {
        let local = SledRecord::new(record_options(settings)?, account(settings, false));
        let opened = local.into_record().open().await;
        Some(opened.map_err(|error| record_error(&error))?)
    } else {
        None
    };
    shared.init().await.map_err(|error| {
        let exists = matches!(error, SharedError::Exists);
        let error = failed(error);
        if exists {
            CommandError {
                message: format!("{} in {}", error.message, place.url),
                ..error
            }
        } else {
            error
        }
    })?;
    ui.result(&format!(
        "Created the record of '{}' in {}.\n",
        target.name, place.url
    ));
    if let Some(local) = local {
        let record = Record::new(shared.clone(), account(settings, false));
        let remembered = local.remembered().await;
        let remembered = remembered.map_err(|error| record_error(&error))?;
        let count = copy(&remembered, &record).await?;
        local.close().await.map_err(|error| record_error(&error))?;
        let bindings = if count == 1 { "binding" } else { "bindings" };
        ui.result(&format!(
            "Copied {count} {bindings} of the local record, which is no longer used.\n"
        ));
    }
    if target.fingerprint_key.is_none() {
        ui.remark(
            "note: tokens are compared by means of the API key; set a `fingerprint_key` if runs use different API keys, \
             or each key writes each token once more\n",
        );
    }
    Ok(())
}

/// Copies bindings, and writes without a known outcome.
pub(super) async fn copy(remembered: &Remembered, to: &Record) -> Result<usize, CommandError> {
    let opened = |error: RecordError| record_error(&error);
    let open = to.open().await.map_err(opened)?;
    begin_writing();
    let settlements: Vec<Settlement> = remembered
        .last_applied
        .iter()
        .map(|(key, record)| Settlement {
            key: key.clone(),
            after: After::Record(Box::new(record.clone())),
            lingering: remembered.pending.of(key).cloned().map(Box::new),
            history: None,
        })
        .chain(unbound(remembered))
        .collect();
    for some in settlements.chunks(COPIED_AT_ONCE) {
        settle(&open, some.to_vec()).await?;
    }
    open.close().await.map_err(opened)?;
    Ok(remembered.last_applied.len())
}

/// Returns the pending writes of keys without a binding.
fn unbound(remembered: &Remembered) -> impl Iterator<Item = Settlement> {
    let pending = remembered.pending.intents.iter();
    pending
        .filter(|(key, _)| !remembered.last_applied.contains_key(key))
        .map(|(key, intent)| Settlement {
            key: key.clone(),
            after: After::Unchanged,
            lingering: Some(Box::new(intent.clone())),
            history: None,
        })
}

/// Shows where the record is and which process writes it.
pub(super) async fn status(
    ui: &Ui,
    shared: &SharedRecord,
    place: &SharedPlace,
    settings: &Settings,
    output: Form,
) -> Result<(), CommandError> {
    let status = shared.status().await.map_err(failed)?;
    let leader = shared.leader().await.map_err(failed)?;
    let head = SharedHead {
        record: &status.record,
        epoch: status.epoch,
        sequence: status.sequence,
        checkpoint: status.checkpoint,
        holder: status.holder.as_ref().map(entry),
        leader: leader.as_ref().map(entry),
    };
    let target = &settings.target.name;
    let document = RecordStatusDocument::new(target, place.url.to_string(), Some(head));
    ui.result(&match output {
        Form::Human => document.to_human(),
        Form::Json => document.to_text(),
    });
    Ok(())
}

fn entry(holder: &Holder) -> HolderEntry<'_> {
    HolderEntry {
        run: &holder.run,
        since: holder.since,
    }
}

/// Checks every object.
pub(super) async fn verify(ui: &Ui, shared: &SharedRecord) -> Result<(), CommandError> {
    shared.verify().await.map_err(failed)?;
    let status = shared.status().await.map_err(failed)?;
    ui.result(&format!(
        "The record is intact: {} entries.\n",
        status.sequence
    ));
    Ok(())
}

/// Empties old entries of the log.
pub(super) async fn trim(
    ui: &Ui,
    shared: &SharedRecord,
    keep: Duration,
) -> Result<(), CommandError> {
    let count = shared.trim(keep).await.map_err(failed)?;
    let entries = if count == 1 { "entry" } else { "entries" };
    ui.result(&match count {
        0 => "Nothing to trim: no entry of the log is old enough and covered by a checkpoint.\n"
            .to_owned(),
        _ => format!("Trimmed {count} {entries} of the log.\n"),
    });
    Ok(())
}

/// Takes the record away from the process of an epoch.
pub(super) async fn unlock(
    ui: &Ui,
    shared: &SharedRecord,
    epoch: u64,
    yes: bool,
) -> Result<(), CommandError> {
    let status = shared.status().await.map_err(failed)?;
    let Some(holder) = status.holder else {
        ui.result("No process is writing the record; nothing to unlock.\n");
        return Ok(());
    };
    if status.epoch != epoch {
        return Err(failed(SharedError::OtherEpoch {
            found: status.epoch,
        }));
    }
    let run = Outside::text(&holder.run);
    ui.message(&format!(
        "The record is being written by {run} since {} (epoch {epoch}).\n",
        holder.since
    ));
    if !yes {
        if !ui.can_ask() {
            return Err(CommandError::new(
                "unlock-unconfirmed",
                "taking the record away from a running process needs confirmation",
            )
            .hint("add --yes")
            .status(ExitStatus::Refused));
        }
        if !ui.ask("Take the record away from it?").await {
            return Err(CommandError::new(
                "unlock-unconfirmed",
                "declined; the record was not unlocked",
            )
            .status(ExitStatus::Refused));
        }
    }
    ui.message("Waiting until that process can send no more requests.\n");
    let unlocked = unless_cancelled(&cancellation(), shared.unlock(epoch)).await;
    let unlocked = unlocked.map_err(|interrupted| CommandError {
        // The take may have happened, or not yet.
        message: "interrupted; if the record was taken, that process can write no more, and the record is free when the \
                  lease of this one ends; `hookctl record status` shows it"
            .to_owned(),
        ..interrupted
    })?;
    ui.result(match unlocked.map_err(failed)? {
        Some(_) => "Unlocked. The next run settles what that process left pending.\n",
        None => "The process has ended by itself; nothing to unlock.\n",
    });
    Ok(())
}

pub(super) fn failed(error: SharedError) -> CommandError {
    record_error(&error.into())
}
