//! The record, as data: what is appended to it, what is remembered by it, and the port of the back ends that keep it.

mod account;
mod commit;
mod history;
mod history_limits;
mod intent;
mod journal;
mod port;
mod remembered;

pub use account::Account;
pub use commit::{Commit, Entry, Observation};
pub use history::{HistoryChange, HistoryEntry, Provenance};
pub use history_limits::HistoryLimits;
pub use intent::{Horizon, IntendedWrite, Intent, Pending, Remaining};
pub use journal::{After, Journal, JournalError, Settlement};
pub use port::{Backend, Begun, Head, Loaded, PortFuture, RecordError, RecordErrorKind, Session};
pub use remembered::{Remembered, bind};
