//! `hookctl record repair`: sets a damaged record aside, never deletes it, and builds a new one from its
//! readable bindings and the API's list.

use hookctl::outside::Outside;
use hookctl::record::sled::{SledOptions, salvage, set_aside, verify};
use hookctl::record::{After, Settlement};
use hookctl::state::{AppliedRecord, ObservedState};

use super::settle::settle;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::signals::{begin_writing, cancel_on_signal, unless_cancelled};
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
    let cancellation = cancel_on_signal()?;
    let request = Request::of_api(sandbox, Asks::Person);
    let clearing = clear(ui, settings, environment, request);
    let cleared = unless_cancelled(&cancellation, clearing).await??;
    let opening = Session::open(settings, environment, &cleared);
    let session = unless_cancelled(&cancellation, opening).await??;
    let account = session.account().clone();
    let saved = salvage(options, &account).map_err(|error| record_error(&error.into()))?;
    // Before anything is moved: a repair without the API would leave less than there was.
    let observing = hookctl::remote::observe(session.api());
    let observed = unless_cancelled(&cancellation, observing)
        .await?
        .map_err(|error| CommandError::caused("api", &error))?
        .observed;
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
    let settlements: Vec<Settlement> = saved
        .into_iter()
        .filter_map(|(key, record)| {
            let record = rebound(record, &observed)?;
            Some(Settlement {
                key,
                after: After::Record(Box::new(record)),
                history: None,
                lingering: None,
            })
        })
        .collect();
    let kept = settlements.len();
    settle(&open, settlements).await?;
    open.close().await.map_err(|error| record_error(&error))?;
    if let Some(aside) = aside {
        ui.remark(&format!(
            "The damaged record is in {}.\n",
            Outside::path(&aside)
        ));
    }
    ui.human(&format!(
        "Repaired: {kept} of {total} readable bindings match a webhook at the API. The next sync finds the other \
         webhooks by name, and writes each token once.\n"
    ));
    Ok(())
}

/// Returns a salvaged binding if its webhook still exists. What was last applied is unknown, so no token
/// counts as verified.
fn rebound(record: AppliedRecord, observed: &ObservedState) -> Option<AppliedRecord> {
    let found = observed.get(&record.id)?;
    Some(AppliedRecord {
        sent: found.spec.clone(),
        stored: found.spec.clone(),
        token: record
            .token
            .filter(|_| found.has_bearer_token)
            .map(|token| token.unverifiable()),
        ..record
    })
}
