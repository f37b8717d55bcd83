//! From a plan to requests and their outcomes: the apply, the pass, and the watch.
//!
//! It knows the API by meaning and the record by its port, and neither HTTP nor any database.

mod action_error;
pub mod apply;
pub mod reconcile;
pub mod report;
#[cfg(feature = "watch")]
pub mod watch;
