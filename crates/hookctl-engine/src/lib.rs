//! Execution of plans: the apply, the pass, and the watch.
//!
//! This crate uses the ports of the API and the record. It does not depend on HTTP or on a database.

mod action_error;
pub mod apply;
pub mod reconcile;
pub mod report;
pub mod verify;
#[cfg(feature = "watch")]
pub mod watch;
