//! The check of the record: a local one opens, a shared one can be reached.

use std::path::Path;
use std::time::Duration;

use hookctl::config::SharedPlace;
use hookctl::outside::Outside;
use hookctl::record::RecordErrorKind;
use hookctl::record::sled::{self, SledOptions};
use hookctl::render::{Check, Health};

use super::verdict::problem;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::record_ahead::{account, record_options};
use crate::session::record_error;
use crate::settings::Settings;
use crate::shared_record::connect;
use crate::trust::{Asks, Request, clear, no_api_url};
use crate::ui::Ui;

const RECORD: &str = "record";

/// How long to wait for a process that writes the local record, before it is named.
const PATIENCE: Duration = Duration::from_millis(500);

/// Checks that the record can be used, without writing to it.
pub(super) async fn check(ui: &Ui, settings: &Settings, environment: &Environment) -> Check {
    let checked = match settings.record.shared() {
        Some(place) => shared(ui, place, settings, environment).await,
        None => record_options(settings).and_then(|options| local(&options)),
    };
    checked.unwrap_or_else(|error| problem(RECORD, &error))
}

fn local(options: &SledOptions) -> Result<Check, CommandError> {
    let folder = Outside::path(&options.directory);
    writable(&options.directory)?;
    let options = SledOptions {
        lock_timeout: PATIENCE,
        ..options.clone()
    };
    let verified = match sled::verify(&options) {
        Err(error) if error.kind() == RecordErrorKind::Held => {
            return Ok(Check::new(RECORD, Health::Warning, error.to_string())
                .hint("wait until that process ends; other commands wait for --lock-timeout"));
        }
        verified => verified.map_err(|error| record_error(&error.into()))?,
    };
    let Some(found) = verified else {
        let message = format!("local, in {folder}: the first sync creates it");
        return Ok(Check::ok(RECORD, message));
    };
    let kibibytes = size(&options.directory).div_ceil(1024);
    let message = format!(
        "local, in {folder}: intact, {kibibytes} KiB, {} bound, {} pending",
        found.records, found.pending
    );
    Ok(Check::ok(RECORD, message))
}

/// Checks that the folder, or the one that it would be created in, can be written to.
#[cfg(unix)]
fn writable(folder: &Path) -> Result<(), CommandError> {
    let there = folder.ancestors().find(|folder| folder.exists());
    let Some(there) = there else { return Ok(()) };
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK).map_err(|error| {
        let shown = Outside::path(there);
        CommandError::new("record", format!("{shown} cannot be written to: {error}"))
            .hint("change its owner or permissions, or name another folder with --cache-dir")
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn writable(_: &Path) -> Result<(), CommandError> {
    Ok(())
}

/// Returns the size of the files below a folder, in bytes. What cannot be read does not count.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

async fn shared(
    ui: &Ui,
    place: &SharedPlace,
    settings: &Settings,
    environment: &Environment,
) -> Result<Check, CommandError> {
    // The address of the API is a part of the record's name.
    if settings.target.api_url.is_none() {
        return Err(no_api_url());
    }
    let request = Request {
        api: false,
        ..Request::of_api(false, Asks::Never)
    };
    let cleared = clear(ui, settings, environment, request).await?;
    let account = account(settings, false);
    let connecting = connect(place, account, settings, environment, cleared.permits());
    let (shared, _) = connecting.await?;
    let status = shared.status().await;
    let status = status.map_err(|error| record_error(&error.into()))?;
    let holder = match &status.holder {
        None => "no process is writing it".to_owned(),
        Some(holder) => format!(
            "{} is writing it since {} (epoch {})",
            Outside::text(&holder.run),
            holder.since,
            status.epoch
        ),
    };
    let message = format!("shared, in {}: reachable; {holder}", place.url);
    Ok(Check::ok(RECORD, message))
}
