//! The record: one handle over any back end, and the back ends in memory and on sled.
//!
//! The handle and its group commit know the port of `hookctl_core::record` alone. Nothing here knows the API or a plan.

mod group;
mod handle;
mod memory;
#[cfg(feature = "shared")]
pub mod shared;
#[cfg(feature = "sled")]
pub mod sled;

pub use handle::{Access, BACKLOG, OpenRecord, Record};
pub use memory::MemoryRecord;
