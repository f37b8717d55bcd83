//! The local record, on sled: bindings, last-applied state, fingerprints, history, and what was last
//! observed, per target.
//!
//! # Expected flow
//! Opened for one pass and closed again, so that several commands live side by side. A second opener
//! waits, then gets a clear error. A dry run opens a copy and leaves the folder as it is.
//!
//! # Guarantees
//! - A commit is durable as a whole when [`Session::append`](hookctl_core::record::Session::append) returns.
//! - Whatever is read was written by us: every value is checksummed, and a database that silently went
//!   back to an older state is told by a generation number that is kept beside it.
//! - No file holds a token or an API key, though the API may put one into a name or an address: that part is
//!   hidden.
//!
//! # Assumptions
//! The folder is on a local file system with working locks.
//!
//! # Caveats
//! It is a cache: damaged or lost, it is rebuilt from the API by name. So damage is an error that says
//! how to go on, and nothing is ever decided from a record that failed its check.

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
pub use options::SledOptions;

use std::path::Path;

/// Checks that a record is in a folder, or may be made there. The folder may not be a link; it may be missing or empty, or
/// hold what a record holds, which its names tell.
///
/// # Errors
/// [`SledError::NoPlace`], or what keeps the folder from being looked at.
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
