//! What happened, as data: written by whoever applies, kept by the cache, shown by whoever renders.

mod history;
mod intent;
mod journal;
mod outcome;

pub use history::{HistoryChange, HistoryEntry, Provenance};
pub use intent::{Horizon, IntendedWrite, Intent, Pending, Remaining};
pub use journal::{After, Journal, JournalError, Settlement};
pub use outcome::{ActionResult, Duplicate, Outcome, Remark, SyncReport};
