//! The local record on sled: bindings, last-applied state, fingerprints, history, and the last observation of each
//! account.
//!
//! # Expected flow
//! A command opens the record for one pass and closes it again, so that several commands can take turns. A second
//! opener waits, then fails with a clear error. A dry run opens a copy and leaves the folder unchanged.
//!
//! # Guarantees
//! - A commit is durable as a whole when [`Session::append`](hookctl_core::record::Session::append) returns.
//! - Only authentic values are read: every value has a checksum, and a generation number beside the database detects
//!   a rollback.
//! - No file contains a token or an API key. If the API put one into a name or an address, that part is hidden.
//!
//! # Assumptions
//! The folder is on a local file system with working locks.
//!
//! # Caveats
//! The record can be rebuilt from the API by name if it is damaged or lost. Damage is therefore an error, and no
//! decision relies on a record that failed a check.

mod backend;
mod database;
mod error;
mod folder;
mod generation;
mod guard;
mod history;
mod lock;
mod maintenance;
mod observed;
mod open;
mod opened;
mod options;
pub(crate) mod schema;
mod transaction;
mod writer;

pub use backend::{SledRecord, accounts};
pub use error::SledError;
pub use guard::GUARDED_THREAD;
pub use maintenance::{Verified, salvage, set_aside, verify};
pub use options::{OnWait, SledOptions};

use std::path::Path;

/// Checks that a folder contains a record, or may hold one. It must not be a link. It may be missing or empty, or
/// contain only files with the names of a record's files.
///
/// # Errors
/// [`SledError::NoPlace`], or [`SledError::Io`] if the folder cannot be inspected.
pub fn check_place(directory: &Path) -> Result<(), SledError> {
    folder::check_place(directory)
}

/// Reads a row, for the fuzz target.
#[doc(hidden)]
pub fn fuzz_row(bytes: &[u8]) {
    schema::fuzz(bytes);
}

#[cfg(test)]
mod tests;
