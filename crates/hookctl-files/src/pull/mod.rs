//! Writes values of the API into declarations, in place. Pure: bytes in, bytes out.
//!
//! # Expected flow
//! [`select`] picks the fields of a plan that changed at the API. [`pull`] edits the files that declare them, loads the new
//! texts, and plans again. The caller writes the files.
//!
//! # Guarantees
//! - Bytes outside the changed values stay: comments, order, quotes, indentation, line ends, a byte order mark.
//! - A parse of the new text differs from a parse of the old one in the given fields only. An edit that cannot hold this is
//!   refused.
//! - With the new texts, the plan has none of the changes that were pulled, and is equal otherwise. What cannot hold this is
//!   refused.
//! - A value goes to the mapping of the selected target in `targets`, if that has the field, or if another target takes the
//!   value of the webhook.
//! - A value from a variable, and a value that other webhooks share, is refused, never replaced. A token is never written.
//!
//! # Caveats
//! A comment on the line of a removed list item is removed with it.

mod actions;
mod apply;
mod block_list;
mod check;
mod declarable;
mod find;
mod flow_list;
mod insert;
mod list;
mod proof;
mod reason;
mod rewrite;
mod scalar;
mod select;
mod source;
mod subset;
mod verify;

pub use proof::{Baseline, Load, Pulled, PulledFile, pull};
pub use reason::Reason;
pub use rewrite::{Rewritten, WrittenValue, reads_as, rewrite};
pub use select::{Changed, Left, Scope, Selection, select};

use hookctl_core::webhook::{Field, FieldValue, Key};

/// A value of the API for a field of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewValue {
    /// The key of the webhook.
    pub key: Key,
    /// The field.
    pub field: Field,
    /// The value at the API.
    pub value: FieldValue,
}

#[cfg(test)]
mod tests;
