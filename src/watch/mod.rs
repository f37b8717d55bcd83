//! Keeping an account as the files say, for months: when to look, when to act, and when to stop fighting.
//!
//! # Expected flow
//! Something hints that the files may have changed; after a quiet moment they are read again, and their
//! content decides whether a pass runs. A pass also runs every interval, to find and mend drift, and
//! after a failed one with growing pauses, for ever.
//!
//! # Guarantees
//! - Events are hints: none is needed for a change to be found, only for it to be found at once.
//! - Constant writing delays a look by a second at most.
//!
//! # Assumptions
//! Whoever runs the loop gives it the time and randomness; [`Schedule`] and [`Flapping`] have neither.
//!
//! # Caveats
//! File systems without events (network mounts) are looked at every half second instead.

mod flapping;
mod hints;
mod schedule;

pub use flapping::{Flapping, HOLD, TIMES, WINDOW};
pub use hints::{Hints, HintsError};
pub use schedule::{Due, Reason, Schedule, ScheduleSettings};
