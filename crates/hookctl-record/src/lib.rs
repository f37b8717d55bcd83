//! The record: a handle over any back end, and the back ends in memory and on sled.
//!
//! The handle and its group commit depend only on the port in `hookctl_core::record`. This crate knows neither the
//! API nor plans.

mod group;
mod handle;
mod memory;
#[cfg(feature = "shared")]
pub mod shared;
#[cfg(feature = "sled")]
pub mod sled;

pub use handle::{Access, BACKLOG, OpenRecord, Record};
pub use memory::MemoryRecord;
