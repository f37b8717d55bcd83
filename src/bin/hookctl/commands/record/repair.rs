//! `hookctl record repair`: builds a record anew from what can be read of a damaged one, and the API's list. A damaged local
//! record is set aside, never deleted; of a shared one, only the head is replaced.

use hookctl::outside::Outside;
use hookctl::record::shared::{BlobErrorKind, SharedError, SharedRecord};
use hookctl::record::sled::{SledOptions, salvage, set_aside, verify};
use hookctl::record::{After, Settlement};
use hookctl::state::{AppliedRecord, LastApplied, ObservedState};

use super::settle::settle;
use super::shared::failed;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::signals::{begin_writing, cancellation, unless_cancelled};
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

/// Repairs the record of a target.
pub(super) async fn repair(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    sandbox: bool,
    options: &SledOptions,
) -> Result<(), CommandError> {
    let what = match verify(options) {
        Ok(_) => {
            ui.human("The record is intact; nothing to repair.\n");
            return Ok(());
        }
        Err(error) if error.is_damage() => error,
        Err(error) => return Err(record_error(&error.into())),
    };
    ui.remark(&format!("{what}\n"));
    let request = Request::of_api(sandbox, Asks::Person);
    let clearing = clear(ui, settings, environment, request);
    let cleared = unless_cancelled(&cancellation(), clearing).await??;
    let opening = Session::open(settings, environment, &cleared);
    let session = unless_cancelled(&cancellation(), opening).await??;
    let account = session.account().clone();
    let saved = salvage(options, &account).map_err(|error| record_error(&error.into()))?;
    // Before anything is moved: a repair without the API would leave less than there was.
    let observed = list(&session).await?;
    let stamp = jiff::Timestamp::now()
        .strftime("damaged-%Y%m%dT%H%M%S")
        .to_string();
    begin_writing();
    let aside = set_aside(options, &stamp).map_err(|error| record_error(&error.into()))?;
    let open = session
        .record()
        .open()
        .await
        .map_err(|error| record_error(&error))?;
    let total = saved.len();
    let bindings = rebound(saved, &observed);
    let kept = bindings.len();
    let settlements = bindings.into_iter().map(|(key, record)| Settlement {
        key,
        after: After::Record(Box::new(record)),
        history: None,
        lingering: None,
    });
    let settlements = settlements.collect();
    settle(&open, settlements).await?;
    open.close().await.map_err(|error| record_error(&error))?;
    if let Some(aside) = aside {
        ui.remark(&format!(
            "The damaged record is in {}.\n",
            Outside::path(&aside)
        ));
    }
    repaired(ui, kept, total);
    Ok(())
}

/// Repairs the shared record of a target.
pub(super) async fn shared(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    shared: &SharedRecord,
) -> Result<(), CommandError> {
    match shared.verify().await {
        Ok(()) => {
            ui.human("The record is intact; nothing to repair.\n");
            return Ok(());
        }
        Err(damage @ SharedError::Damaged { .. }) => ui.remark(&format!("{damage}\n")),
        Err(SharedError::Store(error)) if error.kind() == BlobErrorKind::TooLarge => {
            ui.remark(&format!("{error}\n"));
        }
        Err(error) => return Err(failed(error)),
    }
    let request = Request::of_api(false, Asks::Person);
    let cleared = clear(ui, settings, environment, request).await?;
    let session = Session::without_record(settings, environment, &cleared).await?;
    // Before the lease is taken: without the list, there is nothing to compare the bindings with.
    list(&session).await?;
    let repair = shared.repair().await.map_err(failed)?;
    begin_writing();
    // Once more: another run may have written until the lease was taken.
    let observed = list(&session).await?;
    let mut remembered = repair.remembered().clone();
    let total = remembered.last_applied.len();
    remembered.last_applied = rebound(remembered.last_applied, &observed);
    let kept = remembered.last_applied.len();
    repair.finish(remembered).await.map_err(failed)?;
    repaired(ui, kept, total);
    Ok(())
}

async fn list(session: &Session) -> Result<ObservedState, CommandError> {
    let observing = hookctl::remote::observe(session.api());
    let observed = unless_cancelled(&cancellation(), observing).await?;
    Ok(observed
        .map_err(|error| CommandError::caused("api", &error))?
        .observed)
}

fn repaired(ui: &Ui, kept: usize, total: usize) {
    ui.human(&format!(
        "Repaired: {kept} of {total} readable bindings match a webhook at the API. The next sync finds the other \
         webhooks by name, and writes each token once.\n"
    ));
}

/// Returns the salvaged bindings whose webhook still exists. What was last applied is unknown, so no token counts as verified.
fn rebound(saved: LastApplied, observed: &ObservedState) -> LastApplied {
    let rebound = saved.into_iter().filter_map(|(key, record)| {
        let found = observed.get(&record.id)?;
        let record = AppliedRecord {
            sent: found.spec.clone(),
            stored: found.spec.clone(),
            token: record
                .token
                .filter(|_| found.has_bearer_token)
                .map(|token| token.unverifiable()),
            ..record
        };
        Some((key, record))
    });
    rebound.collect()
}
