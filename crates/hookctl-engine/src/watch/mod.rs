//! Continuous sync of an account with its files: when to scan, when to run a pass, and when to stop correcting a
//! field.
//!
//! # Expected flow
//! A file event starts a short quiet period, after which the files are scanned. A pass runs if their content changed.
//! A pass also runs at each interval, to correct drift. A failed pass is retried with growing pauses, without a
//! limit.
//!
//! # Guarantees
//! - A missed event never loses a change; it only delays the change until the next rescan.
//! - Constant writing delays a scan by a second at most.
//!
//! # Assumptions
//! [`watch`] is the loop and owns the clock. [`Schedule`] and [`Flapping`] decide, and are pure. The [`Host`]
//! provides the files, the account, and the log.
//!
//! # Caveats
//! File systems without events (network mounts) are polled every half second instead.
//!
//! The repository's example `watch_service` is a complete program.

mod files;
mod flapping;
mod fs_events;
mod host;
mod pass;
mod run;
mod schedule;

pub use files::{Files, ScanResult};
pub use flapping::{Flapping, HOLD, TIMES, WINDOW};
pub use fs_events::{FsEvents, FsEventsError};
pub use host::{
    Drift, Ended, Host, Inputs, PassFailure, Passed, WatchEvent, WatchOptions, Watched,
};
pub use run::watch;
pub use schedule::{Due, Reason, Schedule, ScheduleSettings};
