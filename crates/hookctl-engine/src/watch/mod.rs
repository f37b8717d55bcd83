//! Keeping an account as the files say, for months: when to look, when to act, and when to stop fighting.
//!
//! # Expected flow
//! Something hints that the files may have changed; after a quiet moment they are read again, and their
//! content decides whether a pass runs. A pass also runs every interval, to find and fix drift, and
//! after a failed one with growing pauses, for ever.
//!
//! # Guarantees
//! - Events are hints: none is needed for a change to be found, only for it to be found at once.
//! - Constant writing delays a look by a second at most.
//!
//! # Assumptions
//! [`watch`] is the loop, and has the clock; [`Schedule`] and [`Flapping`], which decide, have none. What
//! is watched, and for whom, is the [`Host`]'s.
//!
//! # Caveats
//! File systems without events (network mounts) are looked at every half second instead.
//!
//! The example `watch_service` of the repository shows it whole.

mod files;
mod flapping;
mod hints;
mod host;
mod pass;
mod run;
mod schedule;

pub use files::{Files, Look};
pub use flapping::{Flapping, HOLD, TIMES, WINDOW};
pub use hints::{Hints, HintsError};
pub use host::{
    Drift, Ended, Host, PassFailure, Passed, Wanted, WatchEvent, WatchOptions, Watched,
};
pub use run::watch;
pub use schedule::{Due, Reason, Schedule, ScheduleSettings};
