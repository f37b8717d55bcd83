//! The process that holds the lease, for people who wait for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The process that holds the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// A random id of the session.
    pub id: String,
    /// The run, for people: a user and host, or the address of a CI run.
    pub run: String,
    /// When it took the lease, by its own clock.
    pub since: Timestamp,
}
