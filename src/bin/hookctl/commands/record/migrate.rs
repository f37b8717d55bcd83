//! `hookctl record migrate`: moves a shared record to another place.

use hookctl::config::{RecordPlace, SharedPlace};
use hookctl::record::shared::{Migration, SharedRecord};
use hookctl::record::sled::SledRecord;
use hookctl::record::{Record, Remembered};

use super::shared::{copy, failed, reach};
use crate::args::{GlobalArgs, RecordArg};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::problems::show_settings_error;
use crate::record_ahead::{account, record_options};
use crate::session::record_error;
use crate::settings::Settings;
use crate::trust::Asks;
use crate::ui::Ui;

/// The new place.
struct Destination {
    /// As `record:` names it.
    name: String,
    record: Record,
    /// `None` if it is local.
    shared: Option<SharedRecord>,
}

/// Copies the record, and marks the old place as moved.
pub(super) async fn migrate(
    ui: &Ui,
    global: &GlobalArgs,
    place: &SharedPlace,
    settings: &Settings,
    to: &RecordArg,
    environment: &Environment,
) -> Result<(), CommandError> {
    if matches!(to, RecordArg::Shared(url) if *url == place.url) {
        return Err(
            CommandError::new("usage", format!("the record is in {} already", place.url))
                .status(ExitStatus::Usage),
        );
    }
    let asks = Asks::a_person_unless(false);
    let source = reach(ui, place, settings, environment, asks).await?;
    let there = GlobalArgs {
        record: Some(to.clone()),
        ..global.clone()
    };
    let mut there = Settings::resolve(&there).map_err(|error| show_settings_error(ui, error))?;
    if let RecordArg::Shared(url) = to
        && std::mem::discriminant(url.store()) == std::mem::discriminant(place.url.store())
    {
        // The same kind of store: what else `record:` says holds for the new place, too.
        there.record.place = RecordPlace::Shared(Box::new(SharedPlace {
            url: url.clone(),
            ..place.clone()
        }));
    }
    let destination = destination(ui, &there, environment).await?;
    let migration = source.migrate().await.map_err(failed)?;
    let remembered = migration.remembered();
    let copied = match settled(&remembered) {
        Ok(()) => transfer(&remembered, &destination).await,
        Err(error) => Err(error),
    };
    let count = match copied {
        Ok(count) => count,
        Err(error) => {
            migration.cancel().await;
            return Err(error);
        }
    };
    let name = &destination.name;
    finish(migration, name).await?;
    let bindings = if count == 1 { "binding" } else { "bindings" };
    ui.human(&format!(
        "Moved the record of '{}' to {name}: {count} {bindings}.\n{} is closed: every use of it names the new place.\n",
        settings.target.name, place.url
    ));
    ui.message(&format!("Set `record: {name}` in hookctl.yaml.\n"));
    Ok(())
}

/// Opens the new place. Writes nothing.
async fn destination(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
) -> Result<Destination, CommandError> {
    let account = account(settings, false);
    let Some(place) = settings.record.shared() else {
        return Ok(Destination {
            name: "local".to_owned(),
            record: SledRecord::new(record_options(settings)?, account).into_record(),
            shared: None,
        });
    };
    let asks = Asks::a_person_unless(false);
    let shared = reach(ui, place, settings, environment, asks).await?;
    Ok(Destination {
        name: place.url.to_string(),
        record: Record::new(shared.clone(), account),
        shared: Some(shared),
    })
}

/// Refuses a record with pending writes: only a run on that record knows how long they may still take effect.
fn settled(remembered: &Remembered) -> Result<(), CommandError> {
    let pending = remembered.pending.intents.len();
    if pending == 0 {
        return Ok(());
    }
    let writes = if pending == 1 {
        "1 write is".to_owned()
    } else {
        format!("{pending} writes are")
    };
    Err(
        CommandError::new("record", format!("{writes} pending in this record"))
            .hint("run `hookctl sync` first: it settles them"),
    )
}

/// Copies the bindings into a new record, and reads them back. Returns their number.
async fn transfer(remembered: &Remembered, to: &Destination) -> Result<usize, CommandError> {
    match &to.shared {
        Some(shared) => shared.init().await.map_err(failed)?,
        None => is_empty(&to.record).await?,
    }
    let copied = copied(remembered, to).await;
    copied.map_err(|error| {
        error.hint(format!(
            "the copy in {} may be incomplete: delete it before the next attempt",
            to.name
        ))
    })
}

async fn copied(remembered: &Remembered, to: &Destination) -> Result<usize, CommandError> {
    let count = copy(remembered, &to.record).await?;
    if let Some(shared) = &to.shared {
        shared.verify().await.map_err(failed)?;
    }
    let read = to.record.remembered().await;
    let read = read.map_err(|error| record_error(&error))?;
    if read.last_applied == remembered.last_applied {
        Ok(count)
    } else {
        Err(CommandError::new(
            "record",
            format!("what was read back from {} is not what was copied", to.name),
        ))
    }
}

/// Refuses a local record that is in use.
async fn is_empty(local: &Record) -> Result<(), CommandError> {
    let found = local.remembered().await;
    let found = found.map_err(|error| record_error(&error))?;
    if found.last_applied.is_empty() && found.pending.is_empty() {
        return Ok(());
    }
    Err(CommandError::new("record", "the local record is not empty")
        .hint("name another folder with --cache-dir, or move that folder aside"))
}

async fn finish(migration: Migration, to: &str) -> Result<(), CommandError> {
    migration.finish(to).await.map_err(|error| {
        failed(error).hint(format!(
            "check the old place with `hookctl record status`; if it is not marked as moved, delete the copy in {to}, and \
             migrate again"
        ))
    })
}
