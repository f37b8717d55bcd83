//! The record as data: commits, the state that they fold into, and the port of the back ends.

mod account;
mod commit;
mod history;
mod history_limits;
mod intent;
mod journal;
mod port;
mod remembered;
mod send_permit;
mod url;

pub use account::Account;
pub use commit::{Commit, Entry, Observation};
pub use history::{HistoryAction, HistoryCause, HistoryChange, HistoryEntry, Provenance};
pub use history_limits::HistoryLimits;
pub use intent::{Horizon, IntendedWrite, Intent, Pending, Remaining};
pub use journal::{After, Journal, JournalError, Settlement};
pub use port::{Backend, Begun, Head, Loaded, PortFuture, RecordError, RecordErrorKind, Session};
pub use remembered::{Remembered, bind};
pub use send_permit::SendPermit;
pub use url::{InvalidRecordUrl, ObjectStore, RecordUrl};
