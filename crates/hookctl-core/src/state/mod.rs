//! The three states that a plan is based on.
//!
//! *Desired* is the content of the files, *observed* is the current list of the API, and *last applied* is what the API
//! confirmed after the last write. The first two differ where something changes; the third tells whether the cause is an
//! edit or drift.

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
