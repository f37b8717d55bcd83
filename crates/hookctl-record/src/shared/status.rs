//! What the head of a shared record says.

use std::time::Duration;

use super::holder::Holder;

/// What the head of a shared record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedStatus {
    /// The id of the record.
    pub record: String,
    /// Counts the holders so far.
    pub epoch: u64,
    /// The sequence of the last entry of the log. While the record is held, it is that of the last heartbeat.
    pub sequence: u64,
    /// The sequence up to which a checkpoint covers the log.
    pub checkpoint: Option<u64>,
    /// How long the holder's lease lasts after its last heartbeat.
    pub lease: Duration,
    /// The process that holds the lease.
    pub holder: Option<Holder>,
}
