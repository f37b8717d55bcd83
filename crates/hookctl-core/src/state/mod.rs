//! The three states that a plan is made from, side by side.
//!
//! There are three because two cannot tell an edit from a drift: *desired* is what the files say now,
//! *observed* is what the API's list returned just now, and *last applied* is what the API confirmed
//! after our last write. A difference between the first two gets its cause from the third.

mod applied;
mod desired;
mod observed;
mod written;

pub use applied::{AppliedRecord, LastApplied};
pub use desired::{
    AbsentWebhook, DeclaredToken, DesiredState, DesiredWebhook, IgnoreChanges, Origin,
    TokenEvidence,
};
pub use observed::{FieldFlaw, ObservedState, ObservedWebhook, UnreadableWebhook};
pub use written::Written;
