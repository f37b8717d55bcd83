//! Secrets: their sources, their values, and their fingerprints.
//!
//! Three types keep them apart. A [`SecretSource`] names the source and may be shown. A [`Secret`] is the value and is
//! never shown. [`Fingerprint`]s are all that plans and the record contain.

mod filter;
mod fingerprint;
mod fingerprints;
mod key_sources;
mod provider;
mod source;
mod stack;
mod value;

pub use filter::{Filter, Followed, HIDDEN, KnownSecrets, may_be};
pub use fingerprint::{
    Comparison, Fingerprint, FingerprintKey, InvalidHex, KeyId, NoRandomness, Salt, Seal, TooShort,
};
pub use fingerprints::{Fingerprints, InvalidFingerprints};
pub use key_sources::{KeyConflict, KeySources, may_hold_key};
pub use provider::{InvalidProviderName, InvalidReference, ProviderName, SecretReference};
pub use source::SecretSource;
pub use stack::overwrite_stack;
pub use value::{InvalidSecret, Secret};

use std::collections::BTreeMap;

use crate::webhook::Key;

/// The resolved bearer tokens of a run, by key, for the requests that send them.
pub type Secrets = BTreeMap<Key, Secret>;
