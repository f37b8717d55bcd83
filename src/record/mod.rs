//! What happened, as data: written by whoever applies, kept by the cache, shown by whoever renders.

mod history;
mod journal;
mod outcome;

pub use history::{HistoryChange, HistoryEntry, Provenance};
pub use journal::{Journal, JournalError, Settlement};
pub use outcome::{ActionResult, Outcome, Remark, SyncReport};
