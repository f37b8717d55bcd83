//! The shared record, on an object store: a log of conditional creates, and a small head that is swapped.
//!
//! # Expected flow
//! A reader reads the head, the latest checkpoint, and the log after it. A run that writes takes the lease late, by a swap
//! of the head that it read before it planned: if the swap succeeds, no other process wrote in between, and the plan still holds.
//! Each commit is one new object of the log. The release is another swap of the head.
//!
//! # Guarantees
//! - Sequences of the log are contiguous, and an object of the log is created once. So a holder that was replaced can
//!   append nothing more: the fence.
//! - A holder that could not renew its lease in time may send nothing more: the permit. See [`Session::send_permit`].
//! - A lost response is resolved by reading back, because each written content is unique.
//! - A checksum and a chain of digests detect damaged, missing, and exchanged objects.
//!
//! # Assumptions
//! The store honours the conditions of writes ([`SharedRecord::init`] checks it), and a read returns what the last
//! acknowledged write wrote.
//!
//! # Caveats
//! The API itself has no fence. A process that is paused between its last check of the permit and the send of the kernel
//! can send a request after its lease. Its intent is in the log, so that the next holder waits for it.
//!
//! [`Session::send_permit`]: hookctl_core::record::Session::send_permit

mod acquire;
mod backend;
mod blobs;
mod context;
mod digest;
mod error;
mod format;
mod holder;
mod lead;
mod lease;
mod memory;
mod migration;
mod names;
mod options;
mod packed;
mod probe;
mod read;
mod repair;
mod replica;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod trim;
mod write;

pub use backend::SharedRecord;
pub use blobs::{Blob, BlobError, BlobErrorKind, BlobFuture, Blobs, Version, Written};
pub use error::SharedError;
pub use holder::Holder;
pub use lead::Leader;
pub use memory::MemoryBlobs;
pub use migration::Migration;
pub use options::{SharedEvent, SharedOptions, Times};
pub use repair::Repair;
pub use replica::replica_file;
pub use status::SharedStatus;
