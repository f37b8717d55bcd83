//! The record of a run: on this machine, or on an object store that may be reached only after consent.

use std::time::Duration;

use hookctl::config::SharedPlace;
use hookctl::record::shared::SharedRecord;
use hookctl::record::sled::{OnWait, SledOptions, SledRecord};
use hookctl::record::{Access, Account, Record};
use hookctl::secret::Permits;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::environment::Environment;
use crate::error::CommandError;
use crate::files::beside;
use crate::settings::Settings;
use crate::shared_record::{Renewal, connect};
use crate::signals::cancellation;
use crate::{mask, progress};

/// How long to wait for another process that writes the local record.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A record that may be used.
pub(crate) struct Reached {
    pub(crate) record: Record,
    /// The same record, if it is a shared one.
    pub(crate) shared: Option<SharedRecord>,
    /// The credentials of a shared record, if they come from a program.
    pub(crate) renewal: Option<Renewal>,
}

/// The record of a run before consent: a local one may be read ahead, a shared one may not even be reached.
pub(crate) enum RecordAhead {
    /// On this machine.
    Local(Record),
    /// On an object store.
    Shared(Box<SharedPlace>, Account),
}

impl RecordAhead {
    /// Reads a local record in a thread of its own. Returns `None` if it is read later.
    pub(crate) fn prefetch_beside(&self, access: Access) -> Option<oneshot::Receiver<()>> {
        let Self::Local(record) = self else {
            return None;
        };
        let (record, runtime) = (record.clone(), Handle::current());
        beside(move || runtime.block_on(record.prefetch(access)))
    }

    /// Lets other processes write a local record that was read ahead.
    pub(crate) async fn release(&self) {
        if let Self::Local(record) = self {
            record.release().await;
        }
    }

    /// Returns the record, after consent. Sends nothing.
    pub(crate) async fn reach(
        self,
        settings: &Settings,
        environment: &Environment,
        permits: &Permits,
    ) -> Result<Reached, CommandError> {
        match self {
            Self::Local(record) => Ok(Reached {
                record,
                shared: None,
                renewal: None,
            }),
            Self::Shared(place, account) => {
                let connecting = connect(&place, account.clone(), settings, environment, permits);
                let (shared, renewal) = connecting.await?;
                Ok(Reached {
                    record: Record::new(shared.clone(), account),
                    shared: Some(shared),
                    renewal,
                })
            }
        }
    }
}

/// Returns the record of a target, or of the emulator. Reads nothing yet.
pub(crate) fn record(settings: &Settings, sandbox: bool) -> Result<RecordAhead, CommandError> {
    let account = account(settings, sandbox);
    if let (Some(place), false) = (settings.record.shared(), sandbox) {
        return Ok(RecordAhead::Shared(Box::new(place.clone()), account));
    }
    let record = SledRecord::new(record_options(settings)?, account).into_record();
    Ok(RecordAhead::Local(record))
}

/// Returns the account of a target, or of the emulator.
pub(crate) fn account(settings: &Settings, sandbox: bool) -> Account {
    let target = &settings.target;
    if sandbox {
        return Account::sandbox(&target.name);
    }
    // Commands that need a URL report that it is missing.
    let url = target.api_url.as_ref().map(ToString::to_string);
    Account::new(&target.name, &url.unwrap_or_default())
}

/// Returns the location of the record and the options to open it.
pub(crate) fn record_options(settings: &Settings) -> Result<SledOptions, CommandError> {
    Ok(SledOptions {
        directory: crate::place::of_record(settings)?,
        lock_timeout: settings.lock_timeout.unwrap_or(LOCK_TIMEOUT),
        history: settings.history,
        cancellation: cancellation(),
        followed: mask::followed(),
        on_wait: OnWait::new(progress::on_lock),
    })
}
