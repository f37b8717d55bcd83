//! Secrets that cannot be shown: where one comes from, what it is, and the trace that is kept of it.
//!
//! Three types, so that no function can take the wrong one. A [`SecretSource`] says where, and may be
//! shown. A [`Secret`] is the value, and cannot be. A [`Fingerprint`] is all that the plan and the
//! cache ever hold.

mod filter;
mod fingerprint;
mod source;
mod stack;
mod value;

pub use filter::{Filter, Followed, HIDDEN, may_be};
pub use fingerprint::{
    Comparison, Fingerprint, FingerprintKey, InvalidHex, KeyId, NoRandomness, Salt, Seal, TooShort,
};
pub use source::SecretSource;
pub use stack::overwrite_stack;
pub use value::{InvalidSecret, Secret};

use std::collections::BTreeMap;

use crate::webhook::Key;

/// The resolved bearer tokens of one run, by key: for the requests that carry them.
pub type Secrets = BTreeMap<Key, Secret>;
