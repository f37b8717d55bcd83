//! What the parts of the back end share: the store, the options, and what was read last.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookctl_core::outside::beginning;
use hookctl_core::record::{Account, Head, Observation};
use jiff::Timestamp;

use super::blobs::Blobs;
use super::error::SharedError;
use super::format::Tail;
use super::holder::Holder;
use super::options::SharedOptions;
use super::read::Known;
use super::replica;
use super::write::Attempts;

/// How much of the description of a run is kept, in characters.
const LONGEST_RUN: usize = 200;

/// The state of a back end.
pub(super) struct Shared {
    pub(super) blobs: Box<dyn Blobs>,
    pub(super) account: Account,
    pub(super) options: SharedOptions,
    pub(super) known: Mutex<Option<Known>>,
    pub(super) observed: Mutex<Option<Observation>>,
    /// Whether the latest failure of the store was reported, and no operation has succeeded since.
    pub(super) failing: AtomicBool,
}

/// Returns the port's form of an end of the log; `None` for an empty log.
pub(super) fn tag(record: &str, tail: Tail) -> Option<Head> {
    let tag = format!("{record} {} {}", tail.sequence, tail.digest);
    (tail.sequence > 0).then(|| Head::new(tag.into_bytes()))
}

/// Returns a random text of 32 hexadecimal digits.
///
/// # Errors
/// [`SharedError::Random`]
pub(super) fn nonce() -> Result<String, SharedError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(SharedError::Random)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Returns a time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Shared {
    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            blobs: &*self.blobs,
            timeout: self.options.operation_timeout,
            budget: self.options.times.lease,
            failing: &self.failing,
            on_event: &*self.options.on_event,
        }
    }

    /// Returns this process as a holder.
    pub(super) fn holder(&self, id: String, since: Timestamp) -> Holder {
        Holder {
            id,
            run: beginning(&self.options.run, LONGEST_RUN).into_owned(),
            since,
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn know(&self, known: Known) {
        if let Some(file) = &self.options.replica {
            // Without it, the next process reads more.
            let _ = replica::save(file, &known);
        }
        *self.known() = Some(known);
    }

    pub(super) fn keep_observed(&self, observation: &Observation) {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        *observed = Some(observation.clone());
    }
}
